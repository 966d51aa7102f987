"""Standing questions: what can stand, when they are due, what counts as changed, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import InputError, QuestionError, StoreError, UnknownSceneError, UnknownWatchError
from imagerag_assets.ingestion.ingest import embed, ingest_scene, register
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.store import ObjectStore
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.question import Question
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.scenes.records import load_record, record_key
from imagerag_assets.standing_questions.asking import ask_watch, describe_watches, due
from imagerag_assets.standing_questions.store import (
    Watch,
    add_watch,
    answer_keys,
    last_answer,
    list_watches,
    load_watch,
    remove_watch,
    series,
)
from tests.answers import answer_record
from tests.items import scene_at, texture, write_scene


class Answers:
    """Gives one record after the other, and keeps the questions."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.records, self.asked = list(records), list[Question]()

    def __call__(self, question: Question) -> AnswerRecord:
        self.asked.append(question)
        number = len(self.asked)
        given = self.records.pop(0) if self.records else {}
        about = {"answer_id": f"id-{number}", "asked_at": f"2024-05-0{number}T00:00:00+00:00", "path": "fast"}
        return answer_record(**about | given)


def cues(*scenes: str) -> list[dict[str, Any]]:
    return [{"scene": scene, "confidence": 0.9 - 0.1 * rank} for rank, scene in enumerate(scenes)]


@pytest.fixture
def add(tmp_path: Path, platform: Platform) -> Callable[..., object]:
    """Write a scene and ingest it."""

    def write_and_ingest(name: str, seed: int = 0, **profile: Any) -> object:
        item = write_scene(tmp_path, name, texture(200, 300, seed), profile=profile)
        result = ingest_scene(platform, scene_at(item, platform.settings))
        assert result.error is None
        return result

    return write_and_ingest


def area_of(platform: Platform, scene: str) -> tuple[float, float, float, float]:
    grid = load_record(platform, scene).grid
    bbox = pixel_window_to_lonlat_bbox(grid, grid.window)
    assert bbox is not None
    return bbox


def test_a_watch_is_what_was_saved(platform: Platform) -> None:
    question = Question(
        "How many ships?", choices={"A": "one", "B": "two"}, bbox=(1.0, 2.0, 3.0, 4.0), datetime="2024-01-01/..",
        path="fast", top_k=4, answer=False,
    )  # fmt: skip
    watch = add_watch(platform, question, name="  Harbour   ships ")
    assert (watch.watch_id, watch.name) == ("harbour-ships", "Harbour ships")
    assert load_watch(platform, "harbour-ships") == watch
    assert Watch.from_dict(watch.to_dict()) == watch
    assert list_watches(platform) == ["harbour-ships"]
    (about,) = describe_watches(platform)
    assert about == watch.to_dict() | {"answers": 0, "last": None, "changed_at": None, "problem": None}


def test_ids_are_safe_and_differ(platform: Platform) -> None:
    names = ["", "..", "../../x", "Häfen", "Hafen", "港", "a" * 100, "x/y"]
    ids = [add_watch(platform, Question("Where?"), name=name).watch_id for name in names]
    assert len(set(ids)) == len(names)
    assert sorted(ids) == list_watches(platform)
    assert all(load_watch(platform, each).watch_id == each for each in ids)


@pytest.mark.parametrize(
    ("question", "name", "says"),
    [
        ({"question": "Where?"}, "taken", "taken already"),
        ({"question": "Where?"}, "x" * 121, "121 characters"),
        ({"question": "Where?", "bbox": (1.0, 5.0, 2.0, 4.0)}, "", "south"),
        ({"question": "Where?", "bbox": (1.0, float("nan"), 2.0, 4.0)}, "", "globe"),
        ({"question": "Where?", "datetime": "2024-02-01/2024-01-01"}, "", "ends before"),
        ({"question": "Where?", "scenes": ("nowhere",)}, "", "no such scene"),
        ({"question": " "}, "", "empty"),
    ],
    ids=str,
)
def test_what_cannot_stand_is_said_and_not_saved(
    platform: Platform, question: dict[str, Any], name: str, says: str
) -> None:
    add_watch(platform, Question("Where?"), name="taken")
    with pytest.raises(InputError, match=says):
        add_watch(platform, Question(**question), name=name)
    assert list_watches(platform) == ["taken"]


def test_the_same_question_without_a_name_stands_once(platform: Platform) -> None:
    watch = add_watch(platform, Question("Where is the pier?"))
    with pytest.raises(QuestionError, match=watch.watch_id):
        add_watch(platform, Question("Where is the pier?"))
    add_watch(platform, Question("Where is the pier?", bbox=(1, 2, 3, 4)))


@pytest.mark.parametrize("watch_id", ["nonsuch", "", "../watches", "a/b"])
def test_an_unknown_id_is_said(platform: Platform, watch_id: str) -> None:
    with pytest.raises(UnknownWatchError, match="imagerag watch add"):
        load_watch(platform, watch_id)
    with pytest.raises(UnknownWatchError):
        remove_watch(platform, watch_id)


def test_a_damaged_watch_leaves_the_others_alone(platform: Platform, add: Callable[..., object]) -> None:
    add("port")
    platform.store.write_json("watches/broken.json", {"watch_id": "broken"})
    add_watch(platform, Question("Where?"), name="whole")
    with pytest.raises(StoreError, match="imagerag watch remove broken"):
        load_watch(platform, "broken")
    assert [each.watch.watch_id for each in due(platform)] == ["whole"]
    assert [bool(each["problem"]) for each in describe_watches(platform)] == [True, False]
    assert remove_watch(platform, "broken") == 0


def test_due_when_a_covered_scene_is_new_or_changed(platform: Platform, add: Callable[..., object]) -> None:
    add("port")
    area = add_watch(platform, Question("Where?", bbox=area_of(platform, "port")), name="area")
    named = add_watch(platform, Question("Where?", scenes=("port",)), name="named")
    anywhere = add_watch(platform, Question("Where?"), name="anywhere")
    ask = Answers()

    def due_now() -> dict[str, list[str]]:
        return {each.watch.watch_id: sorted(each.scenes) for each in due(platform)}

    assert due_now() == {"area": ["port"], "named": ["port"], "anywhere": ["port"]}
    answers = [ask_watch(platform, each.watch, ask) for each in due(platform)]
    assert [sorted(each.triggered_by) for each in answers] == [["port"]] * 3
    assert due_now() == {}

    add("far", seed=3, crs="EPSG:32634")
    assert due_now() == {"anywhere": ["far"]}
    assert [each.watch.watch_id for each in due(platform, ["far"])] == ["anywhere"]
    ask_watch(platform, anywhere, ask)
    add("port", seed=5)
    assert due_now() == {"area": ["port"], "named": ["port"], "anywhere": ["port"]}
    for watch in (area, named, anywhere):
        ask_watch(platform, watch, ask)
    assert due_now() == {}


def test_a_scene_counts_when_its_rows_are_in(tmp_path: Path, platform: Platform, add: Callable[..., object]) -> None:
    add("port")
    watch = add_watch(platform, Question("Where?"), name="w")
    ask_watch(platform, watch, Answers())
    changed = scene_at(write_scene(tmp_path, "port", texture(200, 300, seed=8)), platform.settings)
    register(platform, changed)
    assert due(platform) == []
    embed(platform, "port")
    assert due(platform) == []  # the old rows are still there
    ingest_scene(platform, changed)
    assert [each.scenes for each in due(platform)] == [{"port": changed.version}]


def test_an_area_is_asked_as_it_was_last_seen(platform: Platform, tmp_path: Path, add: Callable[..., object]) -> None:
    add("old")
    watch = add_watch(platform, Question("Where?", bbox=area_of(platform, "old")), name="w")
    ask = Answers({"cues": cues("old")}, {})
    ask_watch(platform, watch, ask)
    item = write_scene(tmp_path, "new", texture(200, 300, 4))
    item.write_text(item.read_text().replace("2024-05-06", "2024-06-06"))
    ingest_scene(platform, scene_at(item, platform.settings))
    answer = ask_watch(platform, watch, ask)
    assert [each.scenes for each in ask.asked] == [("old",), ("new",)]
    assert [change["what"] for change in answer.changed] == ["found"]


def test_what_changed_is_told(platform: Platform, add: Callable[..., object]) -> None:
    add("port")
    choices = {"A": "yes", "B": "no"}
    watch = add_watch(platform, Question("How many ships are there?", choices=choices), name="w")
    ask = Answers(
        {"choice": "A", "answer": "yes", "cues": cues("port")},
        {"choice": "A", "answer": "Yes, there is", "cues": cues("port")},
        {"choice": "B", "answer": "no", "path": "none"},
        {"choice": "B", "answer": "no", "path": "none"},
        {"choice": "B", "answer": "no", "cues": cues("port", "port")},
    )
    answers = [ask_watch(platform, watch, ask) for _ in range(5)]
    assert [[change["what"] for change in each.changed] for each in answers] == [
        [], [], ["choice", "found", "count"], [], ["found", "count"],
    ]  # fmt: skip
    assert answers[2].changed[0] == {"what": "choice", "before": "A", "after": "B"}
    assert [each.changed_at for each in answers] == [None, None, *[answers[2].asked_at] * 2, answers[4].asked_at]
    assert [each.previous for each in answers] == [None, "id-1", "id-2", "id-3", "id-4"]
    assert series(platform, "w") == answers
    assert last_answer(platform, "w") == answers[-1]
    assert answers[0].confidence == 0.9
    assert remove_watch(platform, "w") == 5
    assert platform.store.list("watches") == []


def test_free_text_is_compared_without_case_and_signs(platform: Platform, add: Callable[..., object]) -> None:
    add("port")
    watch = add_watch(platform, Question("Where is the pier?"), name="w")
    ask = Answers({"answer": "Upper left."}, {"answer": "upper left"}, {"answer": "lower left"}, {"answer": None})
    assert [[c["what"] for c in ask_watch(platform, watch, ask).changed] for _ in range(4)] == [
        [], [], ["answer"], ["answer"],
    ]  # fmt: skip


def test_a_removed_scene_is_said(platform: Platform, add: Callable[..., object]) -> None:
    add("port")
    watch = add_watch(platform, Question("Where?", scenes=("port",)), name="w")
    platform.store.delete(record_key("port"))
    with pytest.raises(UnknownSceneError, match="imagerag watch remove w"):
        ask_watch(platform, watch, Answers())
    (about,) = describe_watches(platform)
    assert "no longer exists" in about["problem"]


def test_killed_between_answer_and_what_it_saw_it_is_asked_once_more(
    platform: Platform, add: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    add("port")
    watch = add_watch(platform, Question("Where?"), name="w")
    write = ObjectStore.write_json

    def killed(store: ObjectStore, key: str, value: Any) -> None:
        if key.endswith("seen.json"):
            raise KeyboardInterrupt
        write(store, key, value)

    monkeypatch.setattr(ObjectStore, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        ask_watch(platform, watch, Answers())
    monkeypatch.undo()
    assert [each.watch for each in due(platform)] == [watch]
    ask_watch(platform, watch, Answers())
    assert due(platform) == []
    assert len(series(platform, "w")) == 2


def test_an_answer_has_the_next_number_though_one_was_deleted(platform: Platform, add: Callable[..., object]) -> None:
    add("port")
    watch = add_watch(platform, Question("Where?"), name="w")
    ask = Answers()
    for _ in range(3):
        ask_watch(platform, watch, ask)
    platform.store.delete(answer_keys(platform, "w")[0])
    ask_watch(platform, watch, ask)
    numbers = [key.rpartition("/")[2].split("-")[0] for key in answer_keys(platform, "w")]
    assert numbers == ["000002", "000003", "000004"]
    assert [each.answer_id for each in series(platform, "w")] == ["id-2", "id-3", "id-4"]


def test_a_failed_try_is_kept_until_the_next_answer(platform: Platform, add: Callable[..., object]) -> None:
    add("port")
    watch = add_watch(platform, Question("Where is it?"), name="w")

    def ask(question: Question) -> AnswerRecord:
        raise StoreError("It is full", fix="Empty it")

    for tries in ("1 try", "2 tries"):
        with pytest.raises(StoreError):
            ask_watch(platform, watch, ask)
        (about,) = describe_watches(platform)
        assert about["problem"].startswith(f"Not answered after {tries}: It is full")
    assert [each.watch.watch_id for each in due(platform)] == ["w"]
    ask_watch(platform, watch, Answers())
    assert describe_watches(platform)[0]["problem"] is None
    assert remove_watch(platform, "w") == 1
