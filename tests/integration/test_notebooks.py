"""The notebooks run from their first cell to their last, on the packaged models, and are stored with their outputs.

Cells run in this process: a kernel for each would load the models six times.  All share an installation, as a person's
notebooks do, so that a scene is ingested once.
"""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from contextlib import chdir, closing, redirect_stdout
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus_connection import lite_path
from imagerag_assets.stores.milvus_lite_share import LiteShare
from tests.conftest import NIGHTLY

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
nightly = pytest.mark.skipif(not NIGHTLY, reason="takes ten seconds; runs with NIGHTLY=1")
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
LARGEST = 1_500_000  # bytes of a notebook with its pictures


def read_notebook(name: str) -> NotebookNode:
    """A notebook as it is in the repository."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where notebooks run, with the installation that they share."""
    made = tmp_path_factory.mktemp("notebooks")
    with closing(LiteShare(lite_path(load_settings(home=made / "home", _env_file=None)))):
        yield made


@pytest.fixture(autouse=True)
def _home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGERAG_HOME", str(folder / "home"))


def run(name: str, folder: Path) -> str:
    """Run all cells in `folder`; return what they print."""
    namespace: dict[str, object] = {"__name__": "notebook"}  # cells see each other's names
    printed = io.StringIO()
    with chdir(folder), redirect_stdout(printed):
        for number, cell in enumerate(read_notebook(name).cells):
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{name}, cell {number}", "exec"), namespace)
    return printed.getvalue()


def test_each_is_listed_and_stored_with_its_outputs() -> None:
    listed = re.findall(r"\]\(([\w-]+)\.ipynb\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == NAMES
    for name in NAMES:
        notebook = read_notebook(name)
        nbformat.validate(notebook)
        assert (FOLDER / f"{name}.ipynb").stat().st_size < LARGEST
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        assert any(output.output_type == "stream" for output in outputs), name
        assert not any(output.output_type == "error" for output in outputs), name
        assert not re.search(r"/(?:tmp|home|root|work|Users)/", json.dumps(outputs)), f"{name} names this machine"
        shows = [cell for cell in notebook.cells if cell.cell_type == "code" and _shows_something(cell.source)]
        assert [cell.source for cell in shows if not cell.outputs] == [], "Run: make notebooks"


def _shows_something(source: str) -> bool:
    """Whether a cell ends with a value that a notebook shows."""
    last = ast.parse(source).body[-1]
    return isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call)


@pytest.mark.parametrize("name", NAMES)
def test_what_each_imports_is_there(name: str) -> None:
    for cell in read_notebook(name).cells:
        if cell.cell_type == "code":
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    exec(compile(ast.Module([statement], []), name, "exec"), {})


def test_tour(folder: Path) -> None:
    text = run("tour", folder)
    assert "1 scenes, 0 items that cannot be used" in text
    assert text.count("status='ingested'") == 1
    assert text.count("status='skipped'") == 1
    assert len(re.findall(r"^\d: [\w ]+, confidence [.\d]+, window", text, re.MULTILINE)) >= 2
    assert "answer 20" in text  # the lineage starts at the answer's id, which is a date
    assert "item small-lakeside" in text


def test_own_imagery(folder: Path) -> None:
    text = run("own-imagery", folder)
    assert "ingested lakeside" in text
    assert "Found" in text
    assert (folder / "notebook-data" / "cues.gpkg").is_file()


@nightly
def test_retrieval_quality(folder: Path) -> None:
    text = run("retrieval-quality", folder)
    share = re.search(r"one of three: ([.\d]+) \(95 % interval", text)
    assert share is not None and float(share[1]) > 0.5


@nightly
def test_steering(folder: Path) -> None:
    text = run("steering", folder)
    assert "version 1" in text and "version 2" in text
    after = re.search(r"right after: +\[(.*)\]", text)
    assert after is not None and after[1].startswith("True")


def test_change(folder: Path) -> None:
    text = run("change", folder)
    assert "built in between: a stadium" in text
    assert re.search(r"differ|chang|new", text)


@nightly
def test_own_encoder(folder: Path) -> None:
    text = run("own-encoder", folder)
    assert "answered with demo" in text
    assert re.search(r"from \w+ to \w+", text)
    assert "ours [" in text
    assert "back to" in text
