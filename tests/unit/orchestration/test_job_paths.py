"""What a launchpad may name: files in the folders for jobs, with links followed, and addresses; a command, anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import ImageRAGError, InputError
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.job_paths import JobPaths
from imagerag_assets.settings import Settings, load_settings
from tests.installation import installed, tiny_registry  # noqa: F401

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
HELD = JobPaths()


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of others, with a file that jobs have no business with."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret.jsonl").write_text('{"question": "where?"}\n')
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_in_the_folder_may_be_read(here: Path) -> None:
    settings = load_settings(_env_file=None)
    (here / "deep").mkdir()
    for address in ("catalog.json", "./deep/../catalog.json", str(here / "deep"), ".", f"file://{here}/catalog.json",
                    "https://example.com/{z}/{x}/{y}.png#bbox=1,2,3,4", "s3://bucket/prefix", "http://127.0.0.1:8000/c",
                    ""):  # fmt: skip
        HELD.check_address(address, settings)
    HELD.check_example("a:b:c:d:e", settings)
    HELD.check_example(None, settings)
    HELD.check_output("answers.jsonl", settings)


def test_what_is_elsewhere_may_not(here: Path, outside: Path) -> None:
    settings = load_settings(home=here / "home", _env_file=None)
    (here / "link").symlink_to(outside)
    (here / "link.jsonl").symlink_to(outside / "secret.jsonl")
    (here / ".ssh").mkdir()
    (here / "visible").symlink_to(here / ".ssh")
    files = ["/etc/passwd", "../secret", "link/secret.jsonl", "link.jsonl", str(outside), ".env", ".ssh/id",
             "visible/id", "deep/../../x", f"{here}/../x", f"{here}-beside/x"]  # fmt: skip
    for file in files:
        with pytest.raises(InputError, match="may not read this file.*IMAGERAG_JOB_ROOTS"):
            HELD.check_file(file, settings)
        with pytest.raises(InputError, match="IMAGERAG_JOB_ROOTS"):
            HELD.check_address(file, settings)
        with pytest.raises(InputError):
            HELD.check_example(file, settings)
        with pytest.raises(InputError):
            HELD.check_output(file, settings)
    for address in ("~/catalog.json", "file:///etc/passwd", "FILE:///etc/passwd", " /etc/passwd", "/vsicurl/http://a/b",
                    "<VRTDataset/>", "simplecache::file:///etc/passwd", "memory://x", "http://169.254.169.254/latest",
                    "ftp://host/x"):  # fmt: skip
        with pytest.raises(ImageRAGError):
            HELD.check_address(address, settings)
    for output in ("definitions.py", "answers.txt", "home/x.jsonl", str(outside / "x.jsonl"), "link/x.jsonl"):
        with pytest.raises(InputError, match="job"):
            HELD.check_output(output, settings)
    (here / "asked.jsonl").write_text(f"no json\n{json.dumps({'question': '?', 'like': str(outside / 'a.png')})}\n")
    with pytest.raises(InputError, match="a.png"):
        HELD.check_questions(["asked.jsonl"], settings)


def test_the_setting_lists_other_folders(here: Path, outside: Path) -> None:
    settings = load_settings(job_roots=(str(outside),), _env_file=None)
    HELD.check_address(str(outside / "secret.jsonl"), settings)
    HELD.check_output(str(outside / "answers.jsonl"), settings)
    with pytest.raises(InputError):
        HELD.check_file("mine.jsonl", settings)
    assert here == Path.cwd()


def test_a_command_opens_what_it_is_given(here: Path, outside: Path) -> None:
    free, settings = JobPaths(free=True), load_settings(_env_file=None)
    free.check_address("/etc/passwd", settings)
    free.check_questions([str(outside / "secret.jsonl")], settings)
    free.check_output(str(outside / "answers.txt"), settings)
    free.check_example("/etc/passwd", settings)
    assert here == Path.cwd()


def launchpads(outside: Path) -> dict[str, dict[str, Any]]:
    """Return an attack on each job that takes a path."""
    secret = str(outside / "secret.jsonl")
    return {
        "scan_source": {"scan": {"config": {"source": secret}}},
        "build_knowledge": {
            "knowledge_labels": {"config": {"source": str(outside)}},
            "knowledge_captions": {"config": {"source": secret}},
        },
        "ask_question": {"answer": {"config": {"question": "", "like": secret}}},
        "add_watch": {"save": {"config": {"question": "", "like": secret}}},
        "ask_batch": {"answer_batch": {"config": {"input": secret, "output": "answers.jsonl"}}},
        "benchmark": {"retrieval_benchmark": {"config": {"questions": [secret]}}},
    }


@pytest.mark.parametrize("job", sorted(launchpads(Path())))
def test_a_job_of_the_ui_is_held_to_them(job: str, installed: Settings, outside: Path) -> None:  # noqa: F811
    with dagster_instance(installed) as instance:
        done = build_defs().resolve_job_def(job).execute_in_process(
            run_config={**QUIET, "ops": launchpads(outside)[job]}, instance=instance, raise_on_error=False
        )  # fmt: skip
    failures = [event.step_failure_data for event in done.all_events if event.is_step_failure]
    assert failures
    for failure in failures:
        assert failure.user_failure_data is not None
        assert "A job may not read this file" in str(failure.user_failure_data.description)
        assert "\n" not in str(failure.user_failure_data.description)


def test_a_job_of_the_ui_writes_nothing_elsewhere(installed: Settings, outside: Path) -> None:  # noqa: F811
    Path("asked.jsonl").write_text('{"question": "where is a boat?"}\n')
    job = build_defs().resolve_job_def("ask_batch")
    with dagster_instance(installed) as instance:
        for output in (str(outside / "answers.jsonl"), "definitions.py"):
            config = {"answer_batch": {"config": {"input": "asked.jsonl", "output": output}}}
            done = job.execute_in_process(run_config={**QUIET, "ops": config}, instance=instance, raise_on_error=False)
            assert not done.success
    assert sorted(each.name for each in outside.iterdir()) == ["secret.jsonl"]
    assert not Path("definitions.py").exists()


def test_every_field_that_may_be_a_path_is_known() -> None:
    """A new field of text in a launchpad has to be looked at: is it a path or an address?"""
    fields: set[str] = set()
    for job in build_defs(sources=()).resolve_all_job_defs():
        for node in job.all_node_defs:
            kinds = getattr(getattr(getattr(node, "config_schema", None), "config_type", None), "fields", {})
            fields |= {name for name, field in kinds.items() if _is_text(field.config_type)}
    no_path = {
        "after", "choices", "collections", "datetime", "division", "encoder", "id", "mode", "name", "older_than",
        "path", "plan", "question", "retrieval", "scenes",
    }  # fmt: skip
    assert fields - no_path == {"source", "questions", "input", "output", "like"}


def _is_text(kind: Any) -> bool:
    inner = getattr(kind, "inner_type", kind)
    return getattr(inner, "given_name", None) == "String" or "String" in str(getattr(inner, "key", ""))
