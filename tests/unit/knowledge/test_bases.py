from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.knowledge.bases import build_knowledge
from imagerag_assets.knowledge.search import open_knowledge
from imagerag_assets.knowledge.types import read_current
from tests.items import scene_at, texture, write_scene


def test_what_questions_use_is_renewed_with_what_is_wanted(tmp_path: Path, platform: Platform) -> None:
    for label, red in {"pond": 30, "turbine": 200}.items():
        (tmp_path / "chips" / label).mkdir(parents=True)
        Image.fromarray(np.full((64, 64, 3), red, np.uint8)).save(tmp_path / "chips" / label / "0.png")
    ingest_scene(platform, scene_at(write_scene(tmp_path, "bay", texture(200, 300)), platform.settings))
    first = build_knowledge(platform, "labels", str(tmp_path / "chips"))
    assert platform.vectors.alias_target("knowledge_labels") == first.collection

    wanted = platform.using("tiny-other")
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "chips" / "pond" / "1.png")
    second = build_knowledge(wanted, "labels", str(tmp_path / "chips"))
    assert second.collection != first.collection
    assert platform.vectors.alias_target("knowledge_labels") == first.collection
    for asked in (platform, wanted):
        live = open_knowledge(asked, "knowledge_labels")
        assert live is not None
        assert (live.version, live.exemplars) == (second.version, 3)
        assert read_current(asked.store, "knowledge_labels", asked.fingerprint) == live
