"""Building knowledge bases: complete, repeatable, and unharmed by bad pictures, lost stores and kills."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.errors import KnowledgeError
from imagerag_assets.knowledge.build import build, build_captions, build_labels
from imagerag_assets.knowledge.types import PROTOTYPE, read_current
from imagerag_assets.stores.milvus_filter import Filter
from tests.unit.retrieval.world import AxisEncoder, World

MakeWorld = Callable[..., World]


def picture(path: Path, red: int, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size, size, 3), np.uint8)
    pixels[..., 0] = red
    Image.fromarray(pixels).save(path)


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    """Two labels, two sizes of picture, one broken."""
    folder = tmp_path / "chips"
    for index in range(3):
        picture(folder / "ship" / f"{index}.png", 1, size=8 + index % 2)
        picture(folder / "tennis_court" / f"{index}.png", 2)
    (folder / "ship" / "broken.png").write_bytes(b"nothing")
    return folder


def rows(world: World, collection: str) -> list[dict[str, object]]:
    return world.vectors.query(collection, Filter(), ["label", "text", "image", "kb_version", "embedding"])


def test_labels(make_world: MakeWorld, chips: Path) -> None:
    world, told = make_world(), []
    report = build_labels(world, str(chips), progress=lambda done, total, _: told.append((done, total)))
    assert (report.labels, report.exemplars, report.changed) == (2, 6, True)
    assert [(failure.name, failure.reason) for failure in report.failed] == [
        ("ship/broken.png", "not a picture of a known format")
    ]
    assert told[-1] == (7, 7)
    assert world.vectors.alias_target("knowledge_labels") == report.collection
    found = rows(world, "knowledge_labels")
    assert len(found) == 8  # six exemplars, two prototypes
    prototypes = {row["label"]: row["embedding"] for row in found if row["image"] == PROTOTYPE}
    assert set(prototypes) == {"ship", "tennis court"}
    for vector in prototypes.values():
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_again_does_nothing(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    first = build(world, "labels", str(chips))
    seen, files = world.encoder.encoded_images, world.store.list()
    again = build(world, "labels", str(chips))
    assert not again.changed
    assert again.version == first.version
    assert again.failed == first.failed
    assert world.encoder.encoded_images == seen
    assert world.store.list() == files


def test_a_lost_collection_comes_back_without_the_encoder(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    report = build_labels(world, str(chips))
    seen = world.encoder.encoded_images
    world.vectors.client.drop_alias("knowledge_labels")
    world.vectors.drop(report.collection)
    assert build_labels(world, str(chips)).changed
    assert world.encoder.encoded_images == seen
    assert len(rows(world, "knowledge_labels")) == 8


def test_a_changed_picture_leaves_no_old_rows(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    first = build_labels(world, str(chips))
    picture(chips / "ship" / "broken.png", 9)
    second = build_labels(world, str(chips))
    assert second.version != first.version
    assert second.exemplars == 7
    assert second.failed == ()
    live = read_current(world.store, "knowledge_labels", world.encoder.fingerprint)
    assert live is not None
    assert live.version == second.version
    assert {row["kb_version"] for row in rows(world, live.images)} == {second.version[:16]}
    assert {row["kb_version"] for row in rows(world, live.texts)} == {second.version[:16]}


def test_another_encoder_is_filled_beside_and_shares_the_texts(make_world: MakeWorld, chips: Path) -> None:
    one, other = make_world(), make_world(AxisEncoder(fingerprint="d" * 64))
    first, second = build_labels(one, str(chips)), build_labels(other, str(chips), switch_alias=False)
    assert one.vectors.alias_target("knowledge_labels") == first.collection != second.collection
    lives = [read_current(world.store, "knowledge_labels", world.encoder.fingerprint) for world in (one, other)]
    assert len({live.texts for live in lives if live}) == 1
    assert not build_labels(one, str(chips)).changed


def test_a_kill_before_the_switch_is_finished_by_the_next_run(
    make_world: MakeWorld, chips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    first = build_labels(world, str(chips))
    picture(chips / "ship" / "more.png", 1)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(world.store), "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            build_labels(world, str(chips))
    live = read_current(world.store, "knowledge_labels", world.encoder.fingerprint)
    assert live is not None
    assert live.version == first.version
    assert world.vectors.count(live.images, Filter().one_of("kb_version", [first.version[:16]])) == 8
    assert build_labels(world, str(chips)).changed
    assert len(rows(world, "knowledge_labels")) == 9


def test_captions(make_world: MakeWorld, chips: Path, tmp_path: Path) -> None:
    lines = [
        '{"image": "chips/ship/0.png", "captions": ["A ship on a lake.", "A vessel."]}',
        '{"image": "chips/ship/gone.png", "caption": "Not there."}',
        "oops",
    ]
    source = tmp_path / "captions.jsonl"
    source.write_text("\n".join(lines), encoding="utf-8")
    world = make_world()
    report = build_captions(world, str(source))
    assert (report.labels, report.exemplars) == (1, 1)
    assert sorted(failure.name for failure in report.failed) == ["chips/ship/gone.png", "line 3"]
    live = read_current(world.store, "knowledge_captions", world.encoder.fingerprint)
    assert live is not None
    assert live.text_rows == 2
    assert live.image_rows == 2


def test_nothing_usable_is_one_clear_line(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    with pytest.raises(KnowledgeError, match="IMAGERAG_KNOWLEDGE_LABELS"):
        build(world, "labels")
    (tmp_path / "ship").mkdir()
    (tmp_path / "ship" / "a.png").write_bytes(b"x")
    with pytest.raises(KnowledgeError, match="None of 1 pictures can be used"):
        build_labels(world, str(tmp_path))
    assert world.vectors.alias_target("knowledge_labels") is None
