"""Scenes with signed addresses through Dagster: no signature in any file of the installation, or in what is printed."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.installation.platform import Platform
from imagerag_assets.lineage.trace import trace
from imagerag_assets.objects import signed
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.questions.question import Question
from imagerag_assets.settings import Settings
from tests.items import texture, write_item, write_tiff
from tests.signing_server import SigningServer, signing_server  # noqa: F401
from tests.tiny_encoder import tiny_registry, tiny_settings  # noqa: F401


def with_secret(folder: Path) -> list[str]:
    return [str(file) for file in folder.rglob("*") if file.is_file() and b"s3cr3t" in file.read_bytes()]


def test_no_signature_is_stored_or_said(
    tmp_path: Path,
    tiny_settings: Settings,  # noqa: F811
    signing_server: SigningServer,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    written = write_tiff(signing_server.root / "good.tif", texture(300, 300))
    (signing_server.root / "bad.tif").write_bytes(b"II*\0 no raster")

    def items(query: str) -> dict[str, Any]:
        features = []
        for name in ("good", "bad", "gone"):
            path = write_item(tmp_path / f"{name}.json", f"{signing_server.url}/{name}.tif?{query}", raster=written)
            features.append(json.loads(path.read_text()))
        return {"type": "FeatureCollection", "stac_version": "1.0.0", "features": features}

    signing_server.documents["/items.json"] = items
    source = f"{signing_server.url}/items.json?api_key=s3cr3tkey"
    with Platform(tiny_settings) as platform, open_runner(tiny_settings, platform=platform) as runner:
        first = list(runner.ingest_source(source))
        assert [each.status for each in first] == ["ingested", "failed", "failed"], first
        signed._known.clear()  # another process
        second = list(runner.ingest_source(source))
        assert [each.status for each in second] == ["skipped", "failed", "failed"], second
        signed._known.clear()
        answer = runner.ask(Question("Where is the tennis court?", answer=False))
        said = json.dumps([each.to_dict() for each in (*first, *second)]) + json.dumps(
            trace(platform, answer.answer_id)
        )
    assert "s3cr3t" not in said
    assert with_secret(tiny_settings.home) == []
    assert "s3cr3t" not in caplog.text
    assert "s3cr3t" not in "".join(capfd.readouterr())
