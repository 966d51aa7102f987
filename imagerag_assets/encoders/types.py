"""What an encoder is to the rest of the system: the protocol, and the registry entry that describes one.

No model code lives here, and importing it loads no model library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, SecretStr, with_config

from imagerag_assets.encoders.templates import OVERHEAD_TEMPLATES

Vectors = NDArray[np.float32]
"""float32, (n, dim), each row of length 1."""


@runtime_checkable
class Encoder(Protocol):
    """An image-text dual encoder.  All methods may be called from several threads."""

    @property
    def name(self) -> str:
        """Registry name."""

    @property
    def fingerprint(self) -> str:
        """sha256, 64 hexadecimal digits; only vectors of equal fingerprints can be compared."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def image_size(self) -> int:
        """Side, in pixels, of what the image tower sees."""

    @property
    def logit_scale(self) -> float:
        """Factor of the cosine in the training loss (the exponential is already taken)."""

    @property
    def logit_bias(self) -> float | None:
        """Term added to the scaled cosine by encoders with a sigmoid loss (SigLIP), else None."""

    def encode_images(self, images: NDArray[np.uint8]) -> Vectors:
        """Embed patches.

        Args:
            images: uint8, (n, h, w, 3), RGB; n may be 0.  They are resized whole, never cropped.

        Raises:
            EncoderError: wrong shape or type, or a vector that is not finite or zero (the message gives its index).
        """

    def encode_texts(self, phrases: Sequence[str]) -> Vectors:
        """Embed phrases: put each into every template, normalise the results, average them, normalise again.  Cached.

        Raises:
            EncoderError: an empty phrase, or an unusable vector.
        """

    def encode_raw_texts(self, texts: Sequence[str], *, normalised: bool = True) -> Vectors:
        """Embed sentences as they are, without templates (captions, whole questions).

        Args:
            texts: Any texts.
            normalised: Scale rows to length 1; False: rows as the model gives them, of any length.

        Raises:
            EncoderError: an empty text, or an unusable vector.
        """

    def close(self) -> None:
        """Free the model's memory.  Encoding afterwards raises EncoderError."""


@runtime_checkable
class CellEncoder(Protocol):
    """An encoder that can say what is where within a patch.  Not every :class:`Encoder` is one."""

    @property
    def cell_px(self) -> int | None:
        """Side of a cell in pixels of what the image tower sees; None: its vectors are not means of cells."""

    def encode_cells(self, images: NDArray[np.uint8], *, side: int) -> NDArray[np.float32]:
        """Embed the cells of pictures.

        The mean of all cells of a picture that is `image_size` a side, scaled to length 1, is its vector.  So the mean
        of any square of cells is the vector of that part of the picture.

        Args:
            images: uint8, (n, h, h, 3), RGB; n may be 0.  They are resized whole.
            side: Side, in pixels, that they are resized to; a multiple of `cell_px`.

        Returns:
            float32, (n, side / cell_px, side / cell_px, dim): rows, columns.  Not scaled to length 1.

        Raises:
            EncoderError: wrong shape, type or side, or the encoder has no cells.
        """


Kind = Literal["open_clip", "transformers", "served"]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class EncoderServer:
    """Where and how a served encoder is asked."""

    url: str
    """Address up to and with ``/v1``, without a key in it."""
    key: SecretStr | None = None
    """Key of this server; no other is sent to it."""
    pictures: Literal["messages", "objects", "data-urls"] = "messages"
    """How pictures are sent: as ``messages`` of a chat, one a request (vLLM); as objects ``{"image": ...}`` in
    ``input`` (Jina); as data URLs in ``input``."""
    batch: int = 16
    """Inputs of one request, where a request takes several; the number of requests at once, where it takes one."""
    timeout_s: float = 60.0
    """Seconds that a reply may take, each time."""
    retries: int = 3
    """Further tries at a server that is down, slow or overloaded."""


@dataclass(frozen=True)
class EncoderSpec:
    """One entry of the registry."""

    name: str
    """Registry name."""
    architecture: str
    """What the model is. ``open_clip``: one of its model names, ``local-dir:FOLDER`` with an open_clip_config.json in
    it, or ``hf-hub:ORG/NAME``; ``transformers``: a folder or a hub id, in the same form; ``served``: the model's name
    at the server, or ``only`` for the only one that it lists."""
    kind: Kind = "open_clip"
    """Which library runs it, or that a server does."""
    server: EncoderServer | None = None
    """Of a served encoder."""
    checkpoint: str = ""
    """A file, an open_clip pretrained tag, ``hf-hub:ORG/NAME[/FILE]``; empty: what lies beside the configuration."""
    revision: str = ""
    """Commit of the hub repository that is downloaded; empty: whatever its main branch holds then."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of this encoder; ``auto`` leaves it to IMAGERAG_PRECISION."""
    image_size: int | None = None
    """Side the image tower sees, in pixels, if not the architecture's."""
    templates: tuple[str, ...] = OVERHEAD_TEMPLATES
    """Sentences around a phrase, each with one ``{}``."""
    interpolation: Literal["area", "bilinear", "bicubic"] | None = None
    """How patches are resized; None: as the configuration says, else bicubic."""
    mean: tuple[float, float, float] | None = None
    """Per-channel mean, 0-1 scale; None: as the configuration or the pretrained tag says, else CLIP's."""
    std: tuple[float, float, float] | None = None
    """Per-channel standard deviation, 0-1 scale; None as for the mean."""
    force_quick_gelu: bool = False
    """Use the QuickGELU activation although the architecture's configuration does not."""
    patch_m: Annotated[float, Field(ge=1, le=100_000)] | None = None
    """Metres that a side of the pictures covers that the encoder was taught; None: unknown, or of any size."""
    description: str = ""
    """One line for a person."""
    licence: str = ""
    """Licence of the weights."""
    training_licence: str = ""
    """Licence of the imagery and texts that it was taught with; ``unknown`` where nobody says."""
    parameters: str = ""
    """Size, for a person: "88 M (image) + 63 M (text)"."""
    dim: int | None = None
    """Length of a vector, which the loaded model is held to; None: not stated."""
    gsd_m: tuple[float, float] | None = None
    """Least and greatest ground distance, in metres a pixel, of what it was taught; None: unknown, or photographs."""
    instruction: str = ""
    """What a model that takes a chat is told to do with the input."""
    base: str = ""
    """Folder that relative paths of this entry start from: the registry file's."""
