"""Answer records: stored whole, found by id, and traced down to items that may be gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import StoreError, UnknownAnswerError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.lineage.trace import trace_tree
from imagerag_assets.questions.answer_record import RECORD_VERSION, AnswerRecord
from imagerag_assets.questions.answer_records import (
    answer_folder,
    list_answers,
    load_answer,
    new_answer_id,
    read_answers,
    record_key,
    save_answer,
)
from imagerag_assets.settings import Settings
from tests.answers import answer_record

RECORDS = sorted((Path(__file__).parents[2] / "data" / "answers").glob("*.json"))
"""Written by imagerag-assets 0.1, before records had a version."""


def record(answer_id: str) -> AnswerRecord:
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
    return AnswerRecord.model_validate(
        {
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
    )


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
        assert load_answer(platform, first.answer_id) == first
        assert list_answers(platform) == [first.answer_id]
        with pytest.raises(UnknownAnswerError, match="no such answer"):
            load_answer(platform, "20000101T000000-00000000")


def test_the_tree_names_everything_that_made_an_answer(settings: Settings) -> None:
    with Platform(settings) as platform:
        one = record(new_answer_id())
        save_answer(platform, one)
        tree = trace_tree(platform, one.answer_id)
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


def test_there_are_records_of_every_kind() -> None:
    assert {file.stem for file in RECORDS} >= {"choices", "area", "follow_up", "like", "oracle", "paper", "failed"}


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_a_record_of_the_first_version_is_read_and_written_back_byte_for_byte(file: Path, settings: Settings) -> None:
    data = file.read_bytes()
    given = json.loads(data)
    with Platform(settings) as platform:
        platform.store.write_bytes(record_key(given["answer_id"]), data)
        read = load_answer(platform, given["answer_id"])
        save_answer(platform, read)
        assert platform.store.read_bytes(record_key(read.answer_id)) == data
    assert read.record_version == 1
    assert AnswerRecord.model_validate_json(read.model_dump_json()) == read
    assert (read.question, len(read.cues)) == (given["question"], len(given["cues"]))
    assert read.asked().options() == given["options"]
    assert (read.error is None) == ("error" not in given)


def test_what_a_later_version_adds_is_kept() -> None:
    later = answer_record(record_version=RECORD_VERSION + 1, plan=[{"kind": "count"}], cues=[{"verdict": "confirmed"}])
    assert later.to_dict()["plan"] == [{"kind": "count"}]
    assert later.to_dict()["cues"][0]["verdict"] == "confirmed"
    assert AnswerRecord.model_validate(later.to_dict()).to_dict() == later.to_dict()


def test_what_is_read_cannot_be_changed_by_what_was_given_out() -> None:
    kept = answer_record(phrases=["ship"])
    kept.to_dict()["phrases"].append("pier")
    assert kept.to_dict()["phrases"] == ["ship"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "Not valid JSON"),
        (b"[]", "The answer's record cannot be read (record: "),
        (b"{}", "The answer's record cannot be read (answer_id: field required)"),
        (json.dumps(answer_record().to_dict() | {"lineage": {"scenes": {}}}).encode(), "lineage.fingerprint: field"),
    ],
    ids=["no JSON", "a list", "empty", "no fingerprint"],
)
def test_an_unreadable_record_is_one_line_and_lists_skip_it(content: bytes, says: str, settings: Settings) -> None:
    good, bad, notes = answer_record(), "20260504T103001-00000000", list[str]()
    with Platform(settings) as platform:
        save_answer(platform, good)
        platform.store.write_bytes(record_key(bad), content)
        with pytest.raises(StoreError) as raised:
            load_answer(platform, bad)
        assert says in str(raised.value)
        assert bad in str(raised.value)
        assert "\n" not in str(raised.value)
        ids = list_answers(platform)
        assert list(read_answers(platform, ids, notes)) == [good]
    assert ids == [good.answer_id, bad]
    assert len(notes) == 1
    assert bad in notes[0]
