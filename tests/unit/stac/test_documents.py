"""Which folders are sources of STAC items, and which of plain files."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import holds_stac, list_folder


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
