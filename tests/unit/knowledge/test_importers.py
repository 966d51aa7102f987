"""Knowledge sources: what is taken, what is left out and why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagerag_assets.errors import KnowledgeError
from imagerag_assets.knowledge.importers import read_captions, read_labels, read_picture
from imagerag_assets.settings import Settings


def picture(path: Path, mode: str = "RGB", size: tuple[int, int] = (6, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, 7).save(path)
    return path


def test_labels_come_from_folders(tmp_path: Path, settings: Settings) -> None:
    picture(tmp_path / "tennis_court" / "a.png")
    picture(tmp_path / "ship" / "nested" / "b.JPG")
    (tmp_path / "ship" / "notes.txt").write_text("x")
    picture(tmp_path / "loose.png")
    found = read_labels(str(tmp_path), settings)
    assert [(entry.label, entry.image) for entry in found.entries] == [
        ("ship nested", "ship/nested/b.JPG"),
        ("tennis court", "tennis_court/a.png"),
    ]


def test_labels_json_gives_the_words(tmp_path: Path, settings: Settings) -> None:
    picture(tmp_path / "tenniscourt" / "a.png")
    (tmp_path / "labels.json").write_text('{"tenniscourt": "tennis  court\\u0000"}')
    (entry,) = read_labels(str(tmp_path), settings).entries
    assert entry.label == entry.texts[0] == "tennis court"
    assert "hard court" in entry.texts
    (tmp_path / "labels.json").write_text('{"tenniscourt": {"label": "court", "also": ["a"], "means": "It is c."}}')
    assert read_labels(str(tmp_path), settings).entries[0].texts == ("court", "a", "It is c.")
    (tmp_path / "labels.json").write_text("[]")
    with pytest.raises(KnowledgeError, match=r"labels\.json is not an object"):
        read_labels(str(tmp_path), settings)


def test_a_folder_that_is_a_number_needs_a_name(tmp_path: Path, settings: Settings) -> None:
    for name in ("0", "1", "2.0", "ship"):
        picture(tmp_path / name / "a.png")
    picture(tmp_path / "1" / "b.png")
    (tmp_path / "labels.json").write_text('{"1": "plane", "2.0": {"label": "7"}}')
    found = read_labels(str(tmp_path), settings)
    assert [(entry.label, entry.image) for entry in found.entries] == [
        ("plane", "1/a.png"), ("plane", "1/b.png"), ("ship", "ship/a.png"),
    ]  # fmt: skip
    assert [each.name for each in found.failed] == ["0", "2.0"]
    assert all("codes have no names" in each.reason for each in found.failed)
    (tmp_path / "codes").mkdir()
    picture(tmp_path / "codes" / "3" / "a.png")
    with pytest.raises(KnowledgeError, match=r"No labelled pictures found \(3: its label is a number"):
        read_labels(str(tmp_path / "codes"), settings)


def test_unusable_names_are_reported(tmp_path: Path, settings: Settings) -> None:
    picture(tmp_path / "ok" / "a.png")
    picture(tmp_path / ("long" * 60) / "a.png")
    picture(tmp_path / "bad\nname" / "a.png")
    found = read_labels(str(tmp_path), settings)
    assert len(found.entries) == 1
    assert len(found.failed) == 2


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_labels_is_one_clear_line(tmp_path: Path, settings: Settings, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(KnowledgeError, match=r"No labelled pictures found.*sub-folder"):
        read_labels(str(tmp_path / name), settings)


def test_captions(tmp_path: Path, settings: Settings) -> None:
    lines = [
        json.dumps({"image": "a.png", "caption": "A  ship."}),
        "",
        json.dumps({"image": "sub/b.png", "captions": ["One.", "Two.", "One."]}),
        json.dumps({"image": "a.png", "captions": ["A vessel."]}),
        "not json",
        json.dumps({"image": "c.png"}),
        json.dumps({"image": "c.png", "caption": "\u200b"}),
        json.dumps({"caption": "no image"}),
        json.dumps(["a.png", "text"]),
    ]
    (tmp_path / "c.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = read_captions(str(tmp_path / "c.jsonl"), settings)
    assert [(entry.image, entry.texts) for entry in found.entries] == [
        ("a.png", ("A ship.", "A vessel.")),
        ("sub/b.png", ("One.", "Two.")),
    ]
    assert found.entries[1].href == str(tmp_path / "sub" / "b.png")
    assert [failure.name for failure in found.failed] == [f"line {number}" for number in (5, 6, 7, 8, 9)]


@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_captions_without_a_usable_line(tmp_path: Path, settings: Settings, content: str | None) -> None:
    path = tmp_path / "c.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KnowledgeError) as raised:
        read_captions(str(path), settings)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1"])
def test_pictures_of_every_common_mode(tmp_path: Path, settings: Settings, mode: str) -> None:
    pixels = read_picture(str(picture(tmp_path / "a.png", mode)), settings)
    assert pixels.shape == (4, 6, 3)
    assert pixels.dtype == np.uint8


def test_a_huge_picture_is_reduced(tmp_path: Path, settings: Settings) -> None:
    assert max(read_picture(str(picture(tmp_path / "a.png", "L", (5000, 10))), settings).shape) <= 2048


def test_unusable_pictures_are_one_clear_line(tmp_path: Path, settings: Settings) -> None:
    good = picture(tmp_path / "good.png", size=(64, 64)).read_bytes()
    (tmp_path / "cut.png").write_bytes(good[:60])
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    for name in ("cut", "text", "empty", "deep", "missing"):
        with pytest.raises(KnowledgeError) as raised:
            read_picture(str(tmp_path / f"{name}.png"), settings)
        assert "\n" not in str(raised.value)
        assert name in str(raised.value)
