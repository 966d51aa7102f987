"""A question's fields are spelled out once: every place that takes or keeps a question has all of them.

A field that a place leaves out is named there with the reason; a new field that no place knows fails here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import typer.main
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.cli._options import NOT_TYPED
from imagerag_assets.cli.app import app
from imagerag_assets.cli.ask import NOT_WITH_BATCH
from imagerag_assets.cli.watch import NOT_STANDING
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.assets.answers import NOT_IN_BATCH, AskBatchConfig, AskConfig
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.orchestration.ops import WatchConfig
from imagerag_assets.patches.divisions import DIVISIONS
from imagerag_assets.patches.names import PAPER, PAPER_DEFAULT
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.question_files import KEYS, NOT_IN_A_LINE, TRUTH, parse_line
from imagerag_assets.settings import Settings
from imagerag_assets.standing_questions.store import Watch, load_watch
from tests.installation import installed, tiny_registry  # noqa: F401

FIELDS = set(Question.model_fields)
FULL = Question(
    "How many?",
    choices={"A": "one", "B": "two"},
    scenes=("key",),
    bbox=(1.0, 2.0, 3.0, 4.0),
    datetime="2024-01-01/..",
    path="slow",
    top_k=2,
    retrieval="paper",
    division="vit",
    answer=False,
    mode="oracle",
    id="7",
    roi=((1, 2, 3, 4),),
    after="20260504T103000-1f2e3d4c",
    cloud_at_most=12.5,
    plan='[{"op": "count", "thing": "ship"}]',
)
"""Every field except `like`, which allows no other retrieval and mode, differs from its default."""
LIKE = Question("", like="pier.png", cloud_at_most=0)
OPTION = {"choices": "choice", "scenes": "scene", "answer": "no_answer"}
"""Parameters that are not called as their field is."""


def options_of(*names: str) -> set[str]:
    """The parameters of a command of the command line."""
    command: Any = typer.main.get_command(app)
    for name in names:
        command = command.commands[name]
    return {parameter.name for parameter in command.params}


def test_these_questions_have_every_field() -> None:
    set_ = {name for each in (FULL, LIKE) for name in FIELDS if getattr(each, name) != Question("?").model_dump()[name]}
    assert set_ == FIELDS


@pytest.mark.parametrize("question", [FULL, LIKE], ids=["full", "like"])
def test_a_question_survives_every_form(question: Question) -> None:
    assert AskConfig.from_question(question).to_question() == question
    record = json.loads(json.dumps(question.model_dump(include={*Question.ASKED}) | {"options": question.options()}))
    assert Question.from_record(record) == question
    watch = Watch("w", "w", question, "2026-01-01T00:00:00+00:00")
    assert Watch.from_dict(json.loads(json.dumps(watch.to_dict()))) == watch
    line = question.model_dump(mode="json", exclude={*NOT_IN_A_LINE})
    common = Question("?", **question.model_dump(include={*NOT_IN_A_LINE} - {"mode"}))
    assert parse_line(json.dumps(line), 1, common, question.mode) == question


def test_the_launchpad_has_every_field() -> None:
    for config in (AskConfig, WatchConfig):
        assert set(config.model_fields) >= FIELDS, config
        described = {name: config.model_fields[name].description for name in FIELDS}
        assert described == {name: field.description for name, field in Question.model_fields.items()}
    assert FIELDS - NOT_IN_BATCH.keys() == AskBatchConfig.model_fields.keys() - {"input", "output"}
    assert NOT_IN_BATCH.keys() <= set(KEYS)  # the lines have what the file's options have not


def test_the_command_line_has_every_field() -> None:
    typed = {OPTION.get(name, name) for name in FIELDS - NOT_TYPED.keys()} | {"question"}
    assert typed <= options_of("ask")
    assert {OPTION.get(name, name) for name in NOT_STANDING} == typed - options_of("watch", "add")
    assert NOT_WITH_BATCH.keys() | NOT_TYPED.keys() == NOT_IN_BATCH.keys()


def test_a_line_has_every_field() -> None:
    assert set(KEYS) - {"scene", *TRUTH} == FIELDS - NOT_IN_A_LINE.keys()


def test_what_is_left_out_has_a_reason() -> None:
    for left_out in (NOT_IN_BATCH, NOT_TYPED, NOT_STANDING, NOT_IN_A_LINE):
        assert left_out.keys() <= FIELDS
        assert all(left_out.values())


def test_a_record_without_the_added_fields_stays_as_it_was() -> None:
    options = Question("Where?").options()
    assert options.keys() == FIELDS - Question.ASKED - Question.ADDED
    assert Question("Where?", cloud_at_most=5).options() == options | {"cloud_at_most": 5.0}


def test_the_papers_divisions_are_those_that_there_are() -> None:
    assert set(PAPER) == set(DIVISIONS) - {"pyramid"}
    assert PAPER_DEFAULT in PAPER


SAVED = {"retrieval": "paper", "division": "vit", "cloud_at_most": 12.5, "top_k": 2, "answer": False}


def test_a_watch_of_the_command_line_keeps_every_option(
    capsys: pytest.CaptureFixture[str],
    installed: Settings,  # noqa: F811
) -> None:
    arguments = ["--retrieval", "paper", "--division", "vit", "--cloud-at-most", "12.5", "--top-k", "2", "--no-answer"]
    assert main(["watch", "add", "Where is the pier?", "--name", "pier", *arguments, "--json"]) == 0
    added = json.loads(capsys.readouterr().out)["watch"]
    with Platform(installed) as platform:
        assert load_watch(platform, "pier").question == Question("Where is the pier?", **SAVED)
    assert {name: added[name] for name in SAVED} == SAVED


def test_a_watch_of_the_launchpad_keeps_every_field(
    installed: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "pier.png")
    job = build_defs().resolve_job_def("add_watch")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dagster_instance(installed) as instance, Platform(installed) as platform:
        for name, config in {
            "paper": {"question": "Where is the pier?", **SAVED},
            "like": {"question": "", "like": "pier.png", "cloud_at_most": 12.5},
        }.items():
            ops = {"save": {"config": {**config, "name": name}}}
            assert job.execute_in_process(run_config={**quiet, "ops": ops}, instance=instance).success
        assert load_watch(platform, "paper").question == Question("Where is the pier?", **SAVED)
        like = load_watch(platform, "like").question
        # The question is asked from other folders than the one it was saved in.
        assert like == Question("", like=str(tmp_path / "pier.png"), cloud_at_most=12.5)
        gone = {"save": {"config": {"question": "", "like": "gone.png"}}}
        with pytest.raises(dg.Failure, match="no such file"):
            job.execute_in_process(run_config={**quiet, "ops": gone}, instance=instance)
