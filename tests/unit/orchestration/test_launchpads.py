"""The text of launchpads: what is filled in comes first, and each field of each job has a line of help."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
import yaml

from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.orchestration.launchpads import Help, launchpad_text

LONGEST = 120
"""Characters of a line of help."""


def help_of(schema: Any) -> Help:
    fields = {name: help_of(field.config_type) for name, field in getattr(schema, "fields", {}).items()}
    texts = {name: field.description or "" for name, field in getattr(schema, "fields", {}).items()}
    return Help(fields={name: Help(texts[name], below.fields) for name, below in fields.items()})


def test_the_question_comes_first_and_what_is_not_set_is_a_comment() -> None:
    job = build_defs().resolve_job_def("ask_question")
    filled: Any = job.run_config
    text = launchpad_text(filled, help_of(job.run_config_schema.config_type))
    lines = [line.strip() for line in text.splitlines()]
    assert lines[:4] == ["ops:", "answer:", "config:", "# The question, in plain words"]
    assert lines[4].startswith("question: ") and lines[6:8] == ["choices:", "A: upper left"]
    assert lines[lines.index("# bbox:") - 1] == "# Search only this area: west, south, east, north in degrees"
    assert yaml.safe_load(text) == {"ops": filled["ops"]}


def test_every_field_of_every_job_has_one_line_of_help() -> None:
    for job in build_defs().resolve_all_job_defs():
        for node in job.nodes if not job.name.startswith("__") else ():
            schema = node.definition.config_schema
            fields = getattr(schema.config_type if schema else None, "fields", {})
            for name, field in fields.items():
                text = field.description or ""
                assert 0 < len(text) <= LONGEST and "\n" not in text, (job.name, name, len(text), text)


def test_a_question_has_to_be_given() -> None:
    """So that the button of the UI opens the launchpad."""
    with pytest.raises(dg.DagsterInvalidConfigError, match="question"):
        build_defs().resolve_job_def("add_watch").execute_in_process(run_config={"ops": {"save": {"config": {}}}})
