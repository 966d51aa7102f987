"""Questions that answers are measured with: their words, their truth, and the figures over their answers."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.asked import FREE, REWORDED, TOOL, Asked, count_question, questions
from benchmarks.attribution import ELSE, MISREAD, MISUNDERSTOOD, NOT_FOUND, PRIOR, cause_of
from benchmarks.known_scenes import Scene, chips, words
from benchmarks.make_mosaic import TARGETS
from benchmarks.rows import BLACK, EVIDENCE, FULL, Changed, NoModel, black, rows_of
from benchmarks.targets import THERE, Judgement, judge, measure
from benchmarks.typos import misspelt, with_typos
from imagerag_assets.answering.types import CueView, Prompt, Reply
from imagerag_assets.errors import InputError, ModelError
from imagerag_assets.evaluation.free_answers import judge_free

CELLS = (
    ("storagetanks", "storagetanks00", 300, 300),
    ("storagetanks", "storagetanks06", 3500, 3400),
    ("airplane", "airplane01", 3300, 500),
    ("beach", "beach07", 600, 3000),
    ("harbor", "harbor01", 1000, 1000),
    ("tenniscourt", "tenniscourt09", 2900, 2900),
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    cells = [{"class": name, "chip": chip, "window": [x, y, x + 256, y + 256]} for name, chip, x, y in CELLS]
    (tmp_path / "mosaic-0001.json").write_text(json.dumps({"size": [4096, 4096], "cells": cells}), encoding="utf-8")
    line = {
        "id": "mosaic-0001-00", "scene": "mosaic-0001", "kind": "position", "class": "beach",
        "question": "In which part of the image is the beach?", "answer": "C", "roi": [[600, 3000, 856, 3256]],
        "choices": {"A": "upper left", "B": "upper right", "C": "lower left", "D": "lower right"},
    }  # fmt: skip
    (tmp_path / "mosaic-0001.questions.jsonl").write_text(json.dumps(line), encoding="utf-8")
    return Scene.read(tmp_path / "mosaic-0001.json")


def test_a_scene_knows_what_is_there_and_what_nobody_can_say(scene: Scene, tmp_path: Path) -> None:
    assert scene.number("storage tank") == 4  # three on one chip, one on the other
    assert scene.number("beach") == 1
    assert scene.number("large building") is None
    assert "large building" not in scene.absent  # chips of other classes show some
    assert "runway" not in scene.absent  # those of airplanes show pavement
    assert {"golf course", "overpass"} <= set(scene.absent)
    assert set(scene.single) == {"airplane", "beach", "harbor", "tennis court"}
    old = tmp_path / "mosaic-0002.json"
    old.write_text(json.dumps({"size": [9, 9], "cells": [{"class": "beach", "window": [0, 0, 1, 1]}]}), "utf-8")
    with pytest.raises(InputError, match="stitched by an earlier version"):
        Scene.read(old)


def test_questions_follow_from_the_scene_and_the_seed(scene: Scene) -> None:
    asked = questions(scene, 1, per_kind=3)
    assert asked == questions(scene, 1, per_kind=3)
    assert asked != questions(scene, 2, per_kind=3)
    assert len({each.id for each in asked}) == len(asked)
    kinds = {each.kind for each in asked if each.wording == FREE}
    assert kinds == {*THERE, "absent", "unknown", "attribute", "eyes"}
    assert not any("{" in each.question or not each.question.strip() for each in asked)


def test_the_truth_is_that_of_the_scene(scene: Scene) -> None:
    asked = [each for seed in range(30) for each in questions(scene, seed) if each.truth is not None]
    facts = [(each, fact) for each in asked for fact in (each.truth.facts if each.truth else ())]
    for each, fact in facts:
        if fact.kind == "exists":
            assert fact.value is (fact.thing in scene.cells)
        elif fact.kind == "count":
            assert fact.value == scene.number(fact.thing)
        elif fact.kind == "where":
            assert fact.places == scene.places(fact.thing)
        elif fact.kind == "compare":
            assert list(fact.values) == [scene.number(thing) for thing in fact.things]
        elif fact.kind == "relative" and fact.relation in ("north", "above") and fact.asked:
            (_, y), (_, other) = (scene.places(thing)[0] for thing in fact.things)
            assert fact.value is (y < other)
        elif fact.kind == "attribute":
            assert not set(fact.values) & set(fact.others)
        assert all(thing in each.windows for thing in fact.things)
    assert {fact.kind for _, fact in facts} == {"exists", "count", "where", "which", "compare", "relative", "attribute"}


def test_a_reworded_question_has_the_same_answer(scene: Scene) -> None:
    plain, *others = [each for each in questions(scene, 1) if each.kind == "position" and each.wording != FREE]
    assert (plain.wording, plain.choices[plain.answer or ""]) == (TOOL, "lower left")
    assert [each.wording for each in others] == list(REWORDED)
    assert {each.of for each in others} == {plain.id}
    sentence, choices, order = others
    assert sentence.choices == plain.choices and sentence.question != plain.question
    assert choices.question == plain.question
    assert choices.choices[choices.answer or ""] in words()["choices"]["lower left"]
    assert order.choices[order.answer or ""] == "lower left" and set(order.choices.values()) == set(
        plain.choices.values()
    )
    assert rows_of(plain) != rows_of(order)


def test_many_objects_may_be_counted_a_quarter_wrong() -> None:
    asked = count_question("drawn-01", "helipad", 100, 3, about="drawn")
    assert "helipad" in asked.question and asked.truth is not None
    said = {"answer": "About 120 helipads were found (90 to 150).", "result": []}
    assert judge_free(asked.truth, said).right
    assert not judge_free(asked.truth, {**said, "answer": "About 130 helipads were found."}).right


def test_typos_leave_a_sentence_that_people_still_read() -> None:
    rng = random.Random(3)
    made = {with_typos("Where is the storage tank?", rng) for _ in range(20)}
    assert len(made) > 10
    assert "Where is the storage tank?" not in made
    assert all(each.endswith(" tank?") and each[0] == "W" for each in made)  # short words and first letters stay
    assert all(abs(len(misspelt("parking", rng)) - 7) <= 1 for _ in range(50))


def test_every_word_list_is_about_known_things() -> None:
    things = set(TARGETS.values())
    assert set(words()["things"]) == things == set(words()["accept"])
    for look in chips()["look"]:
        assert TARGETS[look["class"]] in things
        assert set(look["answers"].values()) <= set(look["choices"])
        assert all(chip.rstrip("0123456789") == look["class"] for chip in look["answers"])


class Echo:
    """A model that says the colour of the first pixel of its first picture."""

    name, revision = "echo", "1"

    def answer(self, prompt: Prompt) -> Reply:
        return Reply(str(prompt.cues[0].picture.getpixel((0, 0))), None, {}, None, 1, "")

    def looks(self, prompt: Prompt, more: int) -> tuple[Any, int]:
        return prompt.cues[0].picture.getpixel((0, 0)), more


def test_pictures_are_changed_before_any_method_of_the_model() -> None:
    cue = CueView(Image.new("RGB", (4, 4), "red"), (0, 0, 10, 10), "tank", 0.9)
    prompt = Prompt("?", overview=Image.new("RGB", (8, 8), "red"), cues=(cue,))
    shown = Changed(Echo(), black)
    assert shown.answer(prompt).text == "(0, 0, 0)"
    assert shown.looks(prompt, 3) == ((0, 0, 0), 3)
    assert shown.calls == 2
    assert black(prompt).overview is not None and black(prompt).cues[0].box == cue.box
    with pytest.raises(ModelError):
        NoModel().answer(prompt)


def asked_of(kind: str, thing: str = "storage tank", **more: Any) -> Asked:
    given: dict[str, Any] = {"windows": {thing: ((0, 0, 256, 256),)}, "choices": {"A": "1", "B": "2"}, "answer": "A"}
    return Asked("q", "s", kind, TOOL, "?", **{**given, **more})


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ({"plan": []}, MISUNDERSTOOD),
        ({"plan": [{"op": "count", "thing": {"name": "ship"}}]}, MISUNDERSTOOD),
        ({"plan": [{"op": "where", "thing": {"name": "tank"}}]}, MISUNDERSTOOD),
        ({"cues": [], "answered_by": "model"}, PRIOR),
        ({"cues": [], "answered_by": "evidence"}, NOT_FOUND),
        ({"cues": [{"window": [900, 900, 1156, 1156]}]}, NOT_FOUND),
        ({"cues": [{"window": [0, 0, 256, 256], "verdict": "rejected"}]}, NOT_FOUND),
        ({"cues": [{"window": [0, 0, 256, 256]}, {"window": [900, 900, 1156, 1156]}]}, ELSE),
        ({"cues": [{"window": [0, 0, 256, 256]}]}, MISREAD),
    ],
)
def test_why_an_answer_is_wrong(line: dict[str, Any], cause: str) -> None:
    plan = [{"op": "count", "thing": {"name": "round tank", "look_for": "storage tank"}}]
    cues = [{"phrase": "storage tank", **cue} for cue in line.get("cues", ())]
    assert cause_of(asked_of("count"), {"plan": plan, **line, "cues": cues}) == cause


def test_a_region_that_is_pointed_out_is_found() -> None:
    asked = asked_of("eyes", region=(0, 0, 256, 256))
    assert cause_of(asked, {"plan": [{"op": "describe"}], "cues": []}) == MISREAD


def test_figures_draw_whole_scenes_and_pair_rewordings() -> None:
    judged: list[Judgement] = []
    for number in range(8):
        plain = replace(asked_of("count"), id=f"{number}", scene=f"s{number % 4}")
        other = replace(plain, id=f"{number}/order", wording="order", of=plain.id)
        eyes = replace(plain, id=f"{number}/eyes", wording=FREE, kind="eyes", about="colour")
        for row, letter in ((FULL, "A"), (EVIDENCE, "B")):
            judged += [judge(plain, row, {"choice": letter}), judge(other, row, {"choice": "A" if number else "B"})]
        judged += [judge(eyes, FULL, {"choice": "A"}), judge(eyes, BLACK, {"choice": "AB"[number % 2]})]
    figures = measure(judged)
    assert figures["right"][FULL][TOOL]["count"] == {"value": 1.0, "n": 8, "low": 1.0, "high": 1.0}
    loss = figures["reworded"]["order"][FULL]
    assert (loss["value"], loss["n"]) == (0.125, 8)
    assert loss["low"] == 0 and 0.125 < loss["high"] <= 0.5  # one scene of four has it
    assert figures["eyes"]["colour"]["value"] == 0.5
    assert figures["without_model"]["count"]["value"] == 1.0
    met = {each["figure"]: each["met"] for each in figures["targets"]}
    assert met["multiple choice, choices in another order: loss"] is False
    assert met["multiple choice in the tool's wording: right"] is True
    assert met["typos: right"] is None  # was not asked


def test_a_failed_answer_is_wrong() -> None:
    assert not judge(asked_of("count"), FULL, {"error": {"message": "x"}}).right
