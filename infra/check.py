"""Check the deployment's files with what reads them, as far as it is installed; `make infra` runs this.

    python infra/check.py

| files | checked by |
|---|---|
| compose.yaml and its overlays | `docker compose config` where it is installed, and compose-spec (PyPI) |
| proxy/Caddyfile | Caddy itself |
| monitoring/ | promtool where it is installed |
| helm/imagerag | Helm's own lint and rendering; each object against the schema of Kubernetes |

The charts of Dagster, Milvus and Dask are not fetched: stand-ins of their names and versions are in their places.  What
is not installed is left out and said.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
CHART = HERE / "helm" / "imagerag"
OVERLAYS = ("compose.gpu.yaml", "compose.docker-runs.yaml")
PROFILES = ("mcp", "dask", "vllm", "proxy", "monitoring", "backup")
KUBERNETES = "1.33"
_NAMED = re.compile(r"(\w+)(?:(:?[-?])(.*))?", re.DOTALL)


class AbsentError(Exception):
    """What would check is not installed."""


# Compose


def filled(value: Any, variables: Mapping[str, str]) -> Any:
    """Return a part of a compose file with its variables filled in as `docker compose` does.

    Raises:
        ValueError: one that is needed is not set.
    """
    if isinstance(value, dict):
        return {key: _number(key, filled(each, variables)) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, variables) for each in value]
    return _filled(value, variables) if isinstance(value, str) else value


def _number(key: str, value: Any) -> Any:
    """Return the numbers that `docker compose` makes of a variable's text."""
    return int(value) if key == "replicas" else value


def _filled(text: str, variables: Mapping[str, str]) -> str:
    done = ""
    while (start := re.search(r"\$(\$|\{)", text)) is not None:
        done, text = done + text[: start.start()], text[start.end() :]
        if start[1] == "$":
            done += "$"
            continue
        depth, end = 1, -1
        while depth:
            end += 1
            depth += (text[end] == "{") - (text[end] == "}")
        body, text = text[:end], text[end + 1 :]
        found = _NAMED.fullmatch(body)
        if found is None:
            raise ValueError(f"not a variable: {body}")
        done += _value(*found.groups(), variables)
    return done + text


def _value(name: str, operator: str | None, argument: str | None, variables: Mapping[str, str]) -> str:
    value = variables.get(name)
    if value is None or (not value and operator in (":-", ":?")):
        if operator in (":?", "?"):
            raise ValueError(f"{name}: {argument}")
        return _filled(argument or "", variables) if operator else ""
    return value


def example_variables() -> dict[str, str]:
    """Return what infra/.env has after `make_env.py`, with no real secret, and what the overlays need."""
    lines = (HERE / ".env.example").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value or f"{name.lower()}-0123" for name, value in found.items()} | {"DOCKER_GID": "998"}


def check_compose() -> str:
    """Read each compose file strictly.

    Raises:
        ValueError: one is not a compose file.
        AbsentError: compose-spec is not installed.
    """
    try:
        from compose_spec import PyCompose
    except ImportError:
        raise AbsentError("compose-spec") from None
    for name in ("compose.yaml", *OVERLAYS):
        content = filled(yaml.safe_load((HERE / name).read_text(encoding="utf-8")), example_variables())
        try:
            PyCompose.from_yaml(yaml.safe_dump(content)).validate()
        except Exception as error:
            raise ValueError(f"{name}: {error}") from None
    return f"{1 + len(OVERLAYS)} files, read by compose-spec"


def check_compose_by_docker() -> str:
    """Let Docker put the files together, with all profiles.

    Raises:
        ValueError: it cannot.
        AbsentError: `docker compose` is not installed.
    """
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        raise AbsentError("docker compose")
    profiles = [word for name in PROFILES for word in ("--profile", name)]
    for overlays in ((), *((name,) for name in OVERLAYS)):
        files = [word for name in ("compose.yaml", *overlays) for word in ("--file", str(HERE / name))]
        _run([docker, "compose", *files, *profiles, "config", "--quiet"], example_variables())
    return f"compose.yaml alone and with each of {len(OVERLAYS)} overlays, put together by docker"


# Proxy and monitoring


def program(name: str) -> str:
    """Return the path of a program.

    Raises:
        AbsentError: it is not installed.
    """
    beside = Path(sys.executable).parent / name
    unpacked = HERE.parent / "build" / "prometheus" / "usr" / "bin" / name  # by .ci/run
    found = next((str(each) for each in (beside, unpacked) if each.exists()), None) or shutil.which(name)
    if found is None:
        raise AbsentError(name)
    return found


def check_proxy() -> str:
    """Let Caddy read its file, and see that it does not without a user and a password.

    Raises:
        ValueError: it refuses the file, or takes it without a login.
        AbsentError: Caddy is not installed.
    """
    caddy = program("caddy")
    command = [caddy, "validate", "--adapter", "caddyfile", "--config", str(HERE / "proxy" / "Caddyfile")]
    variables = {"SERVE_TOKEN": "a", "UI_TOKEN": "b"}
    login = {"PROXY_USER": "analyst", "PROXY_PASSWORD_HASH": "$2a$04$" + "a" * 53}
    _run(command, variables | login)
    try:
        _run(command, variables | dict.fromkeys(login, ""))
    except ValueError:
        return "read by Caddy, which refuses it without a login"
    raise ValueError("proxy/Caddyfile: Caddy starts without a login")


def dashboard_questions() -> list[str]:
    """Return what the dashboard's panels ask Prometheus."""
    panels = json.loads((HERE / "monitoring" / "dashboards" / "imagerag.json").read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def check_monitoring() -> str:
    """Let promtool read Prometheus's file, the alerts, and what the dashboard asks.

    Raises:
        ValueError: it refuses them.
        AbsentError: promtool is not installed.
    """
    promtool = program("promtool")
    with tempfile.TemporaryDirectory() as folder:
        asked = [{"record": f"panel{number}", "expr": text} for number, text in enumerate(dashboard_questions())]
        rules, token, config = (Path(folder) / name for name in ("dashboard.yml", "token", "prometheus.yml"))
        rules.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": asked}]}), encoding="utf-8")
        token.touch()
        text = (HERE / "monitoring" / "prometheus.yml").read_text(encoding="utf-8")
        text = text.replace("/run/secrets/serve_read_token", str(token))
        config.write_text(text.replace("/etc/prometheus", str(HERE / "monitoring")), encoding="utf-8")
        _run([promtool, "check", "rules", str(rules)], {})
        _run([promtool, "check", "config", str(config)], {})
    return f"Prometheus's file, its alerts and {len(asked)} questions of the dashboard, read by promtool"


# Helm


@contextmanager
def whole_chart() -> Iterator[Path]:
    """Yield a copy of the chart with stand-ins for the charts that it depends on."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / CHART.name
        shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("charts"))
        for each in yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["dependencies"]:
            there = copy / "charts" / each["name"]
            there.mkdir(parents=True)
            about = {"apiVersion": "v2", "name": each["name"], "version": each["version"]}
            (there / "Chart.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
            (there / "values.yaml").write_text("{}\n", encoding="utf-8")
        yield copy


def example_values() -> dict[str, Any]:
    """Return values with all that must be given, and all that is off by default."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    ingress = {"enabled": True, "className": "nginx", "tlsSecret": "tls"}
    return {
        "settings": {"IMAGERAG_STORE": "s3://imagerag/store"},
        "secrets": {
            "program": {name: f"{name.lower()}-0123" for name in defaults["secrets"]["program"]},
            "milvusRootPassword": "root-0123",
            "postgresqlPassword": "dagster-0123",
        },
        "dagster": {"postgresql": {"postgresqlHost": "postgres.example.org"}},
        "backup": {"target": "s3://backups/imagerag"},
        "mcp": {"enabled": True},
        "dask": {"enabled": True},
        "serve": {"ingress": {**ingress, "host": "imagery.example.org"}},
        "webserver": {"ingress": {**ingress, "host": "ui.imagery.example.org"}},
    }


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that Helm makes of the chart.

    Raises:
        ValueError: it cannot; the message is Helm's.
        AbsentError: Helm's library is not installed.
    """
    try:
        import helm_python as helm
    except ImportError:
        raise AbsentError("helm-python-sdk") from None
    with whole_chart() as folder, helm.Chart.load(folder) as chart:
        try:
            texts = chart.render(values, name="imagerag", namespace="imagery")
        except helm.HelmError as error:
            raise ValueError(str(error)) from None
    found = [
        each for path, text in sorted(texts.items()) if path.endswith(".yaml") for each in yaml.safe_load_all(text)
    ]
    return [each for each in found if each]


def check_chart() -> str:
    """Lint and render the chart, and hold each object against the schema of Kubernetes.

    Raises:
        ValueError: Helm or a schema refuses something.
        AbsentError: Helm's library or the schemas are not installed.
    """
    try:
        import helm_python as helm
        import kubernetes_validate
    except ImportError as error:
        raise AbsentError(str(error.name)) from None
    with whole_chart() as folder:
        report = helm.lint(folder, example_values(), strict=True, quiet=True)
    if report["errors"]:
        raise ValueError("; ".join(report["errors"]))
    objects = rendered(example_values())
    for each in objects:
        try:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
        except Exception as error:
            name = f"{each['kind']} {each['metadata']['name']}"
            raise ValueError(f"{name}: {getattr(error, 'message', error)}") from None
    return f"{len(objects)} objects, rendered by Helm {helm.helm_sdk_version()}, as Kubernetes {KUBERNETES} has them"


def _run(command: list[str], variables: Mapping[str, str]) -> None:
    """Run a program; ValueError with what it said if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables})
    if done.returncode:
        raise ValueError((done.stderr or done.stdout).strip()[-2000:])


CHECKS: dict[str, Callable[[], str]] = {
    "compose": check_compose,
    "compose (docker)": check_compose_by_docker,
    "proxy": check_proxy,
    "monitoring": check_monitoring,
    "chart": check_chart,
}


def main() -> int:
    """Run all checks; return the exit code."""
    failed = False
    for name, check in CHECKS.items():
        try:
            print(f"{name}: {check()}")
        except AbsentError as what:
            print(f"{name}: NOT CHECKED, {what} is not installed")
        except ValueError as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
