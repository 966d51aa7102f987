"""What a concept is: a name, and versions of what was shown for it, good and bad examples.

- `concepts/{name}/{version}.json`: one version, never changed.  The highest one is in use; one without examples says
  that the concept was removed;
- `concepts/{name}/crops/{id}.png`: the pixels of an example, never changed; the name is their digest;
- `concepts/{name}/vectors/{fp16}/{id}.npy`: what an encoder makes of a crop; made again where it is missing.

Only the form of these records; `store.py` keeps them.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagerag_assets.errors import ConceptError

PREFIX = "my:"
"""How a concept's name begins in a question."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

Sign = Literal["positive", "negative"]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Origin(_Kept):
    """Where an example was cut from; a note only, as the crop is kept."""

    kind: Literal["box", "cue", "patch", "picture"]
    scene: str | None = None
    scene_version: str | None = None
    window: tuple[int, int, int, int] | None = None
    """What was shown: x0, y0, x1, y1 in native pixels, half-open."""
    bbox: tuple[float, float, float, float] | None = None
    """The same: west, south, east, north in degrees."""
    acquired: str | None = None
    """ISO 8601, UTC."""
    answer: str | None = None
    patch: str | None = None
    file: str | None = None
    """Name of a picture file, without its folder."""


class ConceptExample(_Kept):
    """One example."""

    id: str
    """First 16 hexadecimal digits of the sha256 of its pixels."""
    sign: Sign
    width: int
    height: int
    """Of the crop, in its own pixels."""
    crop_window: tuple[int, int, int, int] | None = None
    """The crop in native pixels of its scene: what was shown, and around it what a patch would show."""
    metres_a_pixel: float | None = None
    """Ground distance of the crop's pixels; None: not known."""
    added_at: str
    """ISO 8601, UTC."""
    origin: Origin


class Concept(_Kept):
    """One version of a concept."""

    name: str
    version: int = Field(ge=1)
    word: str | None = None
    """What people call it, for encoders that know the word; None: its name."""
    made_at: str
    """ISO 8601, UTC."""
    examples: tuple[ConceptExample, ...] = ()

    @property
    def removed(self) -> bool:
        """Whether this version says that the concept was removed."""
        return not self.examples

    @property
    def phrase(self) -> str:
        """What it is called in a question."""
        return f"{PREFIX}{self.name}"

    @property
    def said(self) -> str:
        """What people call it, in words."""
        return self.word or re.sub(r"[-_]+", " ", self.name).strip()

    def of(self, sign: Sign) -> tuple[ConceptExample, ...]:
        """Return its good, or its bad, examples."""
        return tuple(each for each in self.examples if each.sign == sign)

    @property
    def digest(self) -> str:
        """What decides its answers, as 16 hexadecimal digits: the word, and the examples with their signs."""
        shown = sorted(f"{each.sign} {each.id}" for each in self.examples)
        return hashlib.sha256("\n".join([self.word or "", *shown]).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of `imagerag concepts show`."""
        counts = {"positive": len(self.of("positive")), "negative": len(self.of("negative"))}
        return {"phrase": self.phrase, "digest": self.digest, "removed": self.removed, **counts, **self.model_dump()}


def concept_name(text: str) -> str:
    """Return a concept's name as it is kept: in lower case, without "my:".

    Raises:
        ConceptError: it is no name.
    """
    name = text.strip().lower().removeprefix(PREFIX)
    if not _NAME.fullmatch(name):
        raise ConceptError(
            f"{text[:60]!r} cannot be the name of a concept",
            fix="Use at most 40 letters a-z, digits, - and _, e.g. pumpjack or oil_well",
        )
    return name


def crop_key(name: str, example_id: str) -> str:
    """Return the object key of an example's pixels."""
    return f"concepts/{name}/crops/{example_id}.png"


def vector_key(name: str, example_id: str, fingerprint: str) -> str:
    """Return the object key of what an encoder makes of an example."""
    return f"concepts/{name}/vectors/{fingerprint[:16]}/{example_id}.npy"
