"""Vectors of fixed lists of texts, kept on disk: the same as embedded anew, and never in the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imagerag_assets.encoders.kept_texts import LEAST, kept
from imagerag_assets.encoders.open_clip_encoder import OpenClipEncoder
from imagerag_assets.encoders.registry import encoder_spec
from imagerag_assets.encoders.types import Vectors
from imagerag_assets.settings import Settings
from tests.tiny_encoder import NAME, tiny_registry, tiny_settings  # noqa: F401

TEXTS = [f"thing {number}" for number in range(LEAST)]
VECTORS = np.random.default_rng(0).normal(size=(LEAST, 8)).astype(np.float32)


class Embedding:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Vectors:
        self.calls += 1
        return VECTORS


def test_a_list_is_embedded_once_for_each_encoder_and_arithmetic(tmp_path: Path) -> None:
    embed = Embedding()
    for by, calls in (("one float32", 1), ("one float32", 1), ("one bfloat16", 2), ("two float32", 3)):
        assert np.array_equal(kept(tmp_path / "new" / "folder", TEXTS, 8, by, embed), VECTORS)
        assert embed.calls == calls
    kept(tmp_path / "new" / "folder", [*TEXTS[1:], "another"], 8, "one float32", embed)
    assert embed.calls == 4


def test_phrases_of_a_question_are_not_kept(tmp_path: Path) -> None:
    kept(tmp_path, TEXTS[:-1], 8, "one", Embedding())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"oops", b"\x93NUMPY\x01\x00v\x00{'descr'"])
def test_a_damaged_file_is_replaced(content: bytes, tmp_path: Path) -> None:
    embed = Embedding()
    kept(tmp_path, TEXTS, 8, "one", embed)
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    for bad in (content, good[:-9]):
        file.write_bytes(bad)
        assert np.array_equal(kept(tmp_path, TEXTS, 8, "one", embed), VECTORS)
        assert file.read_bytes() == good
    np.save(file, np.full((LEAST, 8), np.nan, np.float32))
    assert np.array_equal(kept(tmp_path, TEXTS, 8, "one", embed), VECTORS)


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert np.array_equal(kept(tmp_path / "file" / "texts", TEXTS, 8, "one", Embedding()), VECTORS)


def test_a_list_is_found_again_whatever_of_it_was_asked_before(
    tiny_settings: Settings,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = tiny_settings.model_copy(update={"cache": tmp_path / "cache"})
    spec = encoder_spec(NAME, settings)
    vectors = OpenClipEncoder(spec, settings).encode_texts(TEXTS)
    again = OpenClipEncoder(spec, settings)
    again.encode_texts(TEXTS[3:4])
    monkeypatch.setattr(again, "_through_templates", lambda _: pytest.fail("embedded anew"))
    assert np.array_equal(again.encode_texts(TEXTS), vectors)
    assert len(list((tmp_path / "cache" / "texts").iterdir())) == 1
