"""Answer records: stored whole, found by id, and traced down to items that may be gone."""

from __future__ import annotations

from typing import Any

import pytest

from imagerag_assets.errors import UnknownAnswerError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.lineage.trace import trace_tree
from imagerag_assets.questions.answer_records import (
    answer_folder,
    list_answers,
    load_answer,
    new_answer_id,
    save_answer,
)
from imagerag_assets.settings import Settings


def record(answer_id: str) -> dict[str, Any]:
    cue = {
        "patch_id": "gone:pyramid:0:1:2",
        "scene": "gone",
        "window": [0, 0, 256, 256],
        "bbox": None,
        "level": 0,
        "phrase": "ship",
        "score": 0.3,
        "confidence": 0.9,
        "rank": 1,
    }
    return {
        "answer_id": answer_id,
        "question": "Where?",
        "answer": "upper left",
        "choice": "A",
        "path": "fast",
        "abstained": False,
        "phrases": ["ship"],
        "cues": [cue],
        "lineage": {
            "fingerprint": "f" * 64,
            "collection": "patches_f",
            "scenes": {"gone": "e1"},
            "calibration": "c",
            "knowledge": {"knowledge_labels": "v1"},
            "mllm": {"name": "m", "revision": "r"},
            "prompt_sha256": "p",
            "version": "0",
        },
    }


def test_ids_are_new_sort_by_time_and_are_safe_as_folders() -> None:
    ids = [new_answer_id() for _ in range(50)]
    assert len(set(ids)) == 50
    assert all(answer_folder(i) == f"answers/{i}" for i in ids)


@pytest.mark.parametrize("bad", ["", "../secret", "20260504T103000-XYZ", "20260504T103000-1f2e3d4c/../.."])
def test_what_is_no_id_never_becomes_a_path(bad: str, settings: Settings) -> None:
    with Platform(settings) as platform, pytest.raises(UnknownAnswerError, match="not an answer id"):
        load_answer(platform, bad)


def test_records_come_back_and_are_listed(settings: Settings) -> None:
    with Platform(settings) as platform:
        first = record(new_answer_id())
        save_answer(platform, first)
        assert load_answer(platform, first["answer_id"]) == first
        assert list_answers(platform) == [first["answer_id"]]
        with pytest.raises(UnknownAnswerError, match="no such answer"):
            load_answer(platform, "20000101T000000-00000000")


def test_the_tree_names_everything_that_made_an_answer(settings: Settings) -> None:
    with Platform(settings) as platform:
        one = record(new_answer_id())
        save_answer(platform, one)
        tree = trace_tree(platform, one["answer_id"])
    kinds: list[str] = []

    def walk(node: dict[str, Any]) -> None:
        kinds.append(node["kind"])
        for child in node["children"]:
            walk(child)

    walk(tree)
    assert set(kinds) >= {
        "answer",
        "question",
        "retrieval",
        "cue",
        "patch",
        "scene",
        "encoder",
        "collection",
        "knowledge",
        "model",
    }
    cue = next(child for child in tree["children"] if child["kind"] == "retrieval")["children"][0]
    scene = cue["children"][0]["children"][0]
    assert scene["detail"] == {"etag": "e1", "now": "no longer stored"}
