"""Embeddings leave one installation and arrive in another: the same cues there, refused by another encoder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import dagster as dg
import geopandas
import pystac
import pytest

from imagerag_assets.objects.aside import ASIDE
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus_connection import lite_path
from imagerag_assets.stores.milvus_lite_share import LiteShare
from tests.commands import run
from tests.small_source import write_source
from tests.tiny_encoder import NAME, tiny_registry  # noqa: F401

SCENES = ("one", "two", "three")


def use(monkeypatch: pytest.MonkeyPatch, home: Path, registry: Path, encoder: str = NAME) -> None:
    """Make `home` the installation that commands of this process and of others meet."""
    home.mkdir(parents=True, exist_ok=True)
    variables = {"HOME": home, "ENCODERS_FILE": registry, "ENCODER": encoder, "MIN_CONFIDENCE": 0}  # random weights
    for name, value in variables.items():
        monkeypatch.setenv(f"IMAGERAG_{name}", str(value))


def run_elsewhere(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "imagerag_assets.cli", *arguments, "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def cues(answer: dict[str, Any]) -> list[tuple[str, float]]:
    return [(cue["patch_id"], round(cue["score"], 4)) for cue in answer["cues"]]


@pytest.fixture
def closing_together() -> Iterator[ExitStack]:
    """What a test enters here is left at its end."""
    with ExitStack() as stack:
        yield stack


def test_another_installation_finds_the_same(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tiny_registry: Path,  # noqa: F811
    tmp_path: Path,
    closing_together: ExitStack,
) -> None:
    monkeypatch.chdir(tmp_path)
    question = ("ask", "where is a boat?", "--path", "fast", "--no-answer")
    source, out = tmp_path / "source", tmp_path / "out"
    use(monkeypatch, tmp_path / "first", tiny_registry)
    stays = closing_together.enter_context
    stays(closing(LiteShare(lite_path(load_settings()))))  # each command would start a server otherwise
    assert run(capsys, "ingest", str(write_source(source, SCENES)))[0] == 0
    _, before = run(capsys, *question)
    assert before["cues"]
    left = out / "items" / "one" / f"{ASIDE}{2**22 + 1}.1-abcdefgh.parquet"  # of a killed export: no such process
    left.parent.mkdir(parents=True)
    left.write_text("half")
    code, done = run(capsys, "export", str(out))
    assert (code, done["totals"]["exported"], done["totals"]["failed"]) == (0, 3, 0)
    assert list(out.rglob(f"{ASIDE}*")) == []

    collection = pystac.Collection.from_file(str(out / "collection.json"))
    items = list(collection.get_items())
    assert sorted(item.id for item in items) == sorted(SCENES)
    for item in items:
        frame = geopandas.read_parquet(item.assets["embeddings"].get_absolute_href())
        assert frame.crs.to_string() == "OGC:CRS84"
        assert len(frame) == item.properties["imagerag:rows"]
        assert len(frame["embedding"][0]) == collection.extra_fields["emb:dimensions"]

    (parquet,) = (out / "items" / "two").rglob("embeddings.parquet")
    whole = parquet.read_bytes()
    parquet.write_bytes(whole[: len(whole) // 2])
    use(monkeypatch, tmp_path / "second", tiny_registry)
    code, found = run_elsewhere("import", str(out))
    assert code == 3
    stays(closing(LiteShare(lite_path(load_settings()))))
    assert {each["scene"]: each["status"] for each in found["scenes"]} == {
        "one": "imported", "two": "failed", "three": "imported",
    }  # fmt: skip
    (failed,) = (each["error"] for each in found["scenes"] if each["error"])
    assert "bytes" in failed and "\n" not in failed

    parquet.write_bytes(whole)
    code, found = run(capsys, "import", str(out / "collection.json"))
    assert (code, found["totals"]["imported"], found["totals"]["skipped"]) == (0, 1, 2)
    assert cues(run(capsys, *question)[1]) == cues(before)
    shutil.rmtree(source)  # out of reach: no second look at the pixels, but what was embedded is found
    code, after = run(capsys, *question)
    assert code == 0
    assert {cue["scene"] for cue in after["cues"]} == {cue["scene"] for cue in before["cues"]}
    assert any("overview" in note for note in after["notes"])
    second = load_settings()
    assert (Path(second.store_url) / "answers" / after["answer_id"] / "evidence" / "cue-1.jpg").is_file()
    with dagster_instance(second) as instance:
        assert sorted(instance.get_dynamic_partitions("scenes")) == sorted(SCENES)
        assert instance.get_materialized_partitions(dg.AssetKey("patch_collection")) == set(SCENES)

    use(monkeypatch, tmp_path / "third", tiny_registry, encoder="tiny-other")
    code, refused = run(capsys, "import", str(out))
    assert (code, refused["error"]["type"]) == (1, "FingerprintError")
    assert "stored=" in refused["error"]["message"] and "required=" in refused["error"]["message"]
    assert refused["error"]["fix"] == "Run: imagerag encoders use tiny"
    assert run(capsys, "status")[1]["scenes"] == 0
