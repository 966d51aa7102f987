"""Downloads from a model hub: a pinned one stays at its commit, a floating one is told, and no code comes with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.encoders.registry import BUILT_IN, encoder_spec, list_encoders
from imagerag_assets.encoders.weights import find_checkpoint, floating_repository, model_folder
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings, load_settings
from tests.conftest import PROJECT
from tests.hub_server import Hub, running_hub
from tests.tiny_encoder import write_tiny_encoder
from tests.tiny_qwen import write_tiny_qwen

UNKNOWN = {
    *("siglip2-b-16", "siglip2-l-16-512", "farslip1-b-32", "git-rsclip", "qwen3-vl-embedding-2b"),
    *("pe-core-t-16", "pe-core-s-16", "pe-core-b-16", "pe-core-l-14"),
    *("mobileclip2-s2", "mobileclip2-s4", "metaclip2-worldwide-h-14"),
}
"""Entries whose commit could not be learnt: `doctor` says which one is here."""
REPOSITORY, OLD, NEW = "org/tiny", "a" * 40, "b" * 40
ENCODER = """
import json, sys
from pathlib import Path
from imagerag_assets.encoders.registry import encoder_spec, load_encoder
from imagerag_assets.encoders.weights import commit_of, find_checkpoint
from imagerag_assets.installation.doctor import examine
from imagerag_assets.settings import load_settings
settings = load_settings(_env_file=None)
found = {"commit": commit_of(find_checkpoint(encoder_spec("hub", settings), settings))}
found["fingerprint"] = load_encoder("hub", settings).fingerprint
(check,) = [each for each in examine(settings) if each.name == "encoder"]
print(json.dumps(found | check.to_dict()))
"""
MLLM = """
import json
from imagerag_assets.answering import load_mllm
from imagerag_assets.installation.doctor import examine
from imagerag_assets.settings import load_settings
settings = load_settings(_env_file=None)
revision = load_mllm(settings).revision
(check,) = [each for each in examine(settings) if each.name == "mllm"]
print(json.dumps({"revision": revision} | check.to_dict()))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub, before anything is in it."""
    with running_hub() as running:
        yield running


def run(code: str, hub: Hub, tmp_path: Path, **settings: str) -> dict[str, Any]:
    """Run code in a process of its own: the hub's address is read once."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"),
                   "IMAGERAG_HOME": str(tmp_path / "home"), **settings}  # fmt: skip
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def registry(tmp_path: Path, revision: str = "") -> str:
    (tmp_path / "own.toml").write_text(
        f'[encoders.hub]\narchitecture = "hf-hub:{REPOSITORY}"\nrevision = "{revision}"\nprecision = "float32"\n'
    )
    return str(tmp_path / "own.toml")


@pytest.fixture
def encoders(hub: Hub, tmp_path: Path) -> Hub:
    """A repository of an encoder with two commits, other weights each; its main branch is at the newer one."""
    hub.commits[REPOSITORY] = {}
    for seed, commit in enumerate((OLD, NEW)):
        folder = tmp_path / commit
        write_tiny_encoder(folder, seed=seed)
        (folder / "tiny" / "model.safetensors").rename(folder / "tiny" / "open_clip_model.safetensors")
        hub.commits[REPOSITORY][commit] = folder / "tiny"
    hub.main[REPOSITORY] = NEW
    return hub


def test_an_encoder_stays_at_its_commit(encoders: Hub, tmp_path: Path) -> None:
    settings = {"IMAGERAG_ENCODERS_FILE": registry(tmp_path, OLD), "IMAGERAG_ENCODER": "hub"}
    found = run(ENCODER, encoders, tmp_path, **settings)
    assert (found["commit"], found["status"], found["fix"]) == (OLD, "ok", "")
    assert {revision for revision, _ in encoders.asked} == {OLD}

    floating = {**settings, "IMAGERAG_ENCODERS_FILE": registry(tmp_path)}
    other = run(ENCODER, encoders, tmp_path, **floating)
    assert other["commit"] == NEW and other["fingerprint"] != found["fingerprint"]
    assert other["status"] == "warn" and REPOSITORY in other["detail"]
    assert f'revision = "{NEW}"' in other["fix"]


def test_the_configuration_of_a_hub_cannot_ask_for_code(encoders: Hub, tmp_path: Path) -> None:
    folder = encoders.commits[REPOSITORY][NEW]
    config = json.loads((folder / "open_clip_config.json").read_text())
    text = config["model_cfg"]["text_cfg"]
    text["tokenizer_kwargs"] = {"trust_remote_code": True}
    text["hf_tokenizer_name"] = REPOSITORY
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    marker = tmp_path / "ran"
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}})
    )
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / "own.py").write_text(f"open({str(marker)!r}, 'w')\nclass Own: pass\n")
    (tmp_path / "own.toml").write_text(f'[encoders.hub]\narchitecture = "hf-hub:{REPOSITORY}"\n')
    code = (
        "from imagerag_assets.encoders.weights import *\n"
        "from imagerag_assets.encoders.weights import _tokenizer\n"
        "from imagerag_assets.encoders.registry import encoder_spec\n"
        "from imagerag_assets.settings import load_settings\n"
        "settings = load_settings(_env_file=None)\n"
        "spec = encoder_spec('hub', settings)\n"
        "try:\n    _tokenizer(spec, read_architecture(spec).config)\n    said = 'loaded'\n"
        "except Exception as error:\n    said = str(error)\n"
        "print(json.dumps({'said': said}))"
    )
    found = run(code, encoders, tmp_path, IMAGERAG_ENCODERS_FILE=str(tmp_path / "own.toml"))
    assert not marker.exists()
    assert (NEW, "own.py") not in encoders.asked and ("main", "own.py") not in encoders.asked
    assert found["said"]


def test_a_language_model_is_of_one_commit_which_answers_record(hub: Hub, tmp_path: Path) -> None:
    """Only its configuration is asked of the branch, which may move on before the weights are downloaded."""
    write_tiny_qwen(tmp_path / "qwen", "qwen2_5_vl")
    hub.commits["org/qwen"], hub.main["org/qwen"] = {OLD: tmp_path / "qwen"}, OLD
    found = run(MLLM, hub, tmp_path, IMAGERAG_MLLM="org/qwen")
    assert found["revision"] == OLD
    assert (found["status"], found["fix"]) == ("warn", f"Set IMAGERAG_MLLM_REVISION={OLD}, the commit that is here")
    assert {name for revision, name in hub.asked if revision == "main"} == {"config.json"}
    assert any(name.endswith(".safetensors") for revision, name in hub.asked if revision == OLD)


def test_the_shipped_entries_are_pinned(settings: Settings, tmp_path: Path) -> None:
    floating = {each.name for each in list_encoders(settings) if floating_repository(each, settings)}
    assert floating == UNKNOWN, "add its commit when it is known"
    assert all(re.fullmatch("[0-9a-f]{40}", each) for each in re.findall(r'revision = "(.*)"', BUILT_IN.read_text()))
    # What has none is not downloaded, unless somebody writes an entry that says what to take.
    for name in UNKNOWN:
        spec = encoder_spec(name, settings)
        find = model_folder if spec.kind == "transformers" else find_checkpoint
        with pytest.raises(EncoderError, match=rf"commit of the weights of {name} is not known.*encoders\.toml"):
            find(spec, settings)
    # Who put the weights there downloads none.
    own = load_settings(home=tmp_path / "own", _env_file=None)
    (own.home / "models" / "git-rsclip").mkdir(parents=True)
    (own.home / "models" / "git-rsclip" / "config.json").touch()
    (own.home / "models" / "siglip2-b-16.safetensors").touch()
    floating = {each.name for each in list_encoders(own) if floating_repository(each, own)}
    assert floating == UNKNOWN - {"git-rsclip", "siglip2-b-16"}
