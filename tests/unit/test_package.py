"""The few names that programs import from the package itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import imagerag_assets
from imagerag_assets import Platform, ingest
from tests.conftest import PROJECT
from tests.small_source import write_source


def test_importing_the_package_loads_nothing_heavy() -> None:
    check = "import sys, imagerag_assets; print(*{'dagster', 'torch', 'numpy', 'pydantic'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_the_names_are_there_and_others_are_not() -> None:
    names = {"Installation", "Platform", "Question", "ask", "ingest", "load_settings", "open"}
    assert set(imagerag_assets.__all__) == names
    assert all(callable(getattr(imagerag_assets, name)) for name in imagerag_assets.__all__)
    assert set(imagerag_assets.__all__) <= set(dir(imagerag_assets))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        imagerag_assets.nonsense  # noqa: B018


def test_a_source_is_ingested_without_dagster(platform: Platform, tmp_path: Path) -> None:
    catalog = write_source(tmp_path / "source", ("one", "two", "broken"))
    (tmp_path / "source" / "broken.tif").write_bytes(b"no raster")
    found = {result.scene: result for result in ingest(platform, str(catalog))}
    assert {key: result.status for key, result in found.items()} == {
        "one": "ingested", "two": "ingested", "broken": "failed",
    }  # fmt: skip
    assert "broken.tif" in (found["broken"].error or "")
    assert [result.status for result in ingest(platform, str(catalog), scenes=["one"])] == ["skipped"]


def test_the_wheel_has_the_package_without_how_its_models_were_made() -> None:
    import tomllib

    from setuptools import find_packages

    chosen = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = find_packages(str(PROJECT), **chosen["packages"]["find"])
    rooms = {f"imagerag_assets.{path.parent.name}" for path in (PROJECT / "imagerag_assets").glob("*/__init__.py")}
    assert rooms <= set(found)
    assert not [name for name in found if name.startswith("imagerag_assets.demo.models")]
    data = chosen["package-data"]["imagerag_assets"]
    folder = PROJECT / "imagerag_assets"
    packed = {path.relative_to(folder).as_posix() for pattern in data for path in folder.glob(pattern)}
    assert {"py.typed", "knowledge/glossary.json", "weights/encoder-demo/model.safetensors"} <= packed
    assert any(name.endswith("registry.toml") for name in packed)
    assert any(name.endswith(".html") for name in packed)
