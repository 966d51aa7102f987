"""The part of a scene that a question names, as a filter and a check of patches: by pixels and by the compass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rasterio.transform import Affine, from_origin

from imagerag_assets.ingestion.ingest import embed, index, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.plans.regions import Region, regions_of
from imagerag_assets.questions import scope as parts
from imagerag_assets.questions.cues import find_cues, search_of
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.scope import scope_of
from imagerag_assets.retrieval.calibration import load_calibration
from imagerag_assets.retrieval.phrases import analyse_question
from tests.items import scene_at, texture, write_scene

NORTH_UP = {"transform": from_origin(500_000, 5_300_000, 0.5, 0.5)}
# South is up and east is left: a scene turned by half.
TURNED = {"transform": Affine(-0.5, 0, 500_416, 0, 0.5, 5_299_584)}
ANYWHERE = {"crs": None, "transform": None}


def region(text: str) -> Region:
    return regions_of(f"in the {text}")[0]


def ingest(platform: Platform, folder: Path, name: str, profile: dict[str, object], px: int = 832) -> None:
    scene = scene_at(write_scene(folder, name, texture(px, px), profile=profile), platform.settings)
    register(platform, scene)
    embed(platform, name)
    index(platform, name)


def found(platform: Platform, question: Question) -> set[tuple[str, tuple[int, int, int, int]]]:
    """Where the cues of a question are; every patch that may be one is."""
    serving = find_serving(platform)
    assert serving is not None
    analysis = replace(
        analyse_question(question.question, {}, max_phrases=5, sentences=None), wants_all=True, phrases=("ship",)
    )
    used = load_calibration(platform.store, serving.target.fingerprint, serving.target.recipe.division_name)
    with Viewer(platform) as viewer:
        scoped = search_of(serving, question, analysis, viewer, used)
        cues = find_cues(serving, question, analysis, viewer, scoped).cues
    return {(cue.scene, cue.window) for cue in cues}


@pytest.fixture
def loose(platform: Platform) -> Platform:
    """Everything passes, and windows stay where patches are."""
    return platform.using(min_confidence=0.0, second_look=0)


def middles(cues: set[tuple[str, tuple[int, int, int, int]]], scene: str) -> set[tuple[bool, bool]]:
    """Whether cues of a scene lie in its right and its lower half."""
    return {((w[0] + w[2]) / 2 >= 416, (w[1] + w[3]) / 2 >= 416) for key, w in cues if key == scene}


def test_cues_come_from_the_part_only(loose: Platform, tmp_path: Path) -> None:
    ingest(loose, tmp_path, "plain", NORTH_UP)
    ingest(loose, tmp_path, "turned", TURNED)
    everywhere = found(loose, Question("How many ships are there?"))
    assert len(middles(everywhere, "plain")) == len(middles(everywhere, "turned")) == 4
    upper_left = found(loose, Question("How many ships are in the upper left?"))
    assert middles(upper_left, "plain") == middles(upper_left, "turned") == {(False, False)}
    north_east = found(loose, Question("How many ships are in the north-east?"))
    assert middles(north_east, "plain") == {(True, False)}
    assert middles(north_east, "turned") == {(False, True)}
    # One cue that must be in the part, however good others are.
    assert middles(found(loose, Question("Is there a ship in the lower right?", top_k=1)), "plain") <= {(True, True)}


def test_a_scene_without_a_place_has_north_above(loose: Platform, tmp_path: Path) -> None:
    ingest(loose, tmp_path, "nowhere", ANYWHERE)
    assert middles(found(loose, Question("How many ships are in the south-west?")), "nowhere") == {(False, True)}


def test_the_filter_has_a_clause_a_scene_unless_there_are_too_many(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, profile in (("a", NORTH_UP), ("b", TURNED)):
        register(platform, scene_at(write_scene(tmp_path, name, texture(768, 768), profile=profile), platform.settings))
    with Viewer(platform) as viewer:
        where = scope_of(platform, Question("?"), region("upper left"), viewer).where.expression
        assert where.count("scene_key in") == where.count("x0 < 384") == 2
        assert "west <=" in scope_of(platform, Question("?"), region("north"), viewer).where.expression
        assert (
            scope_of(platform, Question("?", scenes=("a",)), None, viewer).where == Question("?", scenes=("a",)).scope
        )
        monkeypatch.setattr(parts, "MAX_SCENES", 1)
        wide = scope_of(platform, Question("?"), region("upper left"), viewer)
    assert not wide.where
    assert wide.keep is not None
    assert wide.keep("a", (0, 0, 128, 128))
    assert not wide.keep("a", (600, 600, 728, 728))
    assert "--scene" in wide.notes[-1]
