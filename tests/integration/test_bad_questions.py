"""Bad questions, areas, knowledge and thresholds: refused in one line or answered, never wrong in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.errors import (
    FingerprintError,
    ImageRAGError,
    KnowledgeError,
    QuestionError,
    StoreError,
    UnknownSceneError,
)
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.knowledge.build import build_captions, build_labels
from imagerag_assets.knowledge.types import current_key, read_current
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.questions.batch import ask_batch
from imagerag_assets.retrieval.calibration import GENERIC, calibration_key, save_calibration
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.milvus_filter import Filter
from tests.small_source import write_source
from tests.tiny_encoder import NAME, tiny_registry  # noqa: F401

HOSTILE = [
    'Where is the "ship"?',
    "Where is the ship') or (scene_key != 'x?",
    'Where is the ship" or scene_key in ["two"] or "a" == "a?',
    "Where is the {scene_key} {0} {{ship}} %s %(name)s?",
    "Where is the ship\\\\ \\' \\n \\u0000 \x00\x1b[31m?",
    "Where is the $(ship) `ship` ../../ship <image> </s>?",
]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, tiny_registry: Path) -> Iterator[Platform]:  # noqa: F811
    """Two scenes, and every cue passes, so that what is found depends on the filters alone."""
    home = tmp_path_factory.mktemp("home")
    options = {
        "encoder": NAME,
        "encoders_file": tiny_registry,
        "min_confidence": 0.0,
        "second_look": 0,
        "limit_question_chars": 100_000,
    }
    with Platform(load_settings(home=home, _env_file=None, patch_px=128, **options)) as opened:
        for scene in find_scenes(str(write_source(home / "source", ("one", "two"))), opened.settings):
            assert isinstance(scene, Scene)
            ingest_scene(opened, scene)
        yield opened


@pytest.fixture
def typed(platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands see the installation too."""
    settings = platform.settings
    monkeypatch.chdir(tmp_path)
    for name in ("home", "encoder", "encoders_file", "patch_px", "min_confidence", "second_look"):
        monkeypatch.setenv(f"IMAGERAG_{name.upper()}", str(getattr(settings, name)))


def found(platform: Platform, text: str, **options: Any) -> dict[str, Any]:
    return ask(platform, Question(text, answer=False, **options)).to_dict()


@pytest.mark.parametrize("text", ["?!", "Is it so?", "How many?", "12 345", "🚁 🛳️?", "Where is it, and why not?"])
def test_a_question_without_a_noun_looks_for_nothing_and_says_so(platform: Platform, text: str) -> None:
    answer = found(platform, text)
    assert (answer["phrases"], answer["cues"], answer["path"]) == ([], [], "none")
    assert "The question names nothing to look for" in answer["notes"]


def test_a_question_without_a_noun_is_answered_from_the_overview(platform: Platform) -> None:
    answer = ask(platform, Question("Is it so?", choices={"A": "yes", "B": "no"}, scenes=("one",))).to_dict()
    assert answer["choice"] in ("A", "B")


@pytest.mark.parametrize("text", ["Where is the ship? " + "x " * 4990, "Count the tanks" + " and the ships" * 900])
def test_ten_thousand_characters_are_looked_for_in_part(platform: Platform, text: str) -> None:
    answer = found(platform, text, scenes=("one",))
    assert answer["phrases"]
    assert all(len(phrase) <= 120 for phrase in answer["phrases"])
    assert any("Only the first 2000 characters" in note for note in answer["notes"])


def test_what_the_model_cannot_take_in_is_refused(platform: Platform) -> None:
    colours = {"A": "red", "B": "blue"}  # of which the evidence says nothing
    with pytest.raises(ImageRAGError, match="does not fit the model's context") as raised:
        ask(platform, Question("ship " * 8500, choices=colours, scenes=("one",)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "Где находится теннисный корт?",
        "网球场在哪里？",
        "أين ملعب التنس؟",
        "Wo ist der Löschteich?",
        "Où sont les bateaux ?",
    ],
)
def test_other_languages_get_one_clear_sentence(platform: Platform, text: str) -> None:
    answer = ask(platform, Question(text)).to_dict()
    assert (answer["plan"], answer["cues"], answer["answered_by"]) == ([], [], None)
    assert "ask" in answer["answer"]
    assert "Where are the ships?" in answer["answer"]
    assert answer["lineage"]["mllm"] is None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(platform: Platform, text: str) -> None:
    answer = ask(platform, Question(text, choices={"A": text, "B": "}{"}, scenes=("one",))).to_dict()
    assert {cue["scene"] for cue in answer["cues"]} <= {"one"}
    assert answer["choice"] in ("A", "B")
    assert answer["choices"]["A"] == text


@pytest.mark.parametrize(
    "scene", ['one" or scene_key != "', "one' --", "{scene_key}", "../one", "one\\", "%", "ONE", "one\x00"]
)
def test_scene_ids_are_never_a_filter(platform: Platform, scene: str) -> None:
    with pytest.raises(UnknownSceneError) as raised:
        found(platform, "Where is the ship?", scenes=(scene,))
    assert "\n" not in str(raised.value)


def test_hostile_lines_of_a_batch_stop_nothing(platform: Platform, tmp_path: Path) -> None:
    lines = [{"id": number, "question": text, "scene": "one"} for number, text in enumerate(HOSTILE)]
    lines.insert(1, {"id": "x", "question": "Where is the ship?", "scene": HOSTILE[2]})
    lines.append({"id": "y", "question": "Where is\u2028the ship\x85?", "scene": "one"})
    written = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    written += '{"id": "z", "question": "Where is the ship\\ud800?"}\n'  # half a character
    (tmp_path / "in.jsonl").write_text(written, encoding="utf-8")
    done = ask_batch(platform, tmp_path / "in.jsonl", tmp_path / "out.jsonl", answer=False)
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n") if line]
    assert (done["questions"], done["failed"]) == (len(HOSTILE) + 3, 2)
    failed = [number for number, answer in enumerate(answers) if "error" in answer]
    assert failed == [1, len(HOSTILE) + 2]
    assert answers[-1]["question"] == "Where is the ship\ud800?"


@pytest.mark.parametrize("options", [{"bbox": (100.0, 10.0, 101.0, 11.0)}, {"datetime": "1999-01-01/1999-12-31"},
                                     {"bbox": (179.0, -10.0, -179.0, 10.0)}])  # fmt: skip
def test_an_area_or_time_without_scenes_is_refused(platform: Platform, options: dict[str, Any]) -> None:
    with pytest.raises(QuestionError, match="Nothing that was ingested lies within"):
        found(platform, "Where is the ship?", **options)


def test_a_command_says_it_in_one_line(platform: Platform, typed: None, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--bbox", "100,10,101,11"], ["--scene", HOSTILE[2]], ["--bbox", "x"]):
        capsys.readouterr()
        assert main(["ask", "Where is the ship?", "--no-answer", "--json", *arguments]) == 2
        out, err = capsys.readouterr()
        assert set(json.loads(out)["error"]) >= {"type", "message", "fix"}
        assert err.count("\n") == 1 and "Traceback" not in err


class TestKnowledge:
    @pytest.fixture
    def chips(self, tmp_path: Path) -> Path:
        for label, red in {"pond": 30, "turbine": 200}.items():
            (tmp_path / "chips" / label).mkdir(parents=True)
            Image.new("RGB", (64, 64), (red, 0, 0)).save(tmp_path / "chips" / label / "0.png")
        return tmp_path / "chips"

    @pytest.fixture(autouse=True)
    def _clean(self, platform: Platform) -> Iterator[None]:
        """No knowledge is left for the next test."""
        yield
        for kind in ("knowledge_labels", "knowledge_captions"):
            for fingerprint in (platform.fingerprint, platform.using("tiny-other").fingerprint):
                live = read_current(platform.store, kind, fingerprint)  # type: ignore[arg-type]
                if live is None:
                    continue
                platform.store.delete(current_key(kind, fingerprint))  # type: ignore[arg-type]
                for name in (live.images, live.texts):
                    if rows := platform.vectors.query(name, Filter(), ["id"]):
                        platform.vectors.delete(name, [row["id"] for row in rows])

    def test_none(self, platform: Platform) -> None:
        answer = found(platform, "Where is the pond?", path="slow")
        assert (answer["cues"], answer["abstained"]) == ([], True)
        assert sum("no knowledge base of" in note for note in answer["notes"]) == 2

    def test_an_empty_source_changes_nothing(self, platform: Platform, chips: Path, tmp_path: Path) -> None:
        before = build_labels(platform, str(chips))
        (tmp_path / "empty").mkdir()
        with pytest.raises(KnowledgeError, match="No labelled pictures found"):
            build_labels(platform, str(tmp_path / "empty"))
        live = read_current(platform.store, "knowledge_labels", platform.fingerprint)
        assert live is not None
        assert live.version == before.version
        assert found(platform, "Where is the pond?", path="slow")["path"] == "slow-labels"

    def test_lost_rows_are_said(self, platform: Platform, chips: Path) -> None:
        build_labels(platform, str(chips))
        live = read_current(platform.store, "knowledge_labels", platform.fingerprint)
        assert live is not None
        rows = platform.vectors.query(live.texts, Filter(), ["id"])
        platform.vectors.delete(live.texts, [row["id"] for row in rows])
        answer = found(platform, "Where is the pond?", path="slow")
        assert answer["abstained"]
        assert any("The knowledge base of labels is empty" in note for note in answer["notes"])
        assert build_labels(platform, str(chips)).changed
        assert found(platform, "Where is the pond?", path="slow")["cues"]

    def test_another_encoders(self, platform: Platform, chips: Path) -> None:
        build_labels(platform.using("tiny-other"), str(chips))
        answer = found(platform, "Where is the pond?")
        assert answer["path"] == "fast"
        assert any("labels was left out: The vectors are another encoder's" in note for note in answer["notes"])
        with pytest.raises(FingerprintError, match="stored=.*required="):
            found(platform, "Where is the pond?", path="slow")

    def test_hostile_labels_and_captions(self, platform: Platform, chips: Path, tmp_path: Path) -> None:
        texts = ['a "pond") or label != ("', "{pond} %s \\ '", "pond\u2028with \u202e control"]
        words = {"pond": {"label": texts[0], "also": texts[1:], "means": ["') or 1 == 1"]}}
        (chips / "labels.json").write_text(json.dumps(words))
        build_labels(platform, str(chips))
        image = "chips/pond/0.png"
        (tmp_path / "c.jsonl").write_text(
            json.dumps({"image": image, "captions": texts}, ensure_ascii=False), encoding="utf-8"
        )
        build_captions(platform, str(tmp_path / "c.jsonl"))
        for text in ("Where is the pond?", HOSTILE[2].replace("ship", "pond")):
            answer = found(platform, text, path="slow", scenes=("one",))
            assert answer["path"] == "slow-labels"
            assert {cue["scene"] for cue in answer["cues"]} == {"one"}


class TestThresholds:
    @pytest.fixture(autouse=True)
    def _clean(self, platform: Platform) -> Iterator[None]:
        """The thresholds of the next test are the generic ones."""
        yield
        platform.store.delete(calibration_key(platform.fingerprint, platform.recipe.division_key))

    def test_of_another_encoder_are_refused(
        self, platform: Platform, typed: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = replace(GENERIC, fingerprint="f" * 64, division=platform.recipe.division_key, version="v")
        key = calibration_key(platform.fingerprint, platform.recipe.division_key)
        platform.store.write_bytes(key, other.to_json())
        with pytest.raises(FingerprintError, match="fingerprint"):
            found(platform, "Where is the ship?")
        capsys.readouterr()
        assert main(["ask", "Where is the ship?", "--no-answer"]) == 1
        assert capsys.readouterr().err.count("\n") == 1

    def test_that_are_damaged_are_refused(self, platform: Platform) -> None:
        platform.store.write_bytes(calibration_key(platform.fingerprint, platform.recipe.division_key), b"{}")
        with pytest.raises(StoreError):
            found(platform, "Where is the ship?")

    def test_of_this_encoder_are_used(self, platform: Platform) -> None:
        own = replace(GENERIC, fingerprint=platform.fingerprint, division=platform.recipe.division_key, version="own")
        save_calibration(platform.store, own)
        assert found(platform, "Where is the ship?")["lineage"]["calibration"] == "own"
