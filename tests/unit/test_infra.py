"""The deployment's files against the code: settings, endpoints, the image, and Dagster's own schema of its instance.

No image is built or started here.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget

from imagerag_assets.orchestration import webserver as guarded
from imagerag_assets.orchestration.assets.scenes import ENCODER_POOL, MILVUS_POOL
from imagerag_assets.orchestration.dagster_home import dagster_instance, prepare_dagster_home
from imagerag_assets.orchestration.webserver import host_of
from imagerag_assets.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parents[2]
INFRA = PROJECT / "infra"
SECRETS = {name: f"{name.lower()}-0123" for name in (
    "S3_ACCESS_KEY", "S3_SECRET_KEY", "MILVUS_ROOT_PASSWORD", "POSTGRES_PASSWORD", "UI_TOKEN")}  # fmt: skip
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")


def example_environment() -> dict[str, str]:
    """What `.env.example` sets."""
    lines = (INFRA / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated(value: Any, variables: dict[str, str]) -> Any:
    """A part of the compose file with its variables filled in as `docker compose` does."""
    if isinstance(value, dict):
        return {key: interpolated(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, variables) for each in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name, operator, argument = match.groups()
        found = variables.get(name, "")
        if not found and operator == ":?":
            raise ValueError(f"{name}: {argument}")
        return found or (argument if operator == ":-" else "")

    return _VARIABLE.sub(fill, value)


@pytest.fixture(scope="module")
def compose_text() -> str:
    return (INFRA / "compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services(compose_text: str) -> dict[str, Any]:
    content = interpolated(yaml.safe_load(compose_text), example_environment() | SECRETS)
    return dict(content["services"])


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


def test_every_imagerag_variable_is_a_setting() -> None:
    known = {f"IMAGERAG_{name.upper()}" for name in Settings.model_fields}
    files = [path for path in INFRA.iterdir() if path.is_file()]
    named = {
        path.name: set(re.findall(r"IMAGERAG_[A-Z0-9_]*[A-Z0-9]", path.read_text(encoding="utf-8"))) for path in files
    }
    assert {name: sorted(found - known) for name, found in named.items() if found - known} == {}
    assert {".env.example", "compose.yaml", "Dockerfile", "README.md"} <= {
        name for name, found in named.items() if found
    }


def test_the_example_sets_no_secret_and_every_secret_is_asked_for(compose_text: str) -> None:
    example = example_environment()
    assert {name for name, value in example.items() if name in SECRETS and value == ""} == set(SECRETS)
    with pytest.raises(ValueError, match=r"set it in infra/\.env"):
        interpolated(yaml.safe_load(compose_text), example)
    used = {match[1] for match in _VARIABLE.finditer(compose_text)}
    assert used == set(example)
    for name, operator in {(m[1], m[2]) for m in _VARIABLE.finditer(compose_text)}:
        assert operator == (":?" if name in SECRETS else ":-")
    # What the compose file falls back to is what the example says.
    assert interpolated(yaml.safe_load(compose_text), SECRETS) == interpolated(
        yaml.safe_load(compose_text), example | SECRETS
    )


def test_the_code_container_is_pointed_at_services_that_are_there(deployed: Settings, services: dict[str, Any]) -> None:
    assert deployed.store_url == "s3://imagerag/store"
    bucket = urlsplit(deployed.store_url).netloc
    assert f"/data/{bucket} " in " ".join(services["s3"]["entrypoint"])
    for url in (deployed.s3_endpoint_url, deployed.milvus):
        address = urlsplit(str(url))
        assert address.scheme == "http"
        assert offers(services, address.hostname, address.port), url
    assert not deployed.milvus_is_lite
    milvus, keys = services["milvus"]["environment"], services["code"]["environment"]
    assert deployed.milvus_token is not None
    assert deployed.milvus_token.get_secret_value() == f"root:{milvus['COMMON_SECURITY_DEFAULTROOTPASSWORD']}"
    for store in (services["s3"]["environment"]["MINIO_ROOT_USER"], milvus["MINIO_ACCESS_KEY_ID"]):
        assert store == keys["AWS_ACCESS_KEY_ID"]
    for secret in (services["s3"]["environment"]["MINIO_ROOT_PASSWORD"], milvus["MINIO_SECRET_ACCESS_KEY"]):
        assert secret == keys["AWS_SECRET_ACCESS_KEY"]
    for address in (milvus["MINIO_ADDRESS"], milvus["ETCD_ENDPOINTS"]):
        host, _, port = address.partition(":")
        assert offers(services, host, int(port)), address
    assert milvus["MINIO_BUCKET_NAME"] != bucket
    # Left empty, a setting has its default.
    assert deployed.encoder is None
    assert deployed.mllm == Settings.model_fields["mllm"].default


def test_every_service_has_a_health_check_a_restart_policy_and_a_pinned_image(services: dict[str, Any]) -> None:
    assert set(services) == {"code", "webserver", "daemon", "postgres", "s3", "etcd", "milvus"}
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for name, service in services.items():
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert service["restart"] == "unless-stopped", name
        image, _, tag = service["image"].rpartition(":")
        assert image, name
        assert re.search(r"\d", tag), f"{name}: {tag} is no version"
        assert (image == "imagerag-assets") == (name in ("code", "webserver", "daemon"))
        assert image != "imagerag-assets" or tag == version
        for dependency, condition in service.get("depends_on", {}).items():
            assert dependency in services
            assert condition == {"condition": "service_healthy"}
        for port in service.get("ports", ()):
            assert str(port).startswith("127.0.0.1:"), f"{name} is open to the network"


def test_state_is_on_declared_volumes(compose_text: str, services: dict[str, Any], deployed: Settings) -> None:
    declared = set(yaml.safe_load(compose_text)["volumes"])
    used = {str(volume).split(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert {volume for volume in used if not volume.startswith(".")} == declared
    for volume in used - declared:
        assert (INFRA / volume).is_file()
    # HOME holds the chosen encoder, half-done work and Dagster's step logs: one volume for all three.
    for name in ("code", "webserver", "daemon"):
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


def test_the_database_driver_is_in_the_image_and_of_dagsters_release() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert "--extra deploy" in (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert "dagster-postgres==" in (INFRA / "requirements.lock").read_text(encoding="utf-8")
    driver, engine = extras["deploy"]
    # Dagster's libraries are numbered 0.(minor + 16), in step with its own 1.(minor).
    minor = int(dg.__version__.split(".")[1]) + 16
    assert driver == f"dagster-postgres>=0.{minor},<0.{minor + 1}"
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
    assert copied == needed | {"infra/dagster.yaml", "infra/workspace.yaml"}
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
