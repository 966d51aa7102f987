"""Renaming and removing labels of a built knowledge base, and what a build would make: real files and real Milvus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.errors import KnowledgeError, LockedError
from imagerag_assets.knowledge import relabel as module
from imagerag_assets.knowledge.build import build, build_labels
from imagerag_assets.knowledge.edits import Edit, edited_words, forget_edits, read_edits
from imagerag_assets.knowledge.preview import preview
from imagerag_assets.knowledge.relabel import KIND, LOCK, check_edit, list_labels, new_name, open_labels, relabel
from imagerag_assets.knowledge.types import PROTOTYPE, read_current
from imagerag_assets.objects.locks import held
from imagerag_assets.stores.milvus_filter import Filter
from tests.unit.retrieval.world import AxisEncoder, World

MakeWorld = Callable[..., World]


def picture(path: Path, red: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[..., 0] = red
    Image.fromarray(pixels).save(path)


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    """Three labels, of which the words of one come from a file."""
    folder = tmp_path / "chips"
    for red, name in ((1, "ship"), (2, "aeroplane"), (3, "jet")):
        for number in range(2):
            picture(folder / name / f"{number}.png", red)
    (folder / "labels.json").write_text('{"jet": {"label": "jet", "means": "It has no propeller."}}')
    return folder


def labels(world: World) -> dict[str, int]:
    return {each.label: each.exemplars for each in list_labels(world, open_labels(world))}


def rows(world: World) -> list[dict[str, Any]]:
    live = open_labels(world)
    fields = ["label", "text", "image", "kb_version", "embedding"]
    return world.vectors.query(live.images, Filter(), fields) + world.vectors.query(live.texts, Filter(), fields)


def rename(world: World, label: str, to: str) -> module.Relabelled:
    return relabel(world, Edit.now("rename", label, new_name(to)))


def remove(world: World, label: str) -> module.Relabelled:
    return relabel(world, Edit.now("remove", label))


def test_a_rename_embeds_nothing_and_leaves_no_old_row(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    build_labels(world, str(chips))
    seen, before = world.encoder.encoded_images, open_labels(world)
    done = rename(world, "jet", "swept  wing\n")
    assert (done.exemplars, done.merged, done.edit.to) == (2, False, "swept wing")
    assert labels(world) == {"aeroplane": 2, "ship": 2, "swept wing": 2}
    assert world.encoder.encoded_images == seen
    live = open_labels(world)
    assert (live.base, live.exemplars, live.labels) == (before.version, 6, 3)
    assert [each["label"] for each in live.edits] == ["jet"] and live.edits[0]["at"]
    found = rows(world)
    assert {row["kb_version"] for row in found} == {live.version[:16]}
    assert not [row for row in found if row["label"] == "jet"]
    said = {row["text"] for row in found if row["label"] == "swept wing"}
    assert {"swept wing", "It has no propeller."} <= said and "jet" not in said


def test_a_rename_to_a_label_that_is_there_merges(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    build_labels(world, str(chips))
    assert check_edit(world, Edit.now("rename", "jet", "aeroplane"))
    assert not check_edit(world, Edit.now("rename", "jet", "glider"))
    done = rename(world, "jet", "aeroplane")
    assert (done.merged, labels(world)) == (True, {"aeroplane": 4, "ship": 2})
    (merged,) = [each for each in list_labels(world, open_labels(world)) if each.label == "aeroplane"]
    assert merged.sources == {"aeroplane": 2, "jet": 2}
    assert merged.texts[0] == "aeroplane" and "It has no propeller." in merged.texts
    images = world.vectors.query(open_labels(world).images, Filter(), ["label", "image", "embedding"])
    (mean,) = [row for row in images if row["label"] == "aeroplane" and row["image"] == PROTOTYPE]
    vector = mean["embedding"]
    assert vector[2] == pytest.approx(vector[3], abs=1e-6)  # half of each
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_builds_keep_what_was_changed_until_it_is_forgotten(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    build_labels(world, str(chips))
    rename(world, "jet", "glider")
    remove(world, "ship")
    seen = world.encoder.encoded_images
    again = build_labels(world, f"{chips.parent}/x/../chips")  # the same folder, written in another way
    assert not again.changed
    assert world.encoder.encoded_images == seen
    picture(chips / "jet" / "more.png", 3)
    assert build_labels(world, str(chips)).changed
    assert labels(world) == {"aeroplane": 2, "glider": 3}
    forget_edits(world.store, KIND, str(chips))
    build_labels(world, str(chips))
    assert labels(world) == {"aeroplane": 2, "jet": 3, "ship": 2}
    assert open_labels(world).edits == ()
    assert {row["kb_version"] for row in rows(world)} == {open_labels(world).version[:16]}


def test_every_encoder_has_the_change_and_one_that_comes_later_too(make_world: MakeWorld, chips: Path) -> None:
    one, other = make_world(), make_world(AxisEncoder(fingerprint="d" * 64))
    build_labels(one, str(chips))
    build_labels(other, str(chips), switch_alias=False)
    rename(one, "jet", "glider")
    assert labels(one) == labels(other) == {"aeroplane": 2, "glider": 2, "ship": 2}
    third = make_world(AxisEncoder(fingerprint="e" * 64))
    build(third, "labels", open_labels(one).source, switch_alias=False)  # as a backfill does
    assert labels(third) == labels(one)
    assert open_labels(third).version == open_labels(one).version


@pytest.mark.parametrize("at", ["_derive", "record_of", "drop_other_versions"])
def test_a_kill_at_any_step_is_finished_by_the_same_command(
    make_world: MakeWorld, chips: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    world = make_world()
    build_labels(world, str(chips))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, at, killed)
        with pytest.raises(KeyboardInterrupt):
            rename(world, "jet", "glider")
    if at == "drop_other_versions":  # all but the rows that nobody reads is done
        with pytest.raises(KnowledgeError, match="renamed to 'glider'"):
            rename(world, "jet", "glider")
    else:
        rename(world, "jet", "glider")
    assert labels(world) == {"aeroplane": 2, "glider": 2, "ship": 2}
    assert len(open_labels(world).edits) == 1  # asked for once
    remove(world, "ship")
    assert {row["kb_version"] for row in rows(world)} == {open_labels(world).version[:16]}


def test_a_build_finishes_an_interrupted_change_as_well(
    make_world: MakeWorld, chips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    build_labels(world, str(chips))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_derive", None)
        with pytest.raises(TypeError):
            remove(world, "ship")
    assert build_labels(world, str(chips)).changed
    assert labels(world) == {"aeroplane": 2, "jet": 2}


def test_what_cannot_be_done_is_said_and_changes_nothing(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    with pytest.raises(KnowledgeError, match="no knowledge base of labels"):
        remove(world, "ship")
    build_labels(world, str(chips))
    before = world.store.list()
    with pytest.raises(KnowledgeError, match="Did you mean ship"):
        rename(world, "shp", "boat")
    with pytest.raises(KnowledgeError, match="is called 'ship' already"):
        rename(world, "ship", "ship")
    for name, why in (("", "1 to 200 characters"), ("x" * 201, "1 to 200"), ("7", "a number"), (" 1.0 ", "a number")):
        with pytest.raises(KnowledgeError, match=why):
            new_name(name)
    with held(world.store, LOCK), pytest.raises(LockedError):
        remove(world, "ship")
    assert [key for key in world.store.list() if not key.startswith("locks/")] == before
    remove(world, "ship")
    edits = open_labels(world).edits
    for again in (lambda: remove(world, "ship"), lambda: rename(world, "ship", "boat")):
        with pytest.raises(KnowledgeError, match=r"There is no label 'ship': it was removed on 20\d\d-") as told:
            again()
        assert told.value.exit_code == 2 and open_labels(world).edits == edits
    remove(world, "jet")
    with pytest.raises(KnowledgeError, match="No label would be left"):
        remove(world, "aeroplane")
    assert labels(world) == {"aeroplane": 2}


def test_a_source_of_which_all_is_removed_is_one_clear_line(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    build_labels(world, str(chips))
    for name in ("ship", "jet"):
        remove(world, name)
    for file in (chips / "aeroplane").iterdir():
        file.unlink()
    with pytest.raises(KnowledgeError, match="Every label of the source was removed"):
        build_labels(world, str(chips))
    assert labels(world) == {"aeroplane": 2}


def test_damaged_edits_are_one_clear_line(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    build_labels(world, str(chips))
    rename(world, "jet", "glider")
    (key,) = world.store.list(f"knowledge/{KIND}/edits")
    world.store.write_json(key, {"edits": [{"oops": 1}]})
    with pytest.raises(Exception, match="renamed and removed labels is damaged"):
        build_labels(world, str(chips))
    world.store.delete(key)  # as a person may: what is live keeps its edits, and the next one follows them
    rename(world, "ship", "boat")
    assert labels(world) == {"aeroplane": 2, "boat": 2, "glider": 2}
    assert [each.label for each in read_edits(world.store, KIND, str(chips))] == ["jet", "ship"]


def test_words_follow_the_edits_in_order() -> None:
    words = {"a": ("a", "first"), "b": ("b",), "c": ("c",)}
    at = "2030-01-01"
    called, left = edited_words(
        words,
        [Edit("rename", "a", "b", at), Edit("rename", "b", "d", at), Edit("remove", "c", None, at),
         Edit("rename", "gone", "e", at)],
    )  # fmt: skip
    assert called == {"a": "d", "b": "d", "c": None}
    assert left == {"d": ("d", "first")}
    assert edited_words(words, [Edit("remove", "a", None, at), Edit("rename", "b", "a", at)])[0]["a"] is None


class TestPreview:
    """`knowledge.preview`: what a build would make."""

    def test_nothing_is_written_and_the_build_makes_the_same(self, make_world: MakeWorld, chips: Path) -> None:
        world = make_world()
        (chips / "ship" / "broken.png").write_bytes(b"nothing")
        picture(chips / "7" / "a.png", 1)
        told: list[tuple[int, int]] = []
        found = preview(world, "labels", str(chips), progress=lambda done, total, _: told.append((done, total)))
        assert (world.store.list(), world.encoder.encoded_images) == ([], 0)
        assert not world.vectors.aliases()
        assert told[-1] == (7, 7)
        assert found["totals"] == {
            "labels": 3, "exemplars": 6, "new": 3, "changed": 0, "same": 0, "gone": 0, "left_out": 2,
        }  # fmt: skip
        assert {each["name"] for each in found["left_out"]} == {"7", "ship/broken.png"}
        report = build_labels(world, str(chips))
        assert (report.labels, report.exemplars, report.version) == (3, 6, found["version"])
        again = preview(world, "labels", str(chips))
        assert (again["changed"], again["totals"]["same"]) == (False, 3)

    def test_what_would_be_new_changed_and_gone(self, make_world: MakeWorld, chips: Path) -> None:
        world = make_world()
        build_labels(world, str(chips))
        remove(world, "ship")
        picture(chips / "aeroplane" / "more.png", 2)
        picture(chips / "crane" / "a.png", 5)
        for file in (chips / "jet").iterdir():
            file.unlink()
        found = preview(world, "labels", str(chips))
        states = {each["label"]: (each["state"], each["before"], each["exemplars"]) for each in found["labels"]}
        assert states == {"aeroplane": ("changed", 2, 3), "crane": ("new", 0, 1), "jet": ("gone", 2, 0)}
        assert found["changed"] and found["edits"][0]["action"] == "remove"
        assert found["left_out"][0]["name"] == "ship" and "was removed on" in found["left_out"][0]["reason"]
        fresh = preview(world, "labels", str(chips), as_in_source=True)
        assert {each["label"] for each in fresh["labels"]} == {"aeroplane", "crane", "jet", "ship"}

    def test_captions_and_bad_sources(self, make_world: MakeWorld, chips: Path, tmp_path: Path) -> None:
        world = make_world()
        lines = ['{"image": "chips/ship/0.png", "caption": "7"}', '{"image": "gone.png", "caption": "x"}', "oops"]
        (tmp_path / "captions.jsonl").write_text("\n".join(lines))
        found = preview(world, "captions", str(tmp_path / "captions.jsonl"))
        assert (found["labels"], found["totals"]["exemplars"], found["totals"]["left_out"]) == ([], 1, 2)
        with pytest.raises(KnowledgeError, match="IMAGERAG_KNOWLEDGE_LABELS"):
            preview(world, "labels")
        (tmp_path / "bad" / "ship").mkdir(parents=True)
        (tmp_path / "bad" / "ship" / "a.png").write_bytes(b"x")
        with pytest.raises(KnowledgeError, match="None of 1 pictures can be used"):
            preview(world, "labels", str(tmp_path / "bad"))


def test_a_record_of_an_earlier_version_is_read(make_world: MakeWorld, chips: Path) -> None:
    world = make_world()
    build_labels(world, str(chips))
    (key,) = world.store.list(f"knowledge/{KIND}/current")
    assert not {"base", "edits"} & set(world.store.read_json(key))  # earlier versions read it, too
    live = read_current(world.store, KIND, world.encoder.fingerprint)
    assert live is not None and (live.base, live.edits) == ("", ())
