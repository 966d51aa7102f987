"""What is repeated: transient faults, with waits between, and nothing else.

No `from __future__ import annotations` here: Dagster reads the annotation of `context` as an object.
"""

import pickle
from collections.abc import Iterator

import dagster as dg
import pytest

from imagerag_assets.errors import RasterError, SourceError, StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.failures import is_transient
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.step_failures import RETRY, failures
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.settings import Settings

SOON = dg.RetryPolicy(max_retries=RETRY.max_retries, delay=0)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    with Platform(settings) as platform:
        yield platform


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (StoreError("Milvus cannot be reached", transient=True), 4),
        (RasterError("The file is damaged"), 1),
        (KeyError("a mistake"), 1),
    ],
)
def test_only_transient_faults_are_repeated(platform: Platform, error: Exception, tries: int) -> None:
    tried: list[int] = []

    @dg.op(retry_policy=SOON)
    def work(context: dg.OpExecutionContext) -> None:
        tried.append(context.retry_number)
        with failures(platform, scene_key="one"):
            raise error

    @dg.job
    def job() -> None:
        work()

    result = job.execute_in_process(raise_on_error=False)
    assert not result.success
    assert tried == list(range(tries))
    assert [failure.type for failure in list_failures(platform)] == [type(error).__name__]
    with pytest.raises(dg.Failure) as caught:
        job.execute_in_process()
    assert caught.value.__cause__ is error


def test_steps_on_scenes_have_the_policy() -> None:
    graph = build_defs(sources=()).resolve_job_def("ingest_scenes").graph
    policies = {node.name: node.definition.retry_policy for node in graph.nodes}  # type: ignore[attr-defined]
    assert {policies[name] for name in ("scene", "patch_table", "patch_embeddings", "patch_collection")} == {RETRY}


def test_what_is_transient() -> None:
    refused = ConnectionRefusedError("refused")
    assert is_transient(refused, "https://host/x")
    assert not is_transient(refused, "/local/file")
    assert not is_transient(FileNotFoundError("x"), "s3://bucket/x")
    wrapped = OSError("slow down")
    wrapped.__cause__ = _client_error("SlowDown", 503)
    assert is_transient(wrapped, "s3://bucket/x")
    assert not is_transient(_client_error("AccessDenied", 403), "s3://bucket/x")
    assert is_transient(RuntimeError("HTTP response code: 502"), "https://host/x.tif")
    assert not is_transient(RuntimeError("HTTP response code: 404"), "https://host/x.tif")
    copied = pickle.loads(pickle.dumps(SourceError("down", transient=True, href="x")))
    assert copied.transient and copied.ids == {"href": "x"}


def _client_error(code: str, status: int) -> Exception:
    from botocore.exceptions import ClientError

    about = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(about, "GetObject")  # type: ignore[arg-type]
