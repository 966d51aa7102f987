"""`imagerag knowledge build --dry-run` and `imagerag knowledge labels`, as typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0, text: bool = False) -> Any:
    capsys.readouterr()
    found = main([*words, *([] if text else ["--json"])])
    out, err = capsys.readouterr()
    assert found == code, (out, err)
    assert "Traceback" not in err
    return " ".join(out.split()) if text else json.loads(out)


@pytest.fixture
def chips(tmp_path: Path) -> str:
    for number, name in enumerate(("ship", "pier", "jetty", "7")):
        (tmp_path / "chips" / name).mkdir(parents=True)
        Image.new("RGB", (64, 64), (40 * number, 90, 20)).save(tmp_path / "chips" / name / "a.png")
    return str(tmp_path / "chips")


@pytest.mark.usefixtures("milvus_stays")
def test_labels_from_first_look_to_removal(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
    chips: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = run(capsys, "knowledge", "labels", code=2)["error"]
    assert "knowledge build labels" in error["fix"]
    for words in (
        ["knowledge", "build", "labels", chips, "--dry-run"],
        ["knowledge", "build", "--dry-run", "labels", chips],
    ):
        seen = run(capsys, *words)
        assert (seen["dry_run"], seen["totals"]["new"], seen["left_out"][0]["name"]) == (True, 3, "7")
    assert "codes have no names" in run(capsys, *words, text=True)
    assert not (installed.home / "objects" / "knowledge").exists()

    assert run(capsys, "knowledge", "build", "labels", chips)["labels"] == 3
    listed = run(capsys, "knowledge", "labels")
    assert {each["label"]: each["exemplars"] for each in listed["labels"]} == {"jetty": 1, "pier": 1, "ship": 1}
    assert "Did you mean ship" in run(capsys, "knowledge", "labels", "rename", "shp", "boat", code=2)["error"]["fix"]
    assert "codes are no names" in run(capsys, "knowledge", "labels", "rename", "ship", "7", code=2)["error"]["message"]
    assert run(capsys, "knowledge", "labels", "rename", "ship", "boat")["merged"] is False
    assert "Add --yes" in run(capsys, "knowledge", "labels", "rename", "jetty", "pier", code=2)["error"]["fix"]
    assert run(capsys, "knowledge", "labels", "rename", "jetty", "pier", "--yes")["merged"] is True
    assert "Add --yes" in run(capsys, "knowledge", "labels", "remove", "boat", code=2)["error"]["fix"]
    done = run(capsys, "knowledge", "labels", "remove", "boat", "--yes")
    assert (done["exemplars"], done["labels"]) == (1, 1)
    gone = run(capsys, "knowledge", "labels", "remove", "boat", "--yes", code=2)["error"]
    assert "There is no label 'boat': it was removed on" in gone["message"]
    gone = run(capsys, "knowledge", "labels", "rename", "jetty", "quay", code=2)["error"]
    assert "There is no label 'jetty': it was renamed to 'pier' on" in gone["message"]
    shown = run(capsys, "knowledge", "labels", "list", text=True)
    assert "rename 'jetty' to 'pier'" in shown and "remove 'boat'" in shown
    with dagster_instance(installed) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("knowledge_labels"))
        made = event.asset_materialization if event else None
        assert made is not None and made.description == "remove 'boat'"

    assert run(capsys, "knowledge", "build", "labels", chips)["changed"] is False
    assert run(capsys, "knowledge", "build", "labels", chips, "--as-in-source")["labels"] == 3
    assert run(capsys, "knowledge", "labels")["edits"] == []
