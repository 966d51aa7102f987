"""Which folders are sources of STAC items, and which of plain files; and how a document is read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import holds_stac, list_folder, parse


@pytest.mark.parametrize(
    ("content", "stac"),
    [
        (b'{"type": "Feature", "stac_version": "1.0.0"}', True),
        (b'{"type": "Fea', True),
        (b"", True),
        (b"<html>503</html>", True),
        (b"not json", False),
        (b"[1, 2]", False),
        (b'{"made": "by a camera"}', False),
        (b"\x00\x05\x16\x07", False),
    ],
)
def test_junk_beside_rasters_is_no_item(tmp_path: Path, settings: Settings, content: bytes, stac: bool) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert holds_stac([str(tmp_path / "a.json")], settings) is stac


def test_a_folder_is_listed_at_any_depth(tmp_path: Path, settings: Settings) -> None:
    for name in ("a.json", "b.tif", "deep/er/c.tif", "deep/.hidden.tif", "._a.json", "._b.tif", "d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "lost+found").mkdir()
    folder = list_folder(str(tmp_path), settings)
    assert [Path(name).name for name in folder.documents] == ["a.json"]
    assert [Path(name).name for name in folder.rasters] == ["b.tif", "c.tif"]
    assert folder.problems == ()


ITEM = {"type": "Feature", "stac_version": "1.0.0", "properties": {"title": "Köln"}}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_document_is_read_in_each_form_of_unicode_and_gzipped(
    encoding: str, zipped: bool, settings: Settings
) -> None:
    data = json.dumps(ITEM, ensure_ascii=False).encode(encoding)
    assert parse(gzip.compress(data) if zipped else data, "a.json", settings) == ITEM


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (json.dumps(ITEM, ensure_ascii=False).encode("latin-1"), "not Unicode text.*Write it in UTF-8"),
        (gzip.compress(b"{}", mtime=0)[:-6], "damaged"),
        (b"\x1f\x8bnothing", "damaged"),
        (gzip.compress(b"", mtime=0), "is empty"),
    ],
    ids=["another-encoding", "truncated", "not-gzip", "empty"],
)
def test_a_document_that_cannot_be_read_is_one_line(data: bytes, why: str, settings: Settings) -> None:
    with pytest.raises(SourceError, match=why) as told:
        parse(data, "a.json", settings)
    assert "\n" not in str(told.value)


def test_a_document_that_unzips_to_too_much_is_refused(settings: Settings) -> None:
    small = settings.model_copy(update={"limit_document_bytes": 1000})
    with pytest.raises(SourceError, match="1,000 bytes when it is unzipped.*IMAGERAG_LIMIT_DOCUMENT_BYTES"):
        parse(gzip.compress(b" " * 2000 + b"{}"), "a.json", small)
