"""Evidence: pictures of scenes that are read without building anything, and nothing left of an earlier try."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from imagerag_assets.ingestion.ingest import register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.evidence import Viewer, picture_of, remove_other_evidence, store_evidence
from imagerag_assets.scenes.reading import clear_overviews, overview_scratch
from tests.items import scene_at, texture, write_scene

SIDE = 1536


def test_a_question_builds_no_overviews_of_a_large_file_without_any(platform: Platform, tmp_path: Path) -> None:
    pixels = texture(SIDE, SIDE)
    small = platform.settings.model_copy(update={"supertile_px": 512})  # 1536 x 1536 px is a large file then
    with Platform(small) as opened:
        register(opened, scene_at(write_scene(tmp_path, "large", pixels), small))
        clear_overviews(small, "large")  # registering the scene needed some
        with Viewer(opened) as viewer:
            native, note = picture_of(viewer, "large", (0, 0, 128, 128))
            assert note is None
            assert np.array_equal(np.asarray(native), np.moveaxis(pixels[:, :128, :128], 0, -1))
            coarse, note = picture_of(viewer, "large", (0, 0, 640, 640))
            assert note is None  # few enough pixels to be averaged as they are
            assert coarse.width < 640
            whole, note = picture_of(viewer, "large", (0, 0, SIDE, SIDE))
            assert note is not None
            assert "no overviews" in note
            assert whole.size == viewer.overview("large").size
        assert not overview_scratch(small, "large").exists()


def test_evidence_of_an_earlier_try_goes_when_another_stands(platform: Platform, tmp_path: Path) -> None:
    register(platform, scene_at(write_scene(tmp_path, "one", texture(200, 300)), platform.settings))
    folder, picture = "answers/20260504T103000-1f2e3d4c", Image.new("RGB", (8, 8))
    with Viewer(platform) as viewer:
        store_evidence(platform, viewer, folder, "one", (), {1: picture, 2: picture})
        platform.store.write_bytes(f"{folder}/prompt.txt", b"of the earlier try")
        platform.store.write_bytes(f"{folder}/answer.json", b"{}")
        written = store_evidence(platform, viewer, folder, "one", (), {1: picture})
    assert len(platform.store.list(folder)) == 6
    remove_other_evidence(platform, folder, written)
    left = [key.removeprefix(f"{folder}/") for key in platform.store.list(folder)]
    assert left == ["answer.json", "cues.geojson", "evidence/cue-1.jpg", "evidence/overview.jpg"]
