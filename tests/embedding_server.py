"""A real server with ``/v1/embeddings`` on the loopback, which runs a small encoder with random weights.

It takes the forms of requests that servers of pictures take, and fails on demand.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from imagerag_assets.encoders.types import Encoder

KEY = "the-key-of-this-server"


@dataclass
class Served:
    """What is served, and how it behaves."""

    encoder: Encoder
    url: str = ""
    models: list[str] = field(default_factory=lambda: ["tiny"])
    failures: list[int] = field(default_factory=list)
    """Status of the next replies; each is used once."""
    raw: str | None = None
    """What is sent instead of a reply."""
    noise: float = 0.0
    """Largest change of a number of a vector."""
    cut: int | None = None
    """Length that vectors are cut to."""
    hold: threading.Event | None = None
    """Replies wait for it."""
    requests: list[dict[str, Any]] = field(default_factory=list)

    def vector(self, content: Any) -> list[float]:
        if isinstance(content, str):
            content = {"image": content} if content.startswith("data:image/") else {"text": content}
        url = content.get("image") or content.get("image_url", {}).get("url")
        if url:
            picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
            found = self.encoder.encode_images(np.asarray(picture)[None])[0]
        else:
            found = self.encoder.encode_raw_texts([content["text"]])[0]
        found = found + np.random.default_rng().uniform(-self.noise, self.noise, found.shape)
        return [float(number) for number in found[: self.cut]]

    def embeddings(self, body: dict[str, Any]) -> Response:
        if "messages" in body:
            inputs = [body["messages"][-1]["content"][0]]
        else:
            inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [
            {"object": "embedding", "index": index, "embedding": self.vector(each)} for index, each in enumerate(inputs)
        ]
        return JSONResponse({"object": "list", "model": body["model"], "data": data[::-1]})


@contextmanager
def running_server(encoder: Encoder) -> Iterator[Served]:
    """Run the server in a thread until the block ends."""
    served = Served(encoder)

    def refused(request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            said = f"invalid key {request.headers.get('authorization')}"
            return JSONResponse({"error": {"message": said}}, 401)
        return None

    def models(request: Request) -> Response:
        listed = [{"id": name, "object": "model", "root": f"org/{name}"} for name in served.models]
        return refused(request) or JSONResponse({"object": "list", "data": listed})

    async def embeddings(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        body = await request.json()
        served.requests.append(body)
        if (refusal := refused(request)) is not None:
            return refusal
        if served.hold is not None:
            await run_in_threadpool(served.hold.wait, 30)
        if served.failures:
            return JSONResponse({"error": {"message": "too busy"}}, served.failures.pop(0))
        if served.raw is not None:
            return PlainTextResponse(served.raw)
        return await run_in_threadpool(served.embeddings, body)

    app = Starlette(routes=[Route("/v1/models", models), Route("/v1/embeddings", embeddings, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        served.url = f"http://127.0.0.1:{port}/v1"
        yield served
    finally:
        if served.hold is not None:
            served.hold.set()
        server.should_exit = True
        thread.join(10)
