from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from imagerag_assets.questions.question import Question
from imagerag_assets.questions.visible import seen_at, without_too_small
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.types import Cue, Retrieval


def cue(phrase: str, scene: str, rank: int) -> Cue:
    return Cue(f"{scene}:pyramid:0:0:{rank}", scene, (0, 0, 64, 64), None, 0, phrase, 0.3, 0.9, rank, "fast")


@pytest.mark.parametrize(("phrase", "metres"), [("car", 2.5), ("cars", 2.5), ("red car", 2.5), ("golf course", None)])
def test_up_to_which_ground_distance_a_thing_can_be_seen(phrase: str, metres: float | None) -> None:
    assert seen_at(phrase) == metres


@pytest.mark.parametrize(
    ("distances", "kept", "too_small"),
    [
        ({"fine": 0.3, "coarse": 10.0}, [("car", "fine", 1), ("river", "coarse", 2)], {}),
        ({"coarse": 10.0}, [("river", "coarse", 1)], {"car": 10.0}),
        ({"fine": None, "coarse": None}, [("car", "fine", 1), ("car", "coarse", 2), ("river", "coarse", 3)], {}),
    ],
)
def test_cues_of_what_a_scene_is_too_coarse_for_are_left_out(
    distances: dict[str, float | None], kept: list[tuple[str, str, int]], too_small: dict[str, float]
) -> None:
    cues = [cue("car", "fine", 1), cue("car", "coarse", 2), cue("river", "coarse", 3)]
    cues = [each for each in cues if each.scene in distances]
    platform = cast(Any, SimpleNamespace(ground_distances=SimpleNamespace(of=lambda scenes: distances)))
    analysis = Analysis("Are there cars?", ("car", "river"), "presence", True)
    found = without_too_small(platform, Question("Are there cars?"), analysis, Retrieval(tuple(cues), "fast", False))
    assert [(each.phrase, each.scene, each.rank) for each in found.cues] == kept
    assert dict(found.too_small) == too_small
    assert found.unrecognised == set(too_small)
    assert [note for note in found.notes if "too small" in note] == [
        f"{phrase!r} is too small to be seen at 10 m a pixel" for phrase in too_small
    ]
