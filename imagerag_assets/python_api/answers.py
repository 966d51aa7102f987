"""An answer and its cues, as objects and as a table."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from imagerag_assets.errors import StoreError
from imagerag_assets.escaping import markdown
from imagerag_assets.installation.platform import Platform
from imagerag_assets.lineage.trace import trace_tree
from imagerag_assets.questions.answer_record import AnswerRecord, RecordedCue
from imagerag_assets.questions.answer_records import answer_folder, evidence_key, kept_outlines
from imagerag_assets.raster.geo import box_geometry
from imagerag_assets.scenes.records import find_record

if TYPE_CHECKING:
    import geopandas
    from PIL import Image
    from shapely.geometry.base import BaseGeometry

COLUMNS = (
    "rank", "phrase", "confidence", "verdict", "scene", "item", "date", "x0", "y0", "x1", "y1", "patch_id", "record",
)  # fmt: skip
"""Of the table of cues, before ``geometry``."""


class Cue:
    """A place in a scene that an answer stands on, or that was found."""

    def __init__(self, cue: RecordedCue, record: AnswerRecord, platform: Platform) -> None:
        self._cue, self._record, self._platform = cue, record, platform

    @property
    def rank(self) -> int:
        """From 1, the best first."""
        return self._cue.rank

    @property
    def phrase(self) -> str:
        """What was looked for."""
        return self._cue.phrase

    @property
    def confidence(self) -> float:
        """0 to 1."""
        return self._cue.confidence

    @property
    def verdict(self) -> str:
        """``confirmed``, ``rejected`` or ``unchecked``."""
        return self._cue.verdict

    @property
    def scene(self) -> str:
        """Key of its scene."""
        return self._cue.scene

    @property
    def item(self) -> str | None:
        """Id of the scene's STAC item; None: the scene is no longer here."""
        try:
            found = find_record(self._platform, self.scene)
        except StoreError:
            return None
        return None if found is None else found.scene.item_id

    @property
    def date(self) -> str | None:
        """When the scene was acquired, ISO 8601; None: not known."""
        return self._record.lineage.acquired.get(self.scene)

    @property
    def window(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 in native pixels, half-open."""
        return self._cue.window

    @property
    def bbox(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north in degrees; None: the scene has no place on the ground."""
        return self._cue.bbox

    @property
    def patch_id(self) -> str:
        """Id of its patch, which `Installation.find_like` takes."""
        return self._cue.patch_id

    @property
    def answer_id(self) -> str:
        """Id of the record that has it."""
        return self._record.answer_id

    def picture(self) -> Image.Image:
        """Return what was seen there, RGB, as it is kept with the answer.

        Raises:
            StoreError: It is not there any more.
        """
        return _picture(self._platform, evidence_key(self._record.answer_id, self.rank))

    def to_dict(self) -> dict[str, Any]:
        """Return it as in ``imagerag ask --json``."""
        return self._cue.to_dict()

    def __repr__(self) -> str:
        what = f"{self.rank}, {self.phrase!r}, {self.confidence:.2f}, {self.verdict}"
        return f"Cue({what}, {self.scene!r}, {self.window})"


class Cues(Sequence[Cue]):
    """Cues, the best first."""

    def __init__(self, cues: Iterable[Cue]) -> None:
        self._cues = tuple(cues)

    def to_geodataframe(self) -> geopandas.GeoDataFrame:
        """Return a table with a row for each cue and its outline as geometry, in EPSG:4326.

        Columns: ``rank``, ``phrase``, ``confidence``, ``verdict``, ``scene``, ``item``, ``date`` (ISO 8601), ``x0``,
        ``y0``, ``x1``, ``y1`` (native pixels), ``patch_id`` and ``record`` (the answer's id).  All are texts and
        numbers, so that the table can be written to any format and put on a leafmap.  A cue of a scene without a place
        on the ground has no geometry, only its pixels; ``table.dropna(subset="geometry")`` leaves it out.
        """
        import geopandas

        items = {each.scene: each.item for each in reversed(self._cues)}
        rows = [
            {
                "rank": each.rank,
                "phrase": each.phrase,
                "confidence": each.confidence,
                "verdict": each.verdict,
                "scene": each.scene,
                "item": items[each.scene],
                "date": each.date,
                **dict(zip(("x0", "y0", "x1", "y1"), each.window, strict=True)),
                "patch_id": each.patch_id,
                "record": each.answer_id,
            }
            for each in self._cues
        ]
        stored = {each.answer_id: kept_outlines(each._platform, each.answer_id) for each in self._cues}
        outlines = [_outline(each, stored[each.answer_id].get(each.rank)) for each in self._cues]
        return geopandas.GeoDataFrame(rows, columns=list(COLUMNS), geometry=outlines, crs="EPSG:4326")

    @overload
    def __getitem__(self, index: int) -> Cue: ...
    @overload
    def __getitem__(self, index: slice) -> Cues: ...
    def __getitem__(self, index: int | slice) -> Cue | Cues:
        return Cues(self._cues[index]) if isinstance(index, slice) else self._cues[index]

    def __len__(self) -> int:
        return len(self._cues)

    def __repr__(self) -> str:
        return f"Cues({list(self._cues)!r})"


class Answer:
    """An answer with its evidence, as it is stored."""

    def __init__(self, record: AnswerRecord, platform: Platform) -> None:
        self.record = record
        """Everything that is kept of it."""
        self._platform = platform

    @property
    def id(self) -> str:
        """Its id, for `imagerag trace`, `imagerag replay` and follow-ups."""
        return self.record.answer_id

    @property
    def question(self) -> str:
        """What was asked."""
        return self.record.question

    @property
    def text(self) -> str:
        """The answer in words; empty if only cues were asked for."""
        return self.record.answer or ""

    @property
    def choice(self) -> str | None:
        """Letter of the choice; None: there were no choices, or none was taken."""
        return self.record.choice

    @property
    def confidence(self) -> float | None:
        """0 to 1; None: none is given."""
        return self.record.confidence

    @property
    def outcome(self) -> str | None:
        """``found``, ``not_found``, ``unrecognised``, ``rejected`` or ``mixed``; None: an older record."""
        return self.record.outcome

    @property
    def results(self) -> tuple[dict[str, Any], ...]:
        """What was computed for each part of the question."""
        return self.record.result

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        return self.record.notes

    @property
    def cues(self) -> Cues:
        """The places that it stands on, the best first."""
        return Cues(Cue(each, self.record, self._platform) for each in self.record.cues)

    def picture(self) -> Image.Image:
        """Return the scene with the cues outlined and numbered, RGB.

        Raises:
            StoreError: It is not there any more.
        """
        return _picture(self._platform, f"{answer_folder(self.id)}/evidence/overview.jpg")

    def trace(self) -> dict[str, Any]:
        """Return its lineage: ``{"kind", "label", "detail", "children"}``, down to the items of its scenes.

        Raises:
            StoreError: The store cannot be read.
        """
        return trace_tree(self._platform, self.id)

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``imagerag ask --json`` prints it."""
        return self.record.to_dict()

    def __repr__(self) -> str:
        return f"Answer({self.id!r}, {self.text!r})"

    def _repr_markdown_(self) -> str:
        """Return how a notebook shows it."""
        said = f" ({self.choice})" if self.choice else ""
        sure = "" if self.confidence is None else f", confidence {self.confidence:.2f}"
        return f"**{markdown(self.question)}** {markdown(self.text)}{said} *({len(self.cues)} cues{sure})*"


def _picture(platform: Platform, key: str) -> Image.Image:
    from PIL import Image

    return Image.open(io.BytesIO(platform.store.read_bytes(key))).convert("RGB")


def _outline(cue: Cue, kept: Mapping[str, Any] | None) -> BaseGeometry | None:
    """Return a cue's outline in lon/lat: as kept with the answer, or its box; None without a place on the ground."""
    from shapely.geometry import shape

    if cue.bbox is None:
        return None
    return shape(kept) if kept else box_geometry(*cue.bbox)
