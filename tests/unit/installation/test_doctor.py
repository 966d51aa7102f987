"""What `imagerag doctor` finds, wholly and partly broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from imagerag_assets.errors import ModelError
from imagerag_assets.installation.doctor import Check, _mllm, examine
from imagerag_assets.settings import Settings, load_settings
from tests.bad_mllm_server import MODEL, BadServer, bad_server  # noqa: F401
from tests.s3 import S3Endpoint


def found(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in examine(settings)}


def test_an_installation_that_works_is_left_as_it_was(tiny_settings: Settings) -> None:
    checks = found(tiny_settings)
    for name in ("python", "packages", "torchvision", "store", "s3", "milvus", "encoder", "dagster"):
        assert checks[name].status == "ok", checks[name]
        assert not checks[name].fix
    assert not Path(tiny_settings.milvus).exists()
    assert not tiny_settings.dagster_home.exists()


def test_what_is_broken_is_reported_with_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    settings = load_settings(
        home=tmp_path / "home",
        store=str(tmp_path / "file" / "objects"),
        milvus_uri="http://127.0.0.1:1",
        encoder="no-such-encoder",
        mllm=str(tmp_path / "no-such-model"),
        _env_file=None,
    )
    checks = found(settings)
    assert {name: check.status for name, check in checks.items() if check.status != "ok"} == {
        "store": "fail", "milvus": "fail", "encoder": "fail", "mllm": "fail", "dagster": "warn",
    }  # fmt: skip
    assert all(check.fix for check in checks.values() if check.status != "ok")
    assert all("\n" not in check.detail for check in checks.values())


def test_s3_is_written_and_read(tmp_path: Path, s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    (s3_endpoint.root / "doctor").mkdir()
    settings = load_settings(home=tmp_path, store="s3://doctor/prefix", _env_file=None)
    checks = found(settings)
    assert checks["store"].status == checks["s3"].status == "ok", checks
    missing = load_settings(home=tmp_path, store="s3://no-such-bucket-here/doctor", _env_file=None)
    assert found(missing)["store"].status == "fail"


def test_who_holds_the_milvus_file_is_named(settings: Settings) -> None:
    folder = Path(settings.milvus)
    folder.mkdir(parents=True)
    hold = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True);"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(folder / "LOCK")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        check = found(settings)["milvus"]
        assert holder.stdin is not None
        holder.stdin.close()
    assert check.status == "warn"
    assert f"process {holder.pid}" in check.detail


def test_a_model_server_is_looked_at_without_a_question(bad_server: BadServer) -> None:  # noqa: F811
    def check(url: str, name: str | None) -> Check:
        return _mllm(load_settings(mllm=url, mllm_name=name, _env_file=None))

    assert check(bad_server.url, None) == Check("mllm", "ok", f"{MODEL} at {bad_server.url}")
    assert check(bad_server.url, MODEL).status == "ok"
    other = check(bad_server.url, "another")
    assert (other.status, other.fix) == ("warn", f"It lists: {MODEL}")
    assert check("http://127.0.0.1:1/v1", "another").status == "warn"
    with pytest.raises(ModelError, match="cannot be reached"):
        check("http://127.0.0.1:1/v1", None)
    assert bad_server.requests == []
