"""`imagerag train` as it is typed: its result, and what is said about bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.small_source import write_source
from tests.unit.cli.test_app import Ran, home  # noqa: F401


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A catalog of two scenes, with a good labels file beside it."""
    catalog = write_source(tmp_path / "source")
    rows = [
        {"scene": scene, "class": name, "window": [30 * index, 40, 30 * index + 25, 70]}
        for scene in ("one", "two")
        for index, name in enumerate(("ship", "pier", "pier"))
    ]
    write_labels(tmp_path, *rows)
    return str(catalog)


def write_labels(folder: Path, *rows: object) -> None:
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def test_data_from_a_source(capsys: pytest.CaptureFixture[str], source: str, tmp_path: Path) -> None:
    arguments = ["train", "data", "labels.jsonl", "--source", source, "--out", "made", "--questions", "12", "--json"]
    ran = Ran(capsys, *arguments)
    assert (ran.code, ran.err) == (0, "")
    assert ran.document["train"] + ran.document["validation"] == 12
    assert ran.document["classes"] == {"ship": "ships", "pier": "piers"}
    assert json.loads((tmp_path / "made" / "about.json").read_text())["scenes"].keys() == {"one", "two"}
    assert "12" not in Ran(capsys, *arguments[:-1]).out  # it is there already
    assert "examples" in Ran(capsys, *arguments[:5], "--out", "again", "--questions", "6").out


def test_data_from_scenes_that_were_not_ingested(capsys: pytest.CaptureFixture[str], source: str) -> None:
    ran = Ran(capsys, "train", "data", "labels.jsonl", "--out", "made", "--json")
    assert ran.code == 2
    assert "There is no such scene" in ran.document["error"]["message"]
    assert ran.document["error"]["about"] == {"scene": "one"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"scene": "one", "class": "ship"}, "'window' is missing"),
        ({"scene": "three", "class": "ship", "window": [0, 0, 9, 9]}, "no scene"),
        ({"scene": "one", "class": "ship", "window": [300, 0, 309, 9]}, "outside its scene"),
    ],
)
def test_a_bad_label_is_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], source: str, tmp_path: Path, row: object, message: str
) -> None:
    write_labels(tmp_path, {"scene": "one", "class": "ship", "window": [0, 0, 9, 9]}, row)
    ran = Ran(capsys, "train", "data", "labels.jsonl", "--source", source, "--out", "made", "--json")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert message in ran.err
    assert not (tmp_path / "made").exists()
