"""`imagerag calibrate` and `imagerag encoders words`, as typed, with an encoder that nothing is known of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagerag_assets.cli import main
from imagerag_assets.installation.platform import Platform
from imagerag_assets.retrieval.calibration import GENERIC, save_calibration
from imagerag_assets.retrieval.word_reach import load_reaches
from imagerag_assets.settings import Settings
from tests.few_words import few_words
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.items import texture, write_scene


def typed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    found = main([*words, "--json"])
    out, err = capsys.readouterr()
    assert found == code, (out, err)
    return json.loads(out)


def test_calibration_and_words_of_an_unknown_encoder(
    installed: Settings,  # noqa: F811
    milvus_stays: None,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = typed(capsys, "calibrate", code=2)
    assert "No scene is embedded" in refused["error"]["message"]

    source = tmp_path / "source"
    write_scene(source, "texture", texture(256, 256))
    write_scene(source, "constant", np.full((1, 256, 256), 90, np.uint8))
    typed(capsys, "ingest", str(source))

    words = typed(capsys, "encoders", "words", "tennis court", "zxcvbn", "tennis court")
    assert (words["measured"], len(words["words"])) == (None, 2)
    assert "imagerag calibrate" in words["notes"][0]

    with few_words():
        made = typed(capsys, "calibrate")
    assert (made["stored"], made["kind"]) == (False, "default")
    assert made["calibration"].startswith("default-")
    assert any("Give --labels" in note or "give --labels" in note for note in made["notes"])
    words = typed(capsys, "encoders", "words", "tennis court", "zxcvbn")
    assert (words["measured"], words["notes"]) == ("imagery", [])
    assert {each["by"] for each in words["words"]} <= {"imagery", "text"}

    (tmp_path / "labels.csv").write_text("phrase,scene,box,absent\nship,texture,0 0 9 9,\nship,texture,,yes\n")
    wrong = typed(capsys, "calibrate", "--labels", str(tmp_path / "labels.csv"), code=2)
    assert "as absent from texture and as seen there" in wrong["error"]["message"]

    with Platform(installed) as platform:
        fingerprint = platform.fingerprint
        assert load_reaches(platform.store, fingerprint) is not None
        save_calibration(
            platform.store, replace(GENERIC, fingerprint=fingerprint, division=made["division"], kind="labelled")
        )
    with few_words():
        assert typed(capsys, "calibrate")["kind"] == "labelled"
    assert main(["encoders", "words", "ship"]) == 0
    assert "told apart" in capsys.readouterr().out
