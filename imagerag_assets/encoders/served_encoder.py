"""An encoder behind a server with ``/v1/embeddings``: vLLM, a gateway, or a hosted one.

A server may come to serve another model under the same name, so vectors of fixed probes are compared: when it is first
asked in a process, and again while it is used.  `embeddings_client` makes the requests.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.encoders.base import BaseEncoder, check_dim
from imagerag_assets.encoders.digests import digest_of
from imagerag_assets.encoders.embeddings_client import EmbeddingsClient
from imagerag_assets.encoders.types import EncoderSpec
from imagerag_assets.errors import EncoderError
from imagerag_assets.objects.aside import replace_text
from imagerag_assets.settings import Settings

PROBE_TEXTS = ("an airport with parked airplanes", "a river through a forest")
SAME = 0.995
"""Least cosine between two vectors of one probe by one model: arithmetic in few bits, and batches, move them."""
_BITS = 4
"""Signs of each probe's vector that the fingerprint has: few, since one near zero may turn between two requests."""
_AGAIN_S = 300.0
_SIZE = 256


class ServedEncoder(BaseEncoder):
    """An :class:`~imagerag_assets.encoders.types.Encoder` at a server.

    The fingerprint covers the model's name, what the server reports of it, the length of vectors, how it is asked, the
    templates, and a few signs of the probes' vectors.  The vectors themselves are kept in HOME/served: those of the
    same model differ in their last digits, and stand for the same fingerprint.
    """

    def __init__(self, spec: EncoderSpec, settings: Settings) -> None:
        """Ask the server for its models and for the vectors of the probes.

        Raises:
            EncoderError: the server cannot be asked, or its vectors are not usable.
        """
        super().__init__(spec, settings)
        assert spec.server is not None
        self._server = spec.server
        self._client: EmbeddingsClient | None = EmbeddingsClient(spec)
        self._fix = "Check what the server serves"
        self._size = spec.image_size or _SIZE
        self._kept = settings.home / "served" / f"{digest_of({'name': spec.name})[:16]}.json"
        texts = self._request_texts(list(PROBE_TEXTS))
        self._dim = check_dim(spec, texts.shape[1])
        pictures = self._request_images(_probe_pictures())
        if pictures.shape[1] != self._dim:
            raise EncoderError(
                f"The server's vectors of texts have {self._dim} dimensions and those of pictures {pictures.shape[1]}",
                encoder=spec.name,
                fix="Serve a model that embeds both in one space",
            )
        self._probes = np.concatenate(
            [self._normalised(texts, "probe", 0), self._normalised(pictures, "probe", len(texts))]
        )
        self._fingerprint = self._settled()
        self._checked = time.monotonic()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._client is None

    def _release(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _asked(self) -> EmbeddingsClient:
        client = self._client
        if client is None:
            raise EncoderError("The encoder is closed", encoder=self.name)
        return client

    def _image_features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._check_again()
        return self._of_one_length(self._request_images(images))

    def _text_features(self, texts: list[str]) -> NDArray[np.float32]:
        self._check_again()
        return self._of_one_length(self._request_texts(texts))

    def _request_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._joined([self._asked().picture(image, self._spec.image_size) for image in images])

    def _request_texts(self, texts: list[str]) -> NDArray[np.float32]:
        return self._joined([self._asked().text(text) for text in texts])

    def _joined(self, inputs: list[Any]) -> NDArray[np.float32]:
        """Send inputs in as few requests as the server takes, several at once where one takes one input."""
        client, size = self._asked(), self._server.batch
        if client.one_by_one:
            with ThreadPoolExecutor(min(size, len(inputs))) as pool:
                parts = list(pool.map(lambda each: client.embed([each]), inputs))
        else:
            parts = [client.embed(inputs[at : at + size]) for at in range(0, len(inputs), size)]
        if len({part.shape[1] for part in parts}) > 1:
            raise EncoderError("The server's vectors differ in length", encoder=self.name, fix=self._fix)
        return np.concatenate(parts)

    def _of_one_length(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if vectors.shape[1] != self._dim:
            raise self._changed(f"its vectors have {vectors.shape[1]} dimensions now, and had {self._dim}")
        return vectors

    def _check_again(self) -> None:
        """Embed a text and a picture of the probes anew, from time to time.

        Raises:
            EncoderError: the server serves another model than when it was first asked.
        """
        if time.monotonic() - self._checked < _AGAIN_S:
            return
        again = [self._request_texts([PROBE_TEXTS[0]]), self._request_images(_probe_pictures()[:1])]
        for what, found, before in zip(("text", "picture"), again, (0, len(PROBE_TEXTS)), strict=True):
            alike = float(self._normalised(self._of_one_length(found), "probe", before)[0] @ self._probes[before])
            if alike < SAME:
                raise self._changed(f"the vector of a fixed {what} has a cosine of {alike:.3f} to the earlier one")
        self._checked = time.monotonic()

    def _changed(self, why: str) -> EncoderError:
        return EncoderError(
            f"The server serves another model than before under this name: {why}",
            encoder=self.name,
            server=self._server.url,
            fix="Serve the earlier model, or start again and run `imagerag backfill` to embed with the new one",
        )

    def _settled(self) -> str:
        """Return the fingerprint: a kept one whose probes agree, else a new one, which is kept."""
        client = self._asked()
        described = {
            "model": client.model,
            "reported": client.reported,
            "dimensions": self._dim,
            "pictures": self._server.pictures,
            "image_size": self._spec.image_size,
            "instruction": self._spec.instruction,
            "templates": list(self._spec.templates),
            "normalisation": "l2",
        }
        key, kept = digest_of(described), _read(self._kept)
        for each in kept:
            probes = np.asarray(each["probes"], np.float32)
            same = each["key"] == key and probes.shape == self._probes.shape
            if same and float((probes * self._probes).sum(axis=1).min()) >= SAME:
                return str(each["fingerprint"])
        signs = _signs(self._probes)
        fingerprint, taken = digest_of({**described, "signs": signs}), {each["fingerprint"] for each in kept}
        while fingerprint in taken:  # another model with the same few signs
            fingerprint = digest_of({"after": fingerprint})
        kept.append({"key": key, "fingerprint": fingerprint, "probes": self._probes.round(6).tolist()})
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        replace_text(self._kept, json.dumps(kept))
        return fingerprint


def _probe_pictures() -> NDArray[np.uint8]:
    """Return two fixed pictures, a checkerboard with a ramp and stripes in colour: uint8 (2, 64, 64, 3)."""
    rows, columns = np.mgrid[0:64, 0:64]
    board = ((rows // 8 + columns // 8) % 2) * 128 + columns
    stripes = np.stack([(columns * 4) % 256, (rows * 4) % 256, np.full_like(rows, 90)], axis=-1)
    return np.stack([np.repeat(board[..., None], 3, axis=-1), stripes]).astype(np.uint8)


def _signs(probes: NDArray[np.float32]) -> str:
    """Return the signs of each probe on a few fixed directions, as zeros and ones."""
    directions = np.random.default_rng(640).standard_normal((probes.shape[1], _BITS))
    return "".join("1" if value > 0 else "0" for value in (probes @ directions).ravel())


def _read(path: Path) -> list[dict[str, Any]]:
    """Read the kept probes; a file that cannot be read is none, and costs a backfill at worst."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [each for each in found if {"key", "fingerprint", "probes"} <= each.keys()]
    except (OSError, ValueError, AttributeError, TypeError):
        return []
