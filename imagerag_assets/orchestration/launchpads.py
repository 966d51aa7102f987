"""The text of a launchpad: what a person fills in comes first, and each field has a line of help above it.

Dagster knows the help, but shows it beside the text only, and sorts all fields by their names.  Which text it shows is
decided in `_dagster_private`.  See https://docs.dagster.io/guides/operate/configuration/run-configuration
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from imagerag_assets.questions.question import Question

FIRST = ("question", "choices", "source", "input", "output", "questions", "name", "encoder", *Question.model_fields)
"""Fields in the order that they are filled in; all others follow by name."""
_NEVER_FILLED_IN = ("execution", "loggers", "resources")


@dataclass(frozen=True)
class Help:
    """What Dagster knows of a field of a configuration."""

    text: str = ""
    """One line; empty: there is none."""
    fields: Mapping[str, Help] = field(default_factory=dict)


def launchpad_text(config: Mapping[str, Any], about: Help) -> str:
    """Return a configuration as YAML with a comment above each field, and the fields that it leaves out as comments.

    Args:
        config: What the launchpad is filled in with.
        about: Of the whole configuration of a run.
    """
    filled = {name: value for name, value in config.items() if value or name not in _NEVER_FILLED_IN}
    lines = [line for name, value in filled.items() for line in _lines(name, value, about.fields.get(name, Help()), "")]
    return "".join(f"{line}\n" for line in lines)


def _lines(name: str, value: Any, about: Help, indent: str) -> list[str]:
    """Return a field: one that has fields with one after the other, all else as YAML writes it."""
    if not isinstance(value, Mapping) or not about.fields:
        text = yaml.safe_dump({name: value}, allow_unicode=True, sort_keys=False, default_flow_style=_flow(value))
        return [f"{indent}{line}" for line in text.splitlines()]
    found = [f"{indent}{name}:"]
    deeper = f"{indent}  "
    for inner in sorted({*value, *(about.fields if name == "config" else ())}, key=_place):
        known = about.fields.get(inner, Help())
        if name == "config" and known.text:
            found.append(f"{deeper}# {known.text}")
        found += _lines(inner, value[inner], known, deeper) if inner in value else [f"{deeper}# {inner}:"]
    return found


def _flow(value: Any) -> bool | None:
    """Write lists of numbers in one line."""
    return None if isinstance(value, list) else False


def _place(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST)), name
