"""Run the notebooks and store their outputs in them: `make notebooks`, or with names of some of them.

Each runs in a temporary folder, so that it starts from nothing; that folder is not named in what is stored.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).resolve().parent
_TAGS = re.compile(r"\x1b\[[0-9;]*m")


def run(path: Path) -> NotebookNode:
    """Return a notebook with the outputs of its cells.

    Raises:
        CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        for name in [name for name in os.environ if name.startswith("IMAGERAG_")]:
            del os.environ[name]
        os.environ |= {"IMAGERAG_HOME": ".imagerag", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(HERE.parent)}
        NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
        for cell in notebook.cells:
            cell.metadata = {}
            for output in cell.get("outputs", ()):
                _tidy(output, folder)
            if "outputs" in cell:  # warnings of libraries are not what a notebook shows
                cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    return notebook


def _tidy(output: NotebookNode, folder: str) -> None:
    """Take paths of this machine and colours out of an output, and store its picture as a JPEG."""
    for part, name in ((output, "text"), *((output.get("data", {}), kind) for kind in list(output.get("data", {})))):
        if isinstance(part.get(name), str):
            text = part[name].replace(folder, "...").replace(str(HERE.parent), "...")
            part[name] = _TAGS.sub("", text)
    data = output.get("data", {})
    if "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data.pop("image/png")))).convert("RGB")
        data.pop("image/jpeg", None)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=82, optimize=True)
        data["image/jpeg"] = base64.b64encode(buffer.getvalue()).decode()
    if "execution_count" in output:
        output["execution_count"] = None


def main(names: list[str]) -> None:
    """Run those that are named, or all."""
    for path in sorted(HERE.glob("*.ipynb")):
        if names and path.stem not in names:
            continue
        notebook = run(path)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.execution_count = None
        nbformat.write(notebook, path)
        print(f"stored the outputs of {path.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
