"""Cut examples of a concept from what a person points at: cues of an answer, boxes, patches or picture files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from imagerag_assets.concepts.crops import Crop, Window, crop_of_file, crop_of_scene
from imagerag_assets.concepts.types import Origin
from imagerag_assets.errors import ConceptError, RasterError, StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving, find_serving
from imagerag_assets.questions.answer_record import AnswerRecord, RecordedCue
from imagerag_assets.questions.answer_records import evidence_key, load_answer
from imagerag_assets.scenes.reading import open_reader
from imagerag_assets.scenes.records import find_record, load_record


def crops_of_cues(platform: Platform, answer_id: str, ranks: Sequence[int] = ()) -> list[Crop]:
    """Cut cues of an answer: those of these ranks, or all.

    A cue whose scene can no longer be read is taken from the answer's own picture of it.

    Raises:
        UnknownAnswerError: there is no such answer.
        ConceptError: it has no such cue, or none at all.
        StoreError: a store failed.
    """
    record = load_answer(platform, answer_id)
    by_rank = {cue.rank: cue for cue in record.cues}
    if not by_rank:
        raise ConceptError("The answer has no cues", fix="Show a box with --scene and --box", answer=answer_id)
    for rank in ranks:
        if rank not in by_rank:
            raise ConceptError(
                f"The answer has no cue {rank}", fix=f"It has cues 1 to {max(by_rank)}", answer=answer_id
            )
    return [_of_cue(platform, record, by_rank[rank]) for rank in dict.fromkeys(ranks or by_rank)]


def crop_of_box(platform: Platform, scene: str, box: Window, origin: Origin | None = None) -> Crop:
    """Cut a box of a scene, in native pixels.

    Raises:
        UnknownSceneError: there is no such scene.
        ConceptError: the box is empty, outside the scene, or holds hardly any data.
        RasterError: the scene cannot be read.
    """
    record = load_record(platform, scene)
    serving = _in_use(platform)
    settings = platform.settings if serving is None else serving.platform.settings
    with open_reader(settings, record, build_overviews=False) as reader:
        about = origin or Origin(kind="box")
        return crop_of_scene(record, reader.read, box, patch_px=settings.patch_px, origin=about)


def crop_of_patch(platform: Platform, patch_id: str) -> Crop:
    """Cut a patch by its id.

    Raises:
        ConceptError: there is no such patch.
        RasterError: its scene cannot be read.
        StoreError: Milvus fails.
    """
    serving = _in_use(platform)
    rows = serving.platform.vectors.get_rows(serving.collection, [patch_id]) if serving is not None else []
    if not rows:
        raise ConceptError("There is no such patch", fix="Take the patch_id of a cue", patch=patch_id[:200])
    row = rows[0]
    box = int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"])
    record = load_record(platform, row["scene_key"])
    inside = box[0], box[1], min(box[2], record.grid.width), min(box[3], record.grid.height)
    return crop_of_box(platform, row["scene_key"], inside, Origin(kind="patch", patch=patch_id))


def crops_of_files(files: Sequence[Path]) -> list[Crop]:
    """Read picture files as examples.

    Raises:
        ConceptError: one cannot be read.
    """
    return [crop_of_file(file) for file in files]


def _in_use(platform: Platform) -> Serving | None:
    """Return what answers questions; None before the first ingest."""
    return find_serving(platform, orphaned=True) if platform.has_vectors else None


def _of_cue(platform: Platform, record: AnswerRecord, cue: RecordedCue) -> Crop:
    origin = Origin(kind="cue", answer=record.answer_id, patch=cue.patch_id)
    found = find_record(platform, cue.scene)
    if found is not None:
        x0, y0, x1, y1 = cue.window
        inside = max(0, x0), max(0, y0), min(x1, found.grid.width), min(y1, found.grid.height)
        try:
            return crop_of_box(platform, cue.scene, inside, origin)
        except RasterError:
            pass
    key = evidence_key(record.answer_id, cue.rank)
    try:
        with Image.open(io.BytesIO(platform.store.read_bytes(key))) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (StoreError, OSError, ValueError):
        raise ConceptError(
            f"Cue {cue.rank} can no longer be read: its scene is gone, and so is its picture",
            fix="Show another cue, or a picture file",
            scene=cue.scene,
        ) from None
    about = origin.model_copy(update={"scene": cue.scene, "window": cue.window, "bbox": cue.bbox})
    return Crop(pixels, about)
