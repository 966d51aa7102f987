"""The deployment's files against the code: settings, endpoints, the image, and Dagster's own schema of its instance.

No image is built or started here.  `infra/check.py` lets the programs that the files are for read them.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_docker import DockerRunLauncher
from dask.utils import parse_bytes
from distributed.cli import dask_scheduler, dask_worker
from dotenv import dotenv_values

from imagerag_assets.orchestration import webserver as guarded
from imagerag_assets.orchestration.assets.scenes import ENCODER_POOL, MILVUS_POOL
from imagerag_assets.orchestration.dagster_home import dagster_instance, prepare_dagster_home
from imagerag_assets.orchestration.webserver import host_of
from imagerag_assets.serve.metrics import Metrics
from imagerag_assets.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parents[2]
INFRA = PROJECT / "infra"
SECRETS = {name: f"{name.lower()}-0123" for name in (
    "S3_ROOT_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "MILVUS_S3_SECRET_KEY", "MILVUS_ROOT_PASSWORD",
    "MILVUS_PASSWORD", "POSTGRES_PASSWORD", "UI_TOKEN", "SERVE_TOKEN", "SERVE_READ_TOKEN")}  # fmt: skip
OURS = {
    "code",
    "webserver",
    "daemon",
    "serve",
    "mcp",
    "dask-scheduler",
    "dask-worker",
    "backup",
    "volume-owner",
    "milvus-user",
}
ONCE = {"s3-users", "milvus-user", "backup", "backup-history", "volume-owner"}
"""Services that do one thing and end."""


def module(name: str) -> ModuleType:
    """A script of infra/, imported."""
    spec = importlib.util.spec_from_file_location(f"infra_{name}", INFRA / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


check = module("check")


def done(checked: Callable[[], str]) -> str:
    """What a check said; the test is skipped, and says so, where the program for it is not installed."""
    try:
        return checked()
    except check.AbsentError as what:
        pytest.skip(f"NOT CHECKED: {what} is not installed")


def example_environment() -> dict[str, str]:
    """What `.env.example` sets."""
    lines = (INFRA / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated(text: str, variables: dict[str, str]) -> dict[str, Any]:
    """A compose file with its variables filled in as `docker compose` does."""
    found: dict[str, Any] = check.filled(yaml.safe_load(text), variables)
    return found


@pytest.fixture(scope="module")
def compose_text() -> str:
    return (INFRA / "compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services(compose_text: str) -> dict[str, Any]:
    return dict(interpolated(compose_text, example_environment() | SECRETS)["services"])


@pytest.fixture
def deployed(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings as the code container reads them."""
    for name, value in services["code"]["environment"].items():
        monkeypatch.setenv(name, str(value))
    return load_settings(_env_file=None)


def offers(services: dict[str, Any], host: str | None, port: int | None) -> bool:
    """Whether a service of that name accepts connections of other services on that port."""
    service = services.get(host or "", {})
    ports = [str(each).rsplit(":", 1)[-1] for each in [*service.get("ports", ()), *service.get("expose", ())]]
    return str(port) in ports


# Settings


def test_every_imagerag_variable_is_a_setting() -> None:
    known = {f"IMAGERAG_{name.upper()}" for name in Settings.model_fields}
    files = [path for path in INFRA.rglob("*") if path.is_file() and path.suffix not in (".lock", ".json", ".pyc")]
    named = {
        str(path.relative_to(INFRA)): set(
            re.findall(r"IMAGERAG_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_])", path.read_text(encoding="utf-8"))
        )
        for path in files
    }
    assert {name: sorted(found - known) for name, found in named.items() if found - known} == {}
    assert {".env.example", "compose.yaml", "Dockerfile", "README.md", "helm/imagerag/values.yaml"} <= {
        name for name, found in named.items() if found
    }


def test_every_setting_reaches_the_containers(
    services: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (INFRA / "settings.env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^#(IMAGERAG_[A-Z0-9_]+)=", text, re.MULTILINE))
    from_elsewhere = set(re.findall(r"^# (IMAGERAG_[A-Z0-9_]+) comes from", text, re.MULTILINE))
    settings = {f"IMAGERAG_{name.upper()}" for name in Settings.model_fields}
    assert offered | from_elsewhere == settings and not offered & from_elsewhere
    wired = {name for each in OURS for name in services[each]["environment"] if name.startswith("IMAGERAG_")}
    assert from_elsewhere == wired
    # The example with each line taken in: the program reads all of them, and its defaults are those that it shows.
    taken = tmp_path / "settings.env"
    taken.write_text(re.sub(r"^#(IMAGERAG_)", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    for name, value in dotenv_values(taken).items():
        monkeypatch.setenv(name, value or "")
    shown = load_settings(_env_file=None).model_dump(exclude={"home"})
    assert shown == Settings.model_construct().model_dump(exclude={"home"})
    for name in OURS - {"milvus-user"}:
        assert services[name]["env_file"] == [{"path": "settings.env", "required": False}], name


def test_the_example_sets_no_secret_and_every_secret_is_asked_for(compose_text: str) -> None:
    example = example_environment()
    assert {name for name, value in example.items() if value == ""} == set(SECRETS)
    for name in SECRETS:
        with pytest.raises(ValueError, match=rf"{name}: set it in infra/\.env"):
            interpolated(compose_text, example | SECRETS | {name: ""})
    # What the compose file falls back to is what the example says, also in its comments.
    assert interpolated(compose_text, SECRETS) == interpolated(compose_text, example | SECRETS)
    text = (INFRA / ".env.example").read_text(encoding="utf-8")
    told = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    files = [compose_text, *((INFRA / name).read_text(encoding="utf-8") for name in check.OVERLAYS)]
    used = set(re.findall(r"(?<!\$)\$\{([A-Z][A-Z0-9_]+)", "\n".join(files)))
    assert used - {"TORCH_INDEX"} == told


def test_secrets_are_made_once_and_what_is_there_stays() -> None:
    made = module("make_env").completed
    example = (INFRA / ".env.example").read_text(encoding="utf-8")
    text, added = made(example, "")
    first = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", text, re.MULTILINE))
    assert set(added) == set(first) == set(example_environment())
    assert len({first[name] for name in SECRETS}) == len(SECRETS) and all(len(first[name]) >= 32 for name in SECRETS)
    assert made(example, text) == (text, [])
    old = "S3_ACCESS_KEY=mine\nMILVUS_PASSWORD=\n# a note\nOTHER=1\n"  # an earlier version's
    text, added = made(example, old)
    assert text.startswith("S3_ACCESS_KEY=mine\nMILVUS_PASSWORD=") and "# a note\nOTHER=1\n" in text
    assert set(added) == set(example_environment()) - {"S3_ACCESS_KEY"}


# Services


def test_dask_takes_what_it_is_started_with(services: dict[str, Any]) -> None:
    """By compose.yaml, and by Dask's chart: names that the image stands in for, with these options."""
    memory = yaml.safe_load((INFRA / "helm/imagerag/values.yaml").read_text(encoding="utf-8"))["dask"]["worker"][
        "resources"
    ]
    address = ["tcp://dask-scheduler:8786"]
    started = {
        "scheduler": ["--port=8786", "--dashboard-address=:8787"],
        "worker": [
            *address,
            "--nthreads",
            "2",
            "--memory-limit",
            "6Gi",
            "--no-dashboard",
            "--dashboard-address",
            "8790",
        ],
    }
    assert (memory["limits"]["cpu"], memory["limits"]["memory"]) == ("2", "6Gi") and parse_bytes("6Gi") == 6 * 2**30
    (stand_in,) = [argument for name, argument in instructions() if name == "RUN" and "exec dask" in argument]
    for part, command in (("scheduler", dask_scheduler.main), ("worker", dask_worker.main)):
        assert f" {part}" in stand_in.partition(";")[0]
        dask, name, *arguments = services[f"dask-{part}"]["command"]
        assert (dask, name) == ("dask", part)
        for each in (arguments, started[part]):
            assert command.make_context(part, list(each)).params["dashboard_address"]


def test_the_code_container_is_pointed_at_services_that_are_there(deployed: Settings, services: dict[str, Any]) -> None:
    assert deployed.store_url == "s3://imagerag/store"
    bucket = urlsplit(deployed.store_url).netloc
    for url in (deployed.s3_endpoint_url, deployed.milvus):
        address = urlsplit(str(url))
        assert address.scheme == "http"
        assert offers(services, address.hostname, address.port), url
    assert not deployed.milvus_is_lite
    milvus, keys, users = (services[name]["environment"] for name in ("milvus", "code", "s3-users"))
    assert deployed.milvus_token is not None
    token = deployed.milvus_token.get_secret_value()
    assert token == "imagerag:milvus_password-0123" == services["milvus-user"]["environment"]["IMAGERAG_MILVUS_TOKEN"]
    root = services["milvus-user"]["environment"]["MILVUS_ROOT_PASSWORD"]
    assert milvus["COMMON_SECURITY_AUTHORIZATIONENABLED"] == "true"
    assert milvus["COMMON_SECURITY_DEFAULTROOTPASSWORD"] == root and root not in keys.values()
    # The program and Milvus have a user and a bucket each; only what makes the users is root.
    assert (keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]) == (
        users["S3_ACCESS_KEY"],
        users["S3_SECRET_KEY"],
    )
    assert (milvus["MINIO_ACCESS_KEY_ID"], milvus["MINIO_SECRET_ACCESS_KEY"]) == (
        "milvus",
        users["MILVUS_S3_SECRET_KEY"],
    )
    assert users["S3_BUCKET"] == bucket != milvus["MINIO_BUCKET_NAME"] == "milvus"
    assert "only milvus milvus " in (INFRA / "s3" / "users.sh").read_text(encoding="utf-8")
    store = services["s3"]["environment"]
    assert (store["MINIO_ROOT_USER"], store["MINIO_ROOT_PASSWORD"]) == (
        users["S3_ROOT_USER"],
        users["S3_ROOT_PASSWORD"],
    )
    knowing = {
        name for name, each in services.items() if SECRETS["S3_ROOT_PASSWORD"] in each.get("environment", {}).values()
    }
    assert knowing == {"s3", "s3-users"}
    for address in (milvus["MINIO_ADDRESS"], milvus["ETCD_ENDPOINTS"]):
        host, _, port = address.partition(":")
        assert offers(services, host, int(port)), address
    assert urlsplit(users["S3_URL"]).netloc == milvus["MINIO_ADDRESS"]
    # Left empty, a setting has its default.
    assert deployed.encoder is None and deployed.dask_scheduler is None
    assert deployed.mllm == Settings.model_fields["mllm"].default


def test_every_service_has_a_health_check_a_restart_policy_and_a_pinned_image(services: dict[str, Any]) -> None:
    others = {
        "postgres",
        "s3",
        "s3-users",
        "etcd",
        "milvus",
        "vllm",
        "proxy",
        "prometheus",
        "grafana",
        "backup-history",
    }
    assert set(services) == OURS | others
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    profiles = {name: each["profiles"] for name, each in services.items() if "profiles" in each}
    assert {profile for each in profiles.values() for profile in each} == set(check.PROFILES)
    for name, service in services.items():
        if name in ONCE:
            assert service["restart"] == "no" and service["healthcheck"] == {"disable": True}
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        image, _, tag = service["image"].rpartition(":")
        assert image, name
        assert re.search(r"\d", tag), f"{name}: {tag} is no version"
        assert (image == "imagerag-assets") == (name in OURS)
        assert image != "imagerag-assets" or tag == version
        for dependency, condition in service.get("depends_on", {}).items():
            assert dependency in services
            ends = "service_completed_successfully" if dependency in ONCE else "service_healthy"
            assert condition == {"condition": ends}
            # What runs without a profile needs nothing that does not.
            assert set(profiles.get(dependency, ())) <= set(profiles.get(name, ()))
        if name in OURS:
            assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        for port in service.get("ports", ()):
            assert name == "proxy" or str(port).startswith("127.0.0.1:"), f"{name} is open to the network"


def test_the_compose_files_are_read() -> None:
    assert "3 files" in done(check.check_compose)


def test_docker_puts_the_compose_files_together() -> None:
    done(check.check_compose_by_docker)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}-$$(date)", "1-$(date)"),
        ("${NONE:-x${A}y}", "x1y"),
        ("${EMPTY-x}${EMPTY:-y}", "y"),
        ('${NONE:-["ui.${NONE:-localhost}"]}', '["ui.localhost"]'),
    ],
)
def test_variables_are_filled_in_as_docker_does(text: str, filled: str) -> None:
    assert check.filled(text, {"A": "1", "EMPTY": ""}) == filled


def test_the_page_and_the_ui_know_the_names_of_the_proxy(compose_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert done(check.check_proxy) == "read by Caddy, which refuses it without a login"
    found = interpolated(compose_text, SECRETS | {"PROXY_DOMAIN": "imagery.example.org"})["services"]
    for name, field, host in (("serve", "serve_hosts", "imagery"), ("webserver", "ui_hosts", "ui.imagery")):
        monkeypatch.setenv(f"IMAGERAG_{field.upper()}", found[name]["environment"][f"IMAGERAG_{field.upper()}"])
        assert getattr(load_settings(_env_file=None), field) == (f"{host}.example.org",)
    for upstream, token in (("SERVE_UPSTREAM", "SERVE_TOKEN"), ("UI_UPSTREAM", "UI_TOKEN")):
        host, _, port = found["proxy"]["environment"][upstream].partition(":")
        assert offers(found, host, int(port))
        assert found["proxy"]["environment"][token] == found[host]["environment"][f"IMAGERAG_{token}"]


def test_the_dashboard_and_the_alerts_ask_for_what_is_counted(services: dict[str, Any]) -> None:
    metrics = Metrics(lambda: 3)
    metrics.answered("found", {"total": 1.0})
    counted = set(re.findall(r"^# TYPE (imagerag_\w+)", metrics.text().decode(), re.MULTILINE))
    rules = yaml.safe_load((INFRA / "monitoring" / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    asked = check.dashboard_questions() + [rule["expr"] for rule in rules]
    named = {re.sub(r"_bucket$", "", name) for text in asked for name in re.findall(r"imagerag_\w+", text)}
    assert named <= counted
    assert {name for name in counted if not name.endswith("_created")} <= named  # and shows all of it
    (job, _) = yaml.safe_load((INFRA / "monitoring" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    host, _, port = job["static_configs"][0]["targets"][0].partition(":")
    assert offers(services, host, int(port))
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{services['prometheus']['secrets'][0]}"
    source = yaml.safe_load((INFRA / "monitoring/provisioning/datasources/prometheus.yaml").read_text())["datasources"][
        0
    ]
    address = urlsplit(source["url"])
    assert offers(services, address.hostname, address.port)
    dashboard = json.loads((INFRA / "monitoring/dashboards/imagerag.json").read_text(encoding="utf-8"))
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    provider = yaml.safe_load((INFRA / "monitoring/provisioning/dashboards/imagerag.yaml").read_text())["providers"][0]
    assert f"./monitoring/dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]


def test_prometheus_reads_its_files() -> None:
    assert "questions of the dashboard" in done(check.check_monitoring)


def test_state_is_on_declared_volumes(compose_text: str, services: dict[str, Any], deployed: Settings) -> None:
    declared = set(yaml.safe_load(compose_text)["volumes"])
    used = {str(volume).split(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert {volume for volume in used if not volume.startswith(".")} == declared
    for volume in used - declared:
        assert (INFRA / volume).exists() or volume == "./settings.env"
    # HOME holds the chosen encoder, half-done work and Dagster's step logs: one volume for all three.
    for name in OURS - {"volume-owner", "milvus-user"}:
        assert f"home:{deployed.home}" in services[name]["volumes"]
        assert f"./dagster.yaml:{deployed.dagster_home}/dagster.yaml:ro" in services[name]["volumes"]


def test_dagster_takes_the_instance_file(services: dict[str, Any], deployed: Settings, tmp_path: Path) -> None:
    here = deployed.model_copy(update={"home": tmp_path})
    home = prepare_dagster_home(here)
    text = (INFRA / "dagster.yaml").read_text(encoding="utf-8")
    (home / "dagster.yaml").write_text(text, encoding="utf-8")
    # The whole file against Dagster's schema; nothing connects to the database here.
    storage = InstanceRef.from_dir(str(home)).storage_data
    assert storage is not None
    assert (storage.module_name, storage.class_name) == ("dagster_postgres", "DagsterPostgresStorage")
    database = storage.config_dict["postgres_db"]
    code, server = services["code"]["environment"], services["postgres"]["environment"]
    given = {
        field: code[variable["env"]]
        for field, variable in database.items()
        if isinstance(variable, dict) and "env" in variable
    }
    assert given == {
        "hostname": "postgres",
        "port": "5432",
        "username": server["POSTGRES_USER"],
        "password": server["POSTGRES_PASSWORD"],
        "db_name": server["POSTGRES_DB"],
    }
    assert offers(services, given["hostname"], int(given["port"]))
    for name in ("webserver", "daemon"):
        own = {key: value for key, value in services[name]["environment"].items() if "_UI_" not in key}
        assert own and own.items() <= code.items()
    # All but the storage, opened.
    (home / "dagster.yaml").write_text(
        text.replace(text[text.index("storage:") : text.index("# The daemon")], ""), encoding="utf-8"
    )
    with dagster_instance(here) as instance:
        limits = instance.get_concurrency_config()
        assert limits.run_queue_config is not None
        assert limits.run_queue_config.max_concurrent_runs == 4
        assert limits.pool_config.default_pool_limit == 1
        assert str(limits.pool_config.pool_granularity).lower().endswith("run")
        assert instance.run_monitoring_enabled
    assert {ENCODER_POOL, MILVUS_POOL} == set(re.findall(r"`(encoder|milvus)`", text))


def test_each_run_in_a_container_of_its_own(compose_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay_text = (INFRA / "compose.docker-runs.yaml").read_text(encoding="utf-8")
    base, overlay = (interpolated(text, SECRETS | {"DOCKER_GID": "998"}) for text in (compose_text, overlay_text))
    daemon = base["services"]["daemon"]["environment"] | overlay["services"]["daemon"]["environment"]
    # What runs get is what the code container has: its variables from the daemon, its volumes from itself.
    code = base["services"]["code"]["environment"]
    instance = yaml.safe_load((INFRA / "dagster.docker-runs.yaml").read_text(encoding="utf-8"))
    launcher = instance.pop("run_launcher")
    assert set(launcher["config"]["env_vars"]) == set(code)
    assert {name: daemon[name] for name in code} == code
    assert launcher["config"]["container_kwargs"]["volumes_from"] == [overlay["services"]["code"]["container_name"]]
    assert "./settings.env:/opt/imagerag/.env:ro" in overlay["services"]["code"]["volumes"]
    assert overlay["services"]["code"]["environment"]["DAGSTER_CURRENT_IMAGE"] == base["services"]["code"]["image"]
    assert launcher["config"]["network"] == overlay["networks"]["default"]["name"]
    # All else is as in dagster.yaml, but that the launcher is asked more often.
    assert instance.pop("run_monitoring").pop("poll_interval_seconds") == 60
    others = yaml.safe_load((INFRA / "dagster.yaml").read_text(encoding="utf-8"))
    del others["run_monitoring"]
    assert instance == others
    # Dagster makes the launcher of it; nothing is launched.
    here = load_settings(_env_file=None, home=tmp_path)
    home = prepare_dagster_home(here)
    (home / "dagster.yaml").write_text(yaml.safe_dump({"run_launcher": launcher}), encoding="utf-8")
    with dagster_instance(here) as opened:
        assert isinstance(opened.run_launcher, DockerRunLauncher)
        assert opened.run_launcher.networks == ["imagerag"]


def test_the_database_driver_is_in_the_image_and_of_dagsters_release() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert "--extra deploy" in (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert "dagster-postgres==" in (INFRA / "requirements.lock").read_text(encoding="utf-8")
    driver, engine, docker, kubernetes = extras["deploy"]
    # Dagster's libraries are numbered 0.(minor + 16), in step with its own 1.(minor).
    minor = int(dg.__version__.split(".")[1]) + 16
    assert driver == f"dagster-postgres>=0.{minor},<0.{minor + 1}"
    assert (docker, kubernetes) == (driver.replace("postgres", "docker"), driver.replace("postgres", "k8s"))
    assert engine == "sqlalchemy<2.1"  # whose default driver is the one that dagster-postgres brings


def test_the_webserver_is_the_guarded_one_and_has_a_token(services: dict[str, Any]) -> None:
    webserver = services["webserver"]
    python, option, module, *arguments = webserver["command"]
    assert (python, option, module) == ("python", "-m", guarded.__name__)
    assert host_of(arguments) == "0.0.0.0"
    assert webserver["environment"]["IMAGERAG_UI_TOKEN"] == SECRETS["UI_TOKEN"]
    assert "IMAGERAG_UI_TOKEN" in webserver["healthcheck"]["test"][-1]


def test_the_workspace_is_the_code_service(services: dict[str, Any]) -> None:
    (origin,) = WorkspaceFileTarget([str(INFRA / "workspace.yaml")]).create_origins()
    assert isinstance(origin, GrpcServerCodeLocationOrigin)
    assert offers(services, origin.host, origin.port)
    command = services["code"]["command"]
    assert command[command.index("--port") + 1] == str(origin.port)
    dockerfile = instructions()
    assert [command] == [yaml.safe_load(argument) for name, argument in dockerfile if name == "CMD"]


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", (INFRA / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2]) for line in lines]


def test_the_image_gets_what_the_package_needs() -> None:
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    copied: set[str] = set()
    for name, argument in instructions():
        if name == "COPY" and "--from=" not in argument:
            words = [word for word in shlex.split(argument) if not word.startswith("--")]
            copied |= set(words[:-1])
    needed = {"pyproject.toml", "infra/requirements.lock", pyproject["project"]["readme"], "LICENSE"}
    needed |= {"imagerag_assets", "definitions.py"}
    assert copied == needed | {"infra/dagster.yaml", "infra/workspace.yaml", "infra/milvus_user.py"}
    allowed = (INFRA / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in allowed if line.startswith("!")} == copied
    for path in copied - {pyproject["project"]["readme"]}:
        assert (PROJECT / path).exists(), path


def test_the_image_is_pinned_and_not_run_by_root() -> None:
    found = instructions()
    assert [argument for name, argument in found if name == "USER"] == ["imagerag"]
    arguments = dict(argument.split("=", 1) for name, argument in found if name == "ARG")
    assert arguments["PYTHON_IMAGE"].startswith("python:3.11-slim-")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    torch = [requirement for requirement in project["dependencies"] if requirement.startswith("torch")]
    (install,) = [argument for name, argument in found if name == "RUN" and "TORCH_INDEX" in argument]
    assert len(torch) == 2
    assert all(requirement in install for requirement in torch)


def test_the_image_and_the_compose_file_agree_on_home(services: dict[str, Any], deployed: Settings) -> None:
    (variables,) = [argument for name, argument in instructions() if name == "ENV" and "IMAGERAG_HOME" in argument]
    environment = dict(word.split("=", 1) for word in shlex.split(variables))
    assert environment["IMAGERAG_HOME"] == str(deployed.home)
    assert environment["DAGSTER_HOME"] == str(deployed.dagster_home)
