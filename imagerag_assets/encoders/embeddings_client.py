"""Requests to a server with ``/v1/embeddings``, and its failures in one line each.

Pictures have no place in OpenAI's own form of a request.  The forms in use are told apart by `EncoderServer.pictures`.
"""

from __future__ import annotations

import base64
import io
import json
import time
from typing import Any, cast

import httpx2
import numpy as np
import openai
from numpy.typing import NDArray
from PIL import Image

from imagerag_assets.encoders.types import EncoderSpec
from imagerag_assets.errors import EncoderError
from imagerag_assets.server_replies import detail_of, shortened

ONLY = "only"
"""Name of a model that means the only one that the server lists."""
_MOST_BYTES = 64 << 20  # of a reply


class EmbeddingsClient:
    """One model at one server.

    Constructing it asks the server for its models.

    Attributes:
        model: The model's name at the server.
        reported: What the server reports of the model besides its name; empty where it lists no models.
        one_by_one: Whether a request takes one input.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        """Connect; raises EncoderError if the server fails, or does not list the model."""
        assert spec.server is not None
        self._spec, self._server = spec, spec.server
        self._url = spec.server.url.rstrip("/")
        key = spec.server.key
        self._client = openai.OpenAI(
            base_url=self._url,
            # Never the environment's key: it is of another server.
            api_key="none" if key is None else key.get_secret_value(),
            timeout=httpx2.Timeout(spec.server.timeout_s, connect=min(10.0, spec.server.timeout_s)),
            max_retries=spec.server.retries,
        )
        self.one_by_one = spec.server.pictures == "messages"
        self.model, self.reported = self._found_model()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def picture(self, image: NDArray[np.uint8], side: int | None) -> Any:
        """Return one picture, uint8 (h, w, 3), as an input of :meth:`embed`; resized if a side is given."""
        picture = Image.fromarray(np.ascontiguousarray(image))
        if side is not None and picture.size != (side, side):
            picture = picture.resize((side, side), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        if self._server.pictures == "objects":
            return {"image": url}
        if self._server.pictures == "data-urls":
            return url
        return self._said({"type": "image_url", "image_url": {"url": url}})

    def text(self, text: str) -> Any:
        """Return one text as an input of :meth:`embed`."""
        if self._server.pictures == "objects":
            return {"text": text}
        if self._server.pictures == "data-urls":
            return text
        return self._said({"type": "text", "text": text})

    def embed(self, inputs: list[Any]) -> NDArray[np.float32]:
        """Return the vectors, float32 (n, dim), of inputs in one request.

        Raises:
            EncoderError: the server failed, or its reply has other than one vector of finite numbers for each input.
        """
        body: dict[str, Any] = {"model": self.model, "encoding_format": "float"}
        if self.one_by_one:
            (messages,) = inputs
            body |= {"messages": messages, "add_generation_prompt": True}
        else:
            body["input"] = inputs
        return self._vectors(self._reply(body), len(inputs))

    def _said(self, content: dict[str, Any]) -> list[dict[str, Any]]:
        user = [{"role": "user", "content": [content]}]
        if not self._spec.instruction:
            return user
        return [{"role": "system", "content": [{"type": "text", "text": self._spec.instruction}]}, *user]

    def _found_model(self) -> tuple[str, dict[str, Any]]:
        wanted = self._spec.architecture
        try:
            listed = {model.id: model for model in self._client.models.list().data}
        except openai.NotFoundError as error:
            if wanted != ONLY:
                return wanted, {}  # some servers embed and list nothing
            raise self._failed(error) from error
        except openai.APIError as error:
            raise self._failed(error) from error
        except (AttributeError, TypeError, ValueError) as error:
            raise self._wrong("its list of models cannot be read", "Check that server.url ends in /v1") from error
        if wanted == ONLY:
            if len(listed) != 1:
                names = ", ".join(list(listed)[:5]) or "none"
                raise self._wrong(
                    f"it lists {len(listed)} models ({names})", "Name one as the architecture of its entry"
                )
            wanted = next(iter(listed))
        elif listed and wanted not in listed:
            names = ", ".join(list(listed)[:5])
            raise self._wrong(f"it has no model {wanted!r}, only {names}", "Correct the architecture of its entry")
        model = listed.get(wanted)
        said = {name: getattr(model, name, None) for name in ("root", "parent")}
        return wanted, {name: value for name, value in said.items() if isinstance(value, str)}

    def _reply(self, body: dict[str, Any]) -> Any:
        embeddings, received = self._client.embeddings, bytearray()
        try:
            # The client's own fields know no pictures; what is in extra_body replaces them.
            with embeddings.with_streaming_response.create(
                model=self.model, input=cast(Any, openai.omit), encoding_format="float", extra_body=body
            ) as response:
                deadline = time.monotonic() + self._server.timeout_s
                for block in response.iter_bytes():
                    received += block
                    # The client's timeout restarts with every byte, so a slow trickle would never end.
                    if time.monotonic() > deadline or len(received) > _MOST_BYTES:
                        raise openai.APITimeoutError(response.http_request)
        except (openai.APIError, httpx2.HTTPError) as error:
            raise self._failed(error) from error
        try:
            return json.loads(bytes(received))
        except (ValueError, RecursionError) as error:
            raise self._wrong("its reply is not JSON", "Check that server.url ends in /v1") from error

    def _vectors(self, reply: Any, count: int) -> NDArray[np.float32]:
        try:
            rows = sorted(reply["data"], key=lambda row: row.get("index", 0))
            found = [row["embedding"] for row in rows]
            if any(not isinstance(number, int | float) for row in found for number in row):
                raise TypeError("not numbers")
            vectors = np.asarray(found, dtype=np.float32)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            said = shortened(json.dumps(reply))
            raise self._wrong(f"its reply has no vectors of numbers: {said}", "See what it serves") from error
        if vectors.ndim != 2 or vectors.shape[1] == 0 or len(vectors) != count:
            shape = " x ".join(str(length) for length in vectors.shape)
            raise self._wrong(f"it gave vectors of {shape} for {count} inputs", "Correct server.pictures of its entry")
        return vectors

    def _wrong(self, message: str, fix: str, *, transient: bool = False) -> EncoderError:
        return EncoderError(
            f"The embedding server is not usable: {message}",
            fix=fix,
            transient=transient,
            encoder=self._spec.name,
            server=self._url,
        )

    def _failed(self, error: Exception) -> EncoderError:
        """Return the error that a person reads of a failed request."""
        tries = self._server.retries + 1
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            said = f"it did not finish its reply within {self._server.timeout_s:g} s, {tries} tries"
            return self._wrong(said, "Raise server.timeout_s of its entry, or lower server.batch", transient=True)
        if not isinstance(error, openai.APIStatusError):
            cause = shortened(str(error.__cause__ or error)) or type(error).__name__
            return self._wrong(f"it cannot be reached: {cause}", "Start it, or correct server.url", transient=True)
        status, detail = error.status_code, detail_of(error)
        if status in (401, 403):
            return self._wrong(f"it refuses the key (HTTP {status}): {detail}", "Set server.key of its entry")
        if status == 404:
            return self._wrong(f"it has no such model or address (HTTP 404): {detail}", "server.url ends in /v1")
        if status == 429 or status >= 500:
            said = f"it failed (HTTP {status}, {tries} tries): {detail}"
            return self._wrong(said, "See its log, and try again", transient=True)
        return self._wrong(f"it rejects the request (HTTP {status}): {detail}", "Correct server.pictures of its entry")
