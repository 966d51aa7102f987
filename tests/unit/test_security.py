"""Each threat of SECURITY.md names tests, and each of them exists."""

from __future__ import annotations

import ast
import re

from tests.conftest import PROJECT

TEXT = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")


def threats() -> dict[str, list[tuple[str, str]]]:
    """Return the tests of each threat: file and name."""
    table = TEXT.partition("## Threats")[2]
    rows = re.findall(r"^\| (?!threat \|)([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    return {threat: re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", named) for threat, named in rows}


def test_each_threat_names_tests_and_each_of_them_exists() -> None:
    assert len(threats()) > 15
    assert [threat for threat, tests in threats().items() if not tests] == []
    missing = []
    for file, name in (test for tests in threats().values() for test in tests):
        tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
        if name not in {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}:
            missing.append(f"{file}::{name}")
    assert missing == []


def test_it_says_how_to_report() -> None:
    assert "Report it in private" in TEXT
