"""The Helm chart: what it makes, that its objects fit each other, and the names that it takes from the charts below it.

Helm's own library renders it; nothing is installed.  The charts of Dagster, Milvus and Dask cannot be fetched here: the
names of their values that are used are held against `infra/helm/values-known.yaml`, which says where they are from.
"""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster_k8s import K8sRunLauncher

from imagerag_assets.orchestration.dagster_home import prepare_dagster_home
from imagerag_assets.settings import Settings, load_settings
from tests.unit.test_infra import check, done

INFRA = Path(__file__).resolve().parents[2] / "infra"
CHART = INFRA / "helm" / "imagerag"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
Objects = dict[tuple[str, str], dict[str, Any]]


def objects_of(values: dict[str, Any]) -> Objects:
    """What Helm makes, by kind and name."""
    try:
        found = check.rendered(values)
    except check.AbsentError as what:
        pytest.skip(f"NOT CHECKED: {what} is not installed")
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


@pytest.fixture(scope="module")
def objects() -> Objects:
    return objects_of(check.example_values())


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pods of all workloads, by the name of the workload."""
    for (kind, name), each in objects.items():
        if kind == "CronJob":
            yield name, each["spec"]["jobTemplate"]["spec"]["template"]
        elif kind in ("Deployment", "Job"):
            yield name, each["spec"]["template"]


def test_helm_and_the_schemas_of_kubernetes_take_the_chart() -> None:
    assert "19 objects" in done(check.check_chart)


def test_the_least_is_asked_for_in_words_and_the_rest_is_off(objects: Objects) -> None:
    for path in (
        "settings.IMAGERAG_STORE",
        "dagster.postgresql.postgresqlHost",
        "backup.target",
        "secrets.postgresqlPassword",
    ):
        values = copy.deepcopy(check.example_values())
        *outer, last = path.split(".")
        inner = values
        for name in outer:
            inner = inner[name]
        del inner[last]
        with pytest.raises(ValueError, match=f"{path} is needed"):
            objects_of(values)
    values = check.example_values()
    least = {name: values[name] for name in ("settings", "secrets", "dagster", "backup")}
    kinds = {kind for kind, _ in objects_of(least)}
    assert "Ingress" not in kinds
    outside = {**least, "secrets": {"create": False}, "home": {"create": False}, "milvus": {"enabled": False}}
    with pytest.raises(ValueError, match=r"settings\.IMAGERAG_MILVUS_URI is needed"):
        objects_of(outside)
    outside["settings"] = {**values["settings"], "IMAGERAG_MILVUS_URI": "http://elsewhere:19530"}
    left = objects_of(outside)
    assert not {"Secret", "PersistentVolumeClaim", "Job"} & {kind for kind, _ in left}
    assert left["ConfigMap", "imagerag-settings"]["data"]["IMAGERAG_MILVUS_URI"] == "http://elsewhere:19530"


def test_what_the_chart_passes_is_what_the_program_reads(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"IMAGERAG_{name.upper()}" for name in Settings.model_fields}
    known |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
    passed = objects["ConfigMap", "imagerag-settings"]["data"] | objects["Secret", "imagerag-secrets"]["stringData"]
    assert set(passed) <= known
    for name, value in passed.items():
        assert isinstance(value, str)
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None)
    assert settings.milvus == "http://imagerag-milvus:19530" and not settings.milvus_is_lite
    assert settings.dask_scheduler == "tcp://imagerag-dask-scheduler:8786"
    assert settings.serve_hosts == ("imagerag-serve", "imagerag-mcp", "imagery.example.org")
    assert settings.ui_hosts == ("imagerag-webserver", "ui.imagery.example.org")
    assert settings.s3_endpoint_url is None  # AWS
    # Any other setting goes the same way, and its place is checked by the program.
    values = check.example_values()
    values["settings"] |= {"IMAGERAG_TOP_K": 5, "IMAGERAG_SERVE_HOSTS": '["other"]', "IMAGERAG_CHAIN_OF_THOUGHT": True}
    for name, value in objects_of(values)["ConfigMap", "imagerag-settings"]["data"].items():
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None)
    assert (settings.top_k, settings.serve_hosts, settings.chain_of_thought) == (5, ("other",), True)
    # Inside a container of a pod, and of Dagster's and Dask's charts.
    asked = [
        each["name"] for _, pod in pods(objects) for box in pod["spec"]["containers"] for each in box.get("env", ())
    ]
    asked += [each["name"] for each in VALUES["dask"]["worker"]["env"]]
    dagsters = {
        "DAGSTER_HOME",
        "DAGSTER_PG_PASSWORD",
        "DAGSTER_K8S_INSTANCE_CONFIG_MAP",
        "DAGSTER_K8S_PG_PASSWORD_SECRET",
    }
    dagsters |= {"DAGSTER_K8S_PIPELINE_RUN_ENV_CONFIGMAP"}
    assert set(asked) <= known | dagsters | {"MILVUS_ROOT_PASSWORD"}


def test_all_that_is_named_is_made(objects: Objects) -> None:
    made = {(kind, name) for kind, name in objects}
    by_dependencies = {("ConfigMap", "imagerag-dagster-instance"), ("ConfigMap", "imagerag-dagster-workspace-yaml")}

    def named(inside: Any) -> Iterator[tuple[str, str, str | None]]:
        if isinstance(inside, dict):
            for key in ("configMapRef", "configMapKeyRef", "configMap", "secretRef", "secretKeyRef"):
                if key in inside:
                    kind = "Secret" if key.startswith("secret") else "ConfigMap"
                    yield kind, inside[key]["name"], inside[key].get("key")
            if "persistentVolumeClaim" in inside:
                yield "PersistentVolumeClaim", inside["persistentVolumeClaim"]["claimName"], None
            for key in ("envConfigMaps", "envSecrets"):
                for each in inside.get(key, ()):
                    yield "Secret" if key == "envSecrets" else "ConfigMap", each["name"], None
            for each in inside.values():
                yield from named(each)
        elif isinstance(inside, list):
            for each in inside:
                yield from named(each)

    used = [*named(list(objects.values())), *named(VALUES)]
    assert {(kind, name) for kind, name, _ in used} <= made | by_dependencies
    for kind, name, key in used:
        if key is not None and (kind, name) in made:
            content = objects[kind, name]
            assert key in content.get("data", {}) | content.get("stringData", {}), (name, key)
    assert VALUES["dagster"]["global"]["postgresqlSecretName"] in {name for kind, name in made if kind == "Secret"}


def test_pods_are_not_root_and_have_probes_limits_and_an_image_of_this_version(objects: Objects) -> None:
    version = tomllib.loads((INFRA.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert about["appVersion"] == version
    images = [VALUES["image"], VALUES["dagster"]["dagsterDaemon"]["image"], VALUES["dask"]["scheduler"]["image"]]
    images += [VALUES["dask"]["worker"]["image"]]
    images += [each["image"] for each in VALUES["dagster"]["dagster-user-deployments"]["deployments"]]
    assert {(each["repository"], each["tag"]) for each in images} == {("imagerag-assets", version)}
    dockerfile = (INFRA / "Dockerfile").read_text(encoding="utf-8")
    found = dict(pods(objects))
    assert set(found) == {f"imagerag-{name}" for name in ("serve", "webserver", "mcp", "milvus-user", "backup")}
    for name, pod in found.items():
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] and f"--uid {security['runAsUser']}" in dockerfile, name
        assert pod["spec"].get("automountServiceAccountToken") is False or name == "imagerag-webserver"
        (box,) = pod["spec"]["containers"]
        assert box["securityContext"] == {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True
        }, name  # fmt: skip
        assert box["resources"]["limits"]["memory"] and box["resources"]["requests"]["cpu"]
        probes = {each for each in box if each.endswith("Probe")}
        assert probes == ({"startupProbe", "livenessProbe", "readinessProbe"} if box.get("ports") else set()), name
        mounted = {each["name"] for each in box["volumeMounts"]}
        assert mounted <= {each["name"] for each in pod["spec"]["volumes"]}
        assert "/tmp" in {each["mountPath"] for each in box["volumeMounts"]}


def test_services_and_policies_choose_the_pods(objects: Objects) -> None:
    found = dict(pods(objects))
    for (kind, name), each in objects.items():
        if kind == "Service":
            pod = found[name]
            assert each["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
            (port,) = each["spec"]["ports"]
            (offered,) = pod["spec"]["containers"][0]["ports"]
            assert (port["port"], port["targetPort"]) == (offered["containerPort"], offered["name"])
            assert str(port["port"]) in pod["spec"]["containers"][0]["command"]
        if kind == "Ingress":
            backend = each["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
            assert objects["Service", backend["name"]]["spec"]["ports"][0]["port"] == backend["port"]["number"]
    ours = objects["NetworkPolicy", "imagerag"]["spec"]
    assert all(
        ours["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items() for pod in found.values()
    )
    assert ours["ingress"] == [{"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": "http"}]}]
    milvus = objects["NetworkPolicy", "imagerag-milvus"]["spec"]["ingress"][0]
    (asking,) = milvus["from"][0]["podSelector"]["matchLabels"].items()
    assert milvus["ports"] == [{"protocol": "TCP", "port": 19530}]
    for name in set(found) - {"imagerag-webserver"}:
        assert asking in found[name]["metadata"]["labels"].items(), name
    (code,) = VALUES["dagster"]["dagster-user-deployments"]["deployments"]
    launcher = VALUES["dagster"]["runLauncher"]["config"]["k8sRunLauncher"]
    assert asking in code["labels"].items() and asking in launcher["labels"].items()


def test_dagster_takes_both_instances(objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of our pods, and the parts that are handed to Dagster's chart, as its template writes them."""
    home = prepare_dagster_home(load_settings(_env_file=None, home=tmp_path))
    text = objects["ConfigMap", "imagerag-instance"]["data"]["dagster.yaml"]
    (home / "dagster.yaml").write_text(text, encoding="utf-8")
    storage = InstanceRef.from_dir(str(home)).storage_data
    assert storage is not None and storage.class_name == "DagsterPostgresStorage"
    assert storage.config_dict["postgres_db"]["hostname"] == "postgres.example.org"
    values = VALUES["dagster"]
    assert values["global"]["dagsterHome"] == "/var/lib/imagerag/dagster"
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    queue = values["dagsterDaemon"]["runCoordinator"]
    written = {
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": queue["type"],
            "config": {"dequeue_use_threads": True, "dequeue_num_workers": 4},  # the chart's defaults
        },
        "run_launcher": {
            "module": "dagster_k8s",
            "class": values["runLauncher"]["type"],
            "config": {
                "load_incluster_config": False,  # there is no cluster; the chart's default is true
                "image_pull_policy": launcher["imagePullPolicy"],
                "service_account_name": "imagerag-dagster",
                "job_namespace": "imagery",
                "instance_config_map": "imagerag-dagster-instance",
                "postgres_password_secret": values["global"]["postgresqlSecretName"],
                "dagster_home": values["global"]["dagsterHome"],
                "env_config_maps": [each["name"] for each in launcher["envConfigMaps"]],
                "env_secrets": [each["name"] for each in launcher["envSecrets"]],
                "volumes": launcher["volumes"],
                "volume_mounts": launcher["volumeMounts"],
                "labels": launcher["labels"],
                "resources": launcher["resources"],
                "security_context": launcher["securityContext"],
                "run_k8s_config": {
                    "pod_spec_config": launcher["runK8sConfig"]["podSpecConfig"],
                    "job_spec_config": launcher["runK8sConfig"]["jobSpecConfig"],
                },
            },
        },
        **values["additionalInstanceConfig"],
    }
    config = tmp_path / "kubeconfig"
    config.write_text(yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": "none",
        "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "none", "user": {}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    }), encoding="utf-8")  # fmt: skip
    written["run_launcher"]["config"]["kubeconfig_file"] = str(config)
    (home / "dagster.yaml").write_text(json.dumps(written), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance.run_launcher, K8sRunLauncher)
        limits = instance.get_concurrency_config()
        assert limits.run_queue_config is not None and limits.run_queue_config.max_concurrent_runs == 4
        assert limits.pool_config.default_pool_limit == 1


def test_values_of_the_charts_below_are_ones_that_they_have() -> None:
    known = yaml.safe_load((INFRA / "helm" / "values-known.yaml").read_text(encoding="utf-8"))
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    for each in about["dependencies"]:
        there = known[each["name"]]
        assert each["version"] in there["versions"], each
        assert urlsplit(each["repository"]).scheme == "https" and each["repository"] == there["repository"]
        used = set(leaves(VALUES[each["name"]]))
        names = {name for name in used for one in there["values"] if name == one or name.startswith(f"{one}.")}
        assert used - names == set(), each["name"]
    version = about["dependencies"][0]["version"]
    assert version == dg.__version__  # Dagster's chart, with the Dagster of the image


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """The paths of the values that are set; lists count as one, but that of deployments as what each has."""
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        if name == "deployments":
            for each in value:
                yield from leaves(each, f"{here}[]")
        elif isinstance(value, dict) and value:
            yield from leaves(value, here)
        else:
            yield here
