"""Follow-up questions: what they take from a former answer, and what they say themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.cli import main
from imagerag_assets.plans.plan import PartOfScene, Plan
from imagerag_assets.plans.understand import understand
from imagerag_assets.questions.follow_up import about_the_same, in_scope_of
from imagerag_assets.questions.question import Question
from imagerag_assets.settings import Settings
from tests.answers import answer_record
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.small_source import write_source

FORMER: dict[str, Any] = {
    "answer_id": "20260504T103000-1f2e3d4c",
    "question": "Is there a red ship in the upper left?",
    "phrases": ["red ship"],
    "cues": [{"scene": "b"}, {"scene": "a"}, {"scene": "b"}],
    "options": {"datetime": "2024-01-01/..", "bbox": [1, 2, 3, 4]},
}


def after(question: str, former: dict[str, Any] | None = None) -> Plan:
    def understood(text: str) -> Plan:
        return understand(text, {})

    asked = Question(question)
    return about_the_same(understood(question), asked, answer_record(**FORMER | (former or {})), understood)


@pytest.mark.parametrize(
    ("question", "operation", "phrases"),
    [
        ("How many are there?", "count", ("red ship",)),
        ("What colour is it?", "attribute", ("red ship",)),
        ("Where are they?", "where", ("red ship",)),
        ("Are they near a pier?", "exists", ("red ship", "pier")),
        ("Is there a pier?", "exists", ("pier",)),
        ("And how many?", "count", ("red ship",)),
    ],
)
def test_things_are_taken_where_a_question_names_nothing_or_refers(
    question: str, operation: str, phrases: tuple[str, ...]
) -> None:
    plan = after(question)
    assert [part.op for part in plan.parts] == [operation]
    assert tuple(thing.phrase for thing in plan.things) == phrases


def test_a_plan_is_followed_up_in_the_questions_own_words() -> None:
    thing = {"name": "big round tank", "look_for": "storage tank"}
    region = {"kind": "part", "name": "north-east"}
    plan = after("How many?", {"plan": [{"op": "exists", "thing": thing, "region": region}]})
    assert [part.op for part in plan.parts] == ["count"]
    assert [(each.name, each.phrase) for each in plan.things] == [("big round tank", "storage tank")]
    assert plan.parts[0].region == PartOfScene(name="north-east")


def test_an_examples_name_is_none() -> None:
    assert not after("How many are there?", {"options": {"like": "x.png"}, "phrases": ["like x.png"]}).things


def test_the_part_of_the_scene_stays_unless_the_question_asks_where_or_says_another() -> None:
    assert after("How many are there?").parts[0].region == PartOfScene(name="upper left")
    assert after("Where are they?").parts[0].region is None
    assert after("How many of them are there in the north?").parts[0].region == PartOfScene(name="north")


def test_scope_is_taken_whole_or_not_at_all() -> None:
    taken = in_scope_of(Question("How many?"), answer_record(**FORMER))
    assert (taken.scenes, taken.bbox, taken.datetime) == (("b", "a"), (1, 2, 3, 4), "2024-01-01/..")
    assert in_scope_of(Question("How many?", scenes=("c",)), answer_record(**FORMER)).bbox is None
    named = in_scope_of(Question("How many?"), answer_record(**FORMER | {"options": {"scenes": ["c", "d"]}}))
    assert named.scenes == ("c", "d")
    changed = {"change": {"before": {"scene": "x"}, "after": {"scene": "b"}}}
    assert in_scope_of(Question("How many?"), answer_record(**FORMER | changed)).scenes == ("x", "b")
    assert in_scope_of(Question("How many?"), None) == Question("How many?")


@pytest.mark.usefixtures("milvus_stays")
def test_by_command_line(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    monkeypatch.setenv("IMAGERAG_MIN_CONFIDENCE", "0")
    monkeypatch.setenv("IMAGERAG_SECOND_LOOK", "0")
    assert run("ingest", str(write_source(tmp_path / "source")))[0] == 0
    _, first = run("ask", "Is there a ship?", "--scene", "two", "--no-answer")
    code, second = run("ask", "How many are there?", "--after", first["answer_id"], "--no-answer")
    assert code == 0
    assert (second["phrases"], second["options"]["scenes"]) == (["ship"], ["two"])
    assert second["after"] == second["lineage"]["after"] == second["options"]["after"] == first["answer_id"]
    assert {cue["scene"] for cue in second["cues"]} == {"two"}
    _, third = run("ask", "Are they near a pier?", "--after", second["answer_id"], "--no-answer")
    assert (third["phrases"], third["options"]["scenes"]) == (["ship", "pier"], ["two"])

    _, replayed = run("replay", second["answer_id"])
    assert replayed["same_cues"]
    _, tree = run("trace", second["answer_id"])
    assert ("former answer", first["answer_id"]) in [(node["kind"], node["label"]) for node in tree["children"]]
    ids = {f"imagerag:answer:{first['answer_id']}", f"imagerag:answer/{first['answer_id']}"}
    assert any(link["prov:usedEntity"] in ids or first["answer_id"] in link["prov:usedEntity"]
               for link in tree["prov"]["wasDerivedFrom"].values())  # fmt: skip

    for unknown, says in (("20260101T000000-00000000", "There is no such answer"), ("../x", "is not an answer id")):
        code, failed = run("ask", "How many are there?", "--after", unknown)
        assert code == 2
        assert says in failed["error"]["message"]
    code, failed = run("ask", "--batch", "q.jsonl", "--out", "a.jsonl", "--after", first["answer_id"])
    assert (code, failed["error"]["message"]) == (2, "--after cannot be used with --batch")
