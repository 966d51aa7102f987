"""The imagery of an answer: its scenes with the boxes of the cues, and the cues' pictures, small enough for a page."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from PIL import Image

from imagerag_assets.errors import ImageRAGError, StoreError
from imagerag_assets.objects.store import HasStore
from imagerag_assets.pages.ground import metres_at, place_on_page
from imagerag_assets.pages.views import AnswerView, CueView, SceneFacts
from imagerag_assets.plans.whereabouts import metres
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import answer_folder, evidence_key
from imagerag_assets.scenes.ground import pixel_size_m
from imagerag_assets.scenes.records import SceneRecord, find_record, overview_key

MAX_SCENES = 6
"""Scenes shown on a page at most."""


@dataclass(frozen=True)
class Fidelity:
    """How finely pictures are shown."""

    scene_px: int
    """Longest side of a scene."""
    cue_px: int
    """Longest side of a cue."""
    quality: int
    """Of JPEG."""


FINEST = Fidelity(1600, 512, 88)
STEPS = (FINEST, Fidelity(1280, 384, 82), Fidelity(1024, 256, 78), Fidelity(800, 160, 72), Fidelity(640, 112, 62))
"""From fine to coarse."""


@dataclass(frozen=True)
class SceneView:
    """A scene to move and zoom, with the cues' boxes."""

    key: str
    title: str
    day: str
    size: str
    """Pixels, and the ground that they cover, in words."""
    crs: str
    width: int
    height: int
    """In native pixels; of a scene that is no longer stored, of its picture."""
    place: str
    """What the script needs (`ground.place_on_page`), as JSON."""
    jpeg: bytes
    """Its picture as it is stored."""
    boxes: tuple[CueView, ...]
    """Cues in it; empty where the picture has their boxes drawn in."""
    note: str = ""
    """What to know of the picture."""
    picture: str = ""
    """The same as a `data:` address, once that is made."""
    details: bool = True
    """Whether the cues' pictures show just their windows, so that they may be laid over the scene."""

    @property
    def em(self) -> float:
        """Size of the numbers of boxes before a script knows better, in native pixels."""
        return round(max(self.width, self.height) / 45, 1)

    def at(self, fidelity: Fidelity) -> SceneView:
        """Return it with its picture, so finely; what cannot be read has none."""
        return replace(self, picture=data_url(self.jpeg, fidelity.scene_px, fidelity.quality) or "")


@dataclass(frozen=True)
class Imagery:
    """All pictures of an answer."""

    scenes: tuple[SceneView, ...]
    jpegs: Mapping[int, bytes]
    """Of the cues by rank, as they are stored."""
    pictures: Mapping[int, str] = field(default_factory=dict)
    """The same as `data:` addresses."""
    more_scenes: int = 0
    """Scenes with cues that are not shown."""

    @property
    def size(self) -> int:
        """Characters that the pictures take on a page."""
        return sum(len(scene.picture) for scene in self.scenes) + sum(map(len, self.pictures.values()))

    def at(self, fidelity: Fidelity) -> Imagery:
        """Return it with its pictures, so finely; what cannot be read has none."""
        scenes = [scene.at(fidelity) for scene in self.scenes]
        shown = {rank: data_url(jpeg, fidelity.cue_px, fidelity.quality) for rank, jpeg in self.jpegs.items()}
        return replace(self, scenes=tuple(scenes), pictures={rank: url for rank, url in shown.items() if url})

    def fitting(self, most: int) -> Imagery:
        """Return it with pictures as fine as they may be, if they may take so many characters.

        Where the coarsest are too large, those of the last cues are left out.
        """
        made = self
        for step in STEPS:
            made = self.at(step)
            if made.size <= most:
                return made
        pictures = dict(made.pictures)
        while pictures and replace(made, pictures=pictures).size > most:
            del pictures[max(pictures)]
        return replace(made, pictures=pictures)


class Scenes:
    """The scenes of an answer as they are stored now."""

    def __init__(self, platform: HasStore, record: AnswerRecord) -> None:
        """Read their records.  What is damaged or gone is left out."""
        self._platform, self._answer = platform, record
        self.keys = _scenes_of(record)
        self.records: dict[str, SceneRecord] = {}
        for key in self.keys:
            try:
                found = find_record(platform, key)
            except ImageRAGError:
                found = None
            if found is not None:
                self.records[key] = found

    def facts(self) -> dict[str, SceneFacts]:
        """Return what cards say of the scenes, by key."""
        return {key: self._facts(key, record) for key, record in self.records.items()}

    def is_as_asked(self, key: str) -> bool:
        """Whether a scene is stored in the version that was asked about."""
        asked = self._answer.lineage.scenes.get(key)
        return key in self.records and asked in (None, self.records[key].scene.version)

    def _facts(self, key: str, record: SceneRecord) -> SceneFacts:
        at = {}
        if self.is_as_asked(key):
            at = {cue.rank: metres_at(record.grid, cue.window) for cue in self._answer.cues if cue.scene == key}
        return SceneFacts(title=title_of(record), day=day_of(record), metres=at)


def title_of(record: SceneRecord) -> str:
    """Return what people call a scene: the item's title, else its key."""
    title = record.scene.properties.get("title")
    return " ".join(title.split())[:120] if isinstance(title, str) and title.strip() else record.scene.scene_key


def day_of(record: SceneRecord) -> str:
    """Return the day of a scene, or its days; empty: not known."""
    days = [moment.date().isoformat() for moment in (record.scene.acquired_at, record.scene.acquired_until) if moment]
    return " to ".join(dict.fromkeys(days))


def size_of(record: SceneRecord) -> str:
    """Return a scene's size in words: "3,960 × 3,413 pixels of 0.30 m, 1.19 km × 1.02 km"."""
    grid = record.grid
    pixels = f"{grid.width:,} × {grid.height:,} pixels"
    size = pixel_size_m(grid)
    if size is None:
        return pixels
    across, down = grid.width * size[0], grid.height * size[1]
    sides = f"{across / 1000:.3g} km × {down / 1000:.3g} km" if max(across, down) >= 1000 else (
        f"{metres(across)} × {metres(down)}"
    )  # fmt: skip
    return f"{pixels} of {size[1]:.2g} m, {sides}"


def imagery_of(platform: HasStore, scenes: Scenes, record: AnswerRecord, view: AnswerView) -> Imagery:
    """Return the pictures of an answer as they are stored.  Those that are gone are left out.

    Args:
        platform: Whose store.
        scenes: The answer's scenes.
        record: The answer's record.
        view: The same as a page shows it.
    """
    found = {cue.rank: _stored(platform, evidence_key(record.answer_id, cue.rank)) for cue in view.cues}
    shown = [_scene_of(platform, scenes, record, view, key) for key in scenes.keys[:MAX_SCENES]]
    return Imagery(
        scenes=tuple(scene for scene in shown if scene is not None),
        jpegs={rank: jpeg for rank, jpeg in found.items() if jpeg},
        more_scenes=max(0, len(scenes.keys) - MAX_SCENES),
    )


def data_url(jpeg: bytes, longest: int, quality: int) -> str | None:
    """Return a JPEG as a `data:` address, made smaller where it is larger than asked; None: it is no picture."""
    try:
        with Image.open(io.BytesIO(jpeg)) as opened:
            opened.load()
            if max(opened.size) > longest or quality < FINEST.quality:
                small = opened.convert("RGB")
                small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
                buffer = io.BytesIO()
                small.save(buffer, "JPEG", quality=quality, optimize=True)
                jpeg = buffer.getvalue()
    except (OSError, Image.DecompressionBombError):
        return None
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def _scenes_of(record: AnswerRecord) -> list[str]:
    """Return the scenes to show: those compared, else those with cues, the best first; without cues the one shown."""
    if record.change:
        return list(dict.fromkeys((record.change.before.scene, record.change.after.scene)))
    with_cues = list(dict.fromkeys(cue.scene for cue in sorted(record.cues, key=lambda cue: cue.rank)))
    return with_cues or ([record.scene] if record.scene else [])


def scene_view(
    platform: HasStore, record: SceneRecord, boxes: Sequence[CueView] = (), *, details: bool = True
) -> SceneView | None:
    """Return a registered scene to move and zoom; None: its picture is gone.

    Args:
        platform: Whose store.
        record: Of the scene.
        boxes: The cues in it.
        details: Whether the cues' pictures show just their windows.
    """
    jpeg = _stored(platform, overview_key(record.scene.scene_key))
    if jpeg is None:
        return None
    place = place_on_page(record.grid)
    return SceneView(
        key=record.scene.scene_key,
        title=title_of(record),
        day=day_of(record),
        size=size_of(record),
        crs=place["crs"] or "",
        width=record.grid.width,
        height=record.grid.height,
        place=json.dumps(place, separators=(",", ":")),
        jpeg=jpeg,
        boxes=tuple(boxes),
        details=details,
    )


def _scene_of(platform: HasStore, scenes: Scenes, record: AnswerRecord, view: AnswerView, key: str) -> SceneView | None:
    if scenes.is_as_asked(key):
        boxes = [cue for cue, of in zip(view.cues, record.cues, strict=False) if of.scene == key]
        found = scene_view(platform, scenes.records[key], boxes, details=record.change is None)
        if found is not None:
            return found
    return _as_answered(platform, record, key)


def _as_answered(platform: HasStore, record: AnswerRecord, key: str) -> SceneView | None:
    """Return the picture that was kept with the answer, which has the boxes drawn in."""
    kept = f"{answer_folder(record.answer_id)}/evidence/overview.jpg"
    jpeg = _stored(platform, kept) if key == record.scene else None
    if jpeg is None:
        return None
    try:
        with Image.open(io.BytesIO(jpeg)) as opened:
            width, height = opened.size
    except (OSError, Image.DecompressionBombError):
        return None
    place = {"size": [width, height], "pixel_m": None, "lon": None, "lat": None, "crs": None, "transform": None}
    return SceneView(
        key=key,
        title=key,
        day=(record.lineage.acquired.get(key) or "")[:10],
        size="",
        crs="",
        width=width,
        height=height,
        place=json.dumps(place),
        jpeg=jpeg,
        boxes=(),
        note="The scene has changed or is gone: this is the picture that was kept with the answer.",
        details=False,
    )


def _stored(platform: HasStore, key: str) -> bytes | None:
    try:
        return platform.store.read_bytes(key) if platform.store.exists(key) else None
    except StoreError:
        return None


def with_pictures(view: AnswerView, pictures: Mapping[int, str]) -> AnswerView:
    """Return a view whose cues have these pictures."""
    cues: Sequence[CueView] = [replace(cue, picture=pictures.get(cue.rank)) for cue in view.cues]
    return replace(view, cues=tuple(cues))
