"""The models that ship, on what they have not seen: chips of split `dev`, and scenes drawn from other seeds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imagerag_assets.demo.models.chips import Chips, load_chips
from imagerag_assets.demo.models.sensors import coarser
from imagerag_assets.demo.models.vocabulary import HELD_OUT_QUERIES, PHRASES
from imagerag_assets.demo.scenes import ScenePlan, draw_scene, generate_demo, scene_item, scene_questions, write_cog
from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.encoders.types import Encoder, Vectors
from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene

SMALLEST = "estuary"
WEIGHTS = Path(str(files("imagerag_assets"))) / "weights"
# These classes have ten chips: at least so many of them are among the first ten, for words never seen in training.
UNSEEN_WORDS = {"marina full of yachts": 9, "a jet airliner parked": 9, "automobiles": 9, "seaside with surfers": 9}


@pytest.fixture(scope="module")
def dev_chips(samples: Path) -> Chips:
    return load_chips(samples / "ucmerced" / "images_jpg", "dev")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder("demo", load_settings(home=tmp_path_factory.mktemp("demo"), _env_file=None))


@pytest.fixture(scope="module")
def dev_vectors(demo: Encoder, dev_chips: Chips) -> Vectors:
    return demo.encode_images(dev_chips.images)


def zero_shot(encoder: Encoder, vectors: Vectors, chips: Chips, phrases: dict[str, list[str]]) -> float:
    """Top-1 with the mean text embedding of each class's phrases."""
    texts = np.stack([encoder.encode_texts(phrases[name]).mean(0) for name in sorted(phrases)])
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    guesses = (vectors @ texts.T).argmax(1)
    return float(np.mean([sorted(phrases)[g] == n for g, n in zip(guesses, chips.names, strict=True)]))


def test_the_demo_encoder_names_unseen_chips(demo: Encoder, dev_vectors: Vectors, dev_chips: Chips) -> None:
    classes = sorted(set(dev_chips.names))
    assert len(classes) == 21
    assert zero_shot(demo, dev_vectors, dev_chips, {name: list(PHRASES[name]) for name in classes}) >= 0.93
    assert zero_shot(demo, dev_vectors, dev_chips, {name: [name] for name in classes}) >= 0.92


def test_the_demo_encoder_names_chips_at_coarser_ground_distances(demo: Encoder, dev_chips: Chips) -> None:
    phrases = {name: list(PHRASES[name]) for name in sorted(set(dev_chips.names))}
    pixels = torch.from_numpy(dev_chips.images).permute(0, 3, 1, 2).float() / 255
    for factor, least in ((4, 0.93), (8, 0.89)):  # 1.2 m, 2.4 m
        coarse = torch.stack([coarser(each, factor) for each in pixels]).permute(0, 2, 3, 1)
        chips = Chips((coarse * 255).byte().numpy(), dev_chips.names, dev_chips.finer)
        assert zero_shot(demo, demo.encode_images(chips.images), chips, phrases) >= least


def test_the_smaller_encoder_is_another_one_and_names_most_unseen_chips(
    demo: Encoder, dev_chips: Chips, settings: Settings
) -> None:
    classes = sorted(set(dev_chips.names))
    lite = load_encoder("demo-lite", settings)
    vectors = lite.encode_images(dev_chips.images)
    assert zero_shot(lite, vectors, dev_chips, {name: list(PHRASES[name]) for name in classes}) >= 0.7
    assert lite.fingerprint != demo.fingerprint
    assert lite.image_size < demo.image_size


@pytest.mark.parametrize(("query", "least"), UNSEEN_WORDS.items())
def test_the_demo_encoder_answers_to_words_it_was_not_trained_with(
    query: str, least: int, demo: Encoder, dev_vectors: Vectors, dev_chips: Chips
) -> None:
    trained = {p.lower() for phrases in PHRASES.values() for p in phrases}
    assert query not in trained
    assert dev_chips.names.count(HELD_OUT_QUERIES[query]) == 10
    scores = dev_vectors @ demo.encode_texts([query])[0]
    first = [dev_chips.names[i] for i in np.argsort(-scores)[:10]]
    assert first.count(HELD_OUT_QUERIES[query]) >= least


def test_weights_are_safetensors_small_and_have_cards() -> None:
    total = sum(p.stat().st_size for p in WEIGHTS.rglob("*") if p.is_file())
    assert total <= 50e6
    for folder in ("encoder-demo", "encoder-demo-lite", "mllm-demo"):
        assert list((WEIGHTS / folder).glob("*.safetensors"))
        assert "licence" in (WEIGHTS / folder / "README.md").read_text(encoding="utf-8").lower()
    assert not [p for p in WEIGHTS.rglob("*") if p.suffix in {".pt", ".pth", ".bin", ".pkl"}]


def test_image_towers_are_as_small_as_promised(settings: Settings) -> None:
    from safetensors import safe_open

    for folder, most in (("encoder-demo", 12e6), ("encoder-demo-lite", 3e6)):
        with safe_open(WEIGHTS / folder / "model.safetensors", "np") as weights:
            count = sum(int(np.prod(weights.get_slice(key).get_shape())) for key in weights.keys())  # noqa: SIM118
        assert count <= most, folder


def test_the_demo_model_answers_better_than_by_chance_about_a_scene_it_has_not_seen(
    settings: Settings, tmp_path: Path
) -> None:
    plan, rng = ScenePlan("unseen", 1792, 1536), np.random.default_rng(7001)
    picture, placed = draw_scene(plan, rng)
    write_cog(picture, tmp_path / "unseen.tif", (500_000.0, 5_350_000.0))
    item = scene_item(plan, 0, (500_000.0, 5_350_000.0), tmp_path / "unseen.tif")
    (tmp_path / "unseen.json").write_text(json.dumps(item.to_dict(include_self_link=False)), encoding="utf-8")
    asked = scene_questions(placed, (plan.width, plan.height), rng, per_kind=2)
    with Platform(settings) as platform:
        (scene,) = find_scenes(str(tmp_path / "unseen.json"), settings)
        assert isinstance(scene, Scene)
        assert ingest_scene(platform, scene).status == "ingested"
        answers = [ask(platform, Question(q.question, choices=q.choices, scenes=("unseen",))).to_dict() for q in asked]
    right = [answer["choice"] == question.answer for answer, question in zip(answers, asked, strict=True)]
    assert len(right) >= 8
    assert sum(right) >= 0.35 * len(right), f"{sum(right)} of {len(right)}"
    for answer in answers:
        assert sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-3)
        assert answer["lineage"]["mllm"]["name"] == "mllm-demo"


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with the smallest of the demo's scenes: `.ci/run` has the demo itself."""
    return tmp_path_factory.mktemp("demo-home")


@pytest.fixture(scope="module")
def demo_platform(demo_home: Path) -> Iterator[Platform]:
    settings = load_settings(home=demo_home, _env_file=None)
    catalog = generate_demo(demo_home / "demo")
    with Platform(settings) as platform:
        (scene,) = find_scenes(str(catalog.catalog.parent / SMALLEST / f"{SMALLEST}.json"), settings)
        assert isinstance(scene, Scene)
        assert ingest_scene(platform, scene).status == "ingested"
        yield platform


def demo_questions(home: Path) -> list[dict[str, Any]]:
    lines = (home / "demo" / "truth" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 35
    return [asked for line in lines if (asked := json.loads(line))["scene"] == SMALLEST]


def test_free_answers_say_what_their_cues_show(demo_platform: Platform, demo_home: Path) -> None:
    """Every number and place is that of the cues that count; of what was not found only that is said."""
    truth = demo_home / "demo" / "truth"
    kinds: list[str] = []
    for q in [each for each in demo_questions(demo_home) if each["kind"] in ("count", "position", "absent")]:
        kind = "count" if q["kind"] == "count" else "position"
        text = f"How many {q['class']}s are there?" if kind == "count" else f"Where is the {q['class']}?"
        answer = ask(demo_platform, Question(text, scenes=(q["scene"],))).to_dict()
        said, cues = answer["answer"], [cue for cue in answer["cues"] if cue["verdict"] != "rejected"]
        if any("where presence is stated" in note for note in answer["notes"]):
            cues = []  # they are shown, and not sure enough to say that the thing is there
        about = (text, said, [cue["window"] for cue in cues], answer["notes"])
        assert answer["answered_by"] == "evidence", about
        assert (answer["outcome"] == "found") == bool(cues), about
        assert "does not show" not in said, about
        if not cues:
            assert re.match("No |I cannot recognise |What looked like ", said), about
            kinds.append("none")
            continue
        height, width = json.loads((truth / f"{q['scene']}.json").read_text(encoding="utf-8"))["size"]
        assert all(quadrant(cue["window"], width, height) in said for cue in cues), about
        if kind == "count":
            assert answer["result"][0]["value"] == len(cues), about
            assert re.search(rf"\b{len(cues)}\b", said), about
        kinds.append(kind)
    assert min(kinds.count(kind) for kind in ("none", "count", "position")) >= 2, kinds


def quadrant(window: list[int], width: int, height: int) -> str:
    """Where the centre of a window (x0, y0, x1, y1) lies."""
    x, y = (window[0] + window[2]) / 2, (window[1] + window[3]) / 2
    return f"{'upper' if y < height / 2 else 'lower'} {'left' if x < width / 2 else 'right'}"
