"""Further looks: outside what was seen already, until one adds nothing or the budget ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.answering.types import Prompt, Reply
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Serving, find_serving
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.find import find
from imagerag_assets.questions.looks import SAME_GROUND, look_further
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.resolve import resolve
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.small_source import write_source
from tests.tiny_encoder import NAME, tiny_registry  # noqa: F401

SHIPS = Question("Where are the ships?", scenes=("one",), top_k=2, path="fast")
ANY = Question("Is there a ship?", scenes=("one",), path="fast", top_k=2)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, tiny_registry: Path) -> Iterator[Platform]:  # noqa: F811
    """A scene of which every patch passes."""
    home = tmp_path_factory.mktemp("home")
    options = {"encoder": NAME, "encoders_file": tiny_registry, "min_confidence": 0.0, "second_look": 0}
    with Platform(load_settings(home=home, _env_file=None, patch_px=64, **options)) as opened:
        for scene in find_scenes(str(write_source(home / "source", ("one",))), opened.settings):
            assert isinstance(scene, Scene)
            ingest_scene(opened, scene)
        yield opened


def serving_of(platform: Platform) -> Serving:
    serving = find_serving(platform)
    assert serving is not None
    return serving


def shared(window: tuple[int, ...], other: tuple[int, ...]) -> float:
    across, down = (min(window[i + 2], other[i + 2]) - max(window[i], other[i]) for i in (0, 1))
    return max(0, across) * max(0, down) / ((window[2] - window[0]) * (window[3] - window[1]))


def test_each_look_shows_ground_that_was_not_seen_until_all_was(platform: Platform) -> None:
    with Viewer(platform) as viewer:
        first = found = find(resolve(serving_of(platform), SHIPS), viewer)
        assert len(first.cues) == 2
        for _ in range(100):
            further = look_further(found, ["ship"], viewer)
            added = further.cues[len(found.cues) :]
            assert further.cues[: len(found.cues)] == found.cues
            for cue in added:
                assert all(shared(cue.window, each.window) < SAME_GROUND for each in found.cues)
            if not added:
                break
            assert further.pictures.keys() == {cue.rank for cue in further.cues} == set(range(1, len(further.cues) + 1))
            found = further
        assert not added
        assert len(found.cues) > 4
        told = [note for note in further.retrieval.notes if "further look for 'ship'" in note]
        assert told[0].endswith("found 2 more")
        assert told[-1].endswith("found nothing more")


class Picky:
    """A model that confirms only from a certain cue on, and says in words what a test gives."""

    name, revision = "picky", "1"

    def __init__(self, first: int, said: str = "", sure: float = 0.9) -> None:
        self.first, self.said, self.sure, self.asked = first, said, sure, list[Prompt]()

    def answer(self, prompt: Prompt) -> Reply:
        self.asked.append(prompt)
        if not prompt.choices:
            return Reply(self.said, None, {}, self.sure, len(prompt.cues), "prompt")
        yes = float(len(self.asked) >= self.first)
        return Reply("", "A", {"A": yes, "B": 1 - yes}, 1.0, 1, "prompt")


def asked(platform: Platform, model: Picky, question: Question, looks: int) -> AnswerRecord:
    settings = platform.settings.model_copy(update={"looks": looks})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Platform, "mllm", property(lambda _: model))
        patch.setattr(platform, "settings", settings)
        return ask(platform, question)


def outcome(record: AnswerRecord) -> Any:
    return record.to_dict()["outcome"]


def test_what_was_rejected_is_looked_for_elsewhere(platform: Platform) -> None:
    rejected = asked(platform, Picky(first=10_000), ANY, looks=0)
    assert outcome(rejected) == "rejected"
    number = len(rejected.cues)
    late = Picky(first=number + 1)
    record = asked(platform, late, ANY, looks=3)
    assert outcome(record) == "found"
    assert len(record.cues) > number
    assert record.cues[0].verdict == "rejected"
    assert record.cues[number].verdict == "confirmed"


def test_a_look_that_adds_no_evidence_is_the_last(platform: Platform) -> None:
    never = Picky(first=10_000)
    record = asked(platform, never, ANY, looks=5)
    assert outcome(record) == "rejected"
    assert sum("A further look" in note for note in record.notes) == 1


def test_a_model_that_is_not_sure_says_what_it_wants_to_see(platform: Platform) -> None:
    shape = Question("What shape is the ship?", scenes=("one",), path="fast", top_k=2)
    sure = asked(platform, Picky(1, "long", sure=0.9), shape, looks=2)
    assert not any("further look" in note for note in sure.notes)
    unsure = Picky(1, "A storage tank.", sure=0.1)
    record = asked(platform, unsure, shape, looks=1)
    assert [note for note in record.notes if "further look" in note] == [
        "A further look for 'storage tank', elsewhere, found 2 more"
    ]
    assert "storage tank" in {cue.phrase for cue in record.cues}
    shown = [len(prompt.cues) for prompt in unsure.asked if not prompt.choices]
    assert shown[-1] > shown[0]
