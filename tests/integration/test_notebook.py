"""The tour notebook runs from its first cell to its last, in a fresh home, with the packaged models."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

PROJECT = Path(__file__).resolve().parents[2]
NOTEBOOK = PROJECT / "notebooks" / "tour.ipynb"


def read_notebook() -> NotebookNode:
    """The notebook as it is in the repository."""
    return nbformat.read(NOTEBOOK, as_version=4)


def printed(notebook: NotebookNode) -> str:
    """Everything the cells wrote, as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(each.get("text", "") or each.get("data", {}).get("text/markdown", "") for each in outputs)


def test_the_notebook_is_stored_without_outputs() -> None:
    notebook = read_notebook()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "IMAGERAG_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "1",
        # The kernel imports the package that is tested, and keeps its own files here.
        "PYTHONPATH": str(PROJECT),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "jupyter"),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    notebook = read_notebook()
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    text = printed(notebook)
    assert "1 scenes, 0 items that cannot be used" in text
    assert text.count("status='ingested'") == 1
    assert text.count("status='skipped'") == 1
    assert text.count("by path `") == 3
    assert "answer 20" in text  # the lineage starts at the answer's id, which is a date
    assert "item small-lakeside" in text
    data = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())]
    # Stored evidence is JPEG alone: an overview for each question, and at least one cue.
    assert sum("image/jpeg" in each and "image/png" not in each for each in data) >= 4
    assert (tmp_path / "home" / "objects" / "scenes").is_dir()
