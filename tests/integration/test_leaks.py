"""Secrets are planted everywhere, commands and runs succeed and fail, and everything that was written is searched."""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from imagerag_assets.cli import main
from imagerag_assets.errors import SettingsError
from imagerag_assets.installation.leaked_secrets import find_secrets
from imagerag_assets.installation.notify import notify
from imagerag_assets.objects import signed
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.sensors import build_sensors
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stores.milvus_connection import lite_path
from imagerag_assets.stores.milvus_lite_share import LiteShare
from imagerag_assets.watched_sources.sources import list_sources
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.items import texture, write_item, write_tiff
from tests.leaks import leaks_below, leaks_in
from tests.repeating_server import RepeatingServer, repeating_server  # noqa: F401
from tests.s3 import serve_s3

LOGIN, QUERY, FILE = "m4rk-of-the-login", "m4rk-of-the-query", "m4rk0000of0000the0000file"
MODEL, HOOK, MILVUS = "m4rk-of-the-model", "m4rk-of-the-hook", "m4rk-of-milvus"
S3_KEY, S3_SECRET, AWS_KEY, AWS_SECRET = "M4RKOFONEKEY", "m4rk/of+the-s3", "M4RKOFAWSKEY", "m4rk/of+the-aws"
SECRETS = (LOGIN, QUERY, FILE, MODEL, HOOK, MILVUS, S3_KEY, S3_SECRET, AWS_KEY, AWS_SECRET)


def fill(server: RepeatingServer, made: Path) -> None:
    """Put a good scene, and ones whose files are gone, refused or no raster, on the server."""
    server.login = f"me:{LOGIN}"
    write_tiff(server.root / "good.tif", texture(300, 300))
    (server.root / "bad.tif").write_bytes(b"II*\0 no raster")
    features = []
    for name, path in {"good": "good.tif", "bad": "bad.tif", "gone": "gone.tif", "refused": "fail/403/a.tif"}.items():
        href = f"{server.with_login}/{path}?X-Amz-Credential={AWS_KEY}%2F2024&X-Amz-Signature={FILE}"
        item = json.loads(write_item(made / f"{name}.json", href, raster=server.root / "good.tif").read_text())
        item["properties"]["preview"] = f"{server.url}/p.png?token={QUERY}"
        features.append(item)
    content = {"type": "FeatureCollection", "stac_version": "1.0.0", "features": features}
    (server.root / "items.json").write_text(json.dumps(content))
    (server.root / "only.json").write_text(json.dumps(content | {"features": features[:1]}))


def test_no_secret_is_written_or_said(
    installed: Settings,  # noqa: F811
    repeating_server: RepeatingServer,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    server, home = repeating_server, installed.home
    fill(server, tmp_path / "made")
    buckets = tmp_path / "buckets"
    (buckets / "good").mkdir(parents=True)
    write_item(
        buckets / "good" / "s3.json", "s3.tif", raster=write_tiff(buckets / "good" / "s3.tif", texture(200, 200))
    )
    for name, value in {
        "AWS_ACCESS_KEY_ID": AWS_KEY, "AWS_SECRET_ACCESS_KEY": AWS_SECRET, "AWS_DEFAULT_REGION": "us-east-1",
        "OPENAI_API_KEY": MODEL, "IMAGERAG_MLLM_NAME": "m", "IMAGERAG_MLLM_RETRIES": "0",
        "IMAGERAG_MILVUS_TOKEN": f"me:{MILVUS}", "IMAGERAG_WEBHOOK_URL": f"{server.url}/services/{HOOK}",
        "SCENES_ADDRESS": f"{server.with_login}/fail/400/items.json?token={QUERY}",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    model = {"IMAGERAG_MLLM": f"{server.url}/v1", "IMAGERAG_PLANNER": "rules"}
    keys = f'key = "{S3_KEY}"\nsecret = "{S3_SECRET}"\n'
    said: list[str] = []
    codes: list[tuple[str, int]] = []

    def command(*words: str, **variables: str) -> None:
        for more in ((), ("--json", "--debug")):
            with monkeypatch.context() as patch:
                for name, value in variables.items():
                    patch.setenv(name, value)
                codes.append((words[0], main([*words, *more])))
            said.append("".join(capfd.readouterr()))
            signed._known.clear()  # as another process
            signed._logins.clear()

    with (
        closing(LiteShare(lite_path(installed))),
        serve_s3(buckets, tmp_path / "rclone.log", S3_KEY, S3_SECRET) as s3,
    ):
        home.mkdir(exist_ok=True)
        (home / "settings.toml").write_text(
            f'[storage.good]\nbuckets = ["good", "none"]\nendpoint = "{s3.url}"\n{keys}'
            f'[storage.bad]\nbuckets = ["bad"]\nendpoint = "{server.url}"\n{keys}'
            f'[storage.aws]\nbuckets = ["own"]\nendpoint = "{server.url}"\n'
        )
        command("ingest", f"{server.with_login}/only.json?token={QUERY}")
        command("ingest", f"{server.with_login}/items.json?token={QUERY}")
        command("ingest", f"{server.with_login}/fail/400/items.json?token={QUERY}&apikey={QUERY}")
        command("ingest", f"{server.with_login}/{{z}}/{{x}}/{{y}}.png?apikey={QUERY}#bbox=9,48,9.001,48.001&zoom=16")
        for bucket in ("good", "none", "bad", "own"):
            command("ingest", f"s3://{bucket}")
        command("explain", f"{server.with_login}/items.json?token={QUERY}")
        command("knowledge", "build", "captions", f"{server.with_login}/fail/400/c.jsonl?token={QUERY}")
        command("knowledge", "build", "labels", f"{server.with_login}/fail/400/?token={QUERY}")
        command("ask", "Where is the tennis court?", "--no-answer")
        command("ask", "Describe the scene", **model)
        server.model_status = 200
        command("ask", "Describe the scene", **model)
        command("sources", "add", "web", f"{server.with_login}/items.json?token={QUERY}")
        command("sources", "add", "broken", f"{server.with_login}/fail/400/items.json?token={QUERY}")
        for words in (("status",), ("doctor",), ("sources",), ("scenes",), ("scenes", "show", "good"),
                      ("export", str(tmp_path / "exported")), ("nonsense", server.with_login)):  # fmt: skip
            command(*words, **(model if words == ("doctor",) else {}))
        ask = next((home / "objects" / "answers").rglob("answer.json")).parent.name
        command("trace", ask)
        command("replay", ask)

        settings = load_settings()
        notify(settings, "run_failed", {"scene": "good"})
        said.append(repr(settings) + str(settings.model_dump()) + settings.model_dump_json())
        definitions = build_defs(settings=settings)
        with dagster_instance(settings) as instance:
            scan = definitions.resolve_job_def("scan_source")
            in_variable = {"ops": {"scan": {"config": {"source": {"env": "SCENES_ADDRESS"}}}}}
            done = scan.execute_in_process(run_config=in_variable, instance=instance, raise_on_error=False)
            assert not done.success
            typed = {"ops": {"scan": {"config": {"source": f"{server.with_login}/items.json?token={QUERY}"}}}}
            runs = instance.get_runs_count()
            with pytest.raises(dg.DagsterInvalidConfigError, match=r"Write \{env: NAME\}"):
                scan.execute_in_process(run_config=typed, instance=instance)
            assert instance.get_runs_count() == runs  # nothing was stored
            for sensor in build_sensors(list_sources(settings), settings)[:2]:
                ticked = sensor(dg.build_sensor_context(instance=instance))
                said.append(f"{ticked!r} {sensor.description}")
                assert isinstance(ticked, dg.SkipReason) == (sensor.name == "source_broken"), ticked
        capfd.readouterr()  # what Dagster prints of the refused configuration is what was typed

    assert ("ingest", 0) in codes and ("ingest", 3) in codes and ("ingest", 2) in codes and ("ask", 0) in codes
    assert len(server.requests) > 30
    assert leaks_in("\n".join(said).encode(), SECRETS) == []
    assert leaks_in(caplog.text.encode(), SECRETS) == []
    kept = (home / "settings.toml", home / "sources.toml")  # where a person keeps them
    assert leaks_below(home, SECRETS, but=kept) == {}
    assert leaks_below(tmp_path / "exported", SECRETS) == {}
    assert list(find_secrets(load_settings())) == []  # `doctor` has nothing to say
    shutil.copy(home / "sources.toml", tmp_path / "copy")  # the search finds what is there
    assert leaks_below(tmp_path, SECRETS, but=kept).keys() >= {"copy"}
    with pytest.raises(SettingsError):
        load_settings(milvus_uri=f"http://me:{MILVUS}@host:19530")
