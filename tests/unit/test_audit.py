"""What is said of known vulnerabilities: found ones fail, accepted ones do not, and where nobody knows, it says so."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import PROJECT

AUDIT = PROJECT / "infra" / "audit.py"
BAD = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"], "description": ""}


@pytest.fixture(scope="module")
def judge() -> Callable[..., tuple[int, str]]:
    """The function of the script."""
    found: Callable[..., tuple[int, str]] = runpy.run_path(str(AUDIT))["judge"]
    return found


def written(*vulnerabilities: dict[str, Any], known: bool = True) -> str:
    """What pip-audit writes of two packages, of which it may know one."""
    one = {"name": "one", "version": "2.0", "vulns": list(vulnerabilities)}
    unknown = {"name": "two", "skip_reason": "Dependency not found"}
    return json.dumps({"dependencies": [one, unknown] if known else [unknown], "fixes": []})


def test_a_known_vulnerability_fails_unless_it_is_accepted(judge: Callable[..., tuple[int, str]]) -> None:
    code, said = judge(written(BAD), {})
    assert code == 1 and said.startswith("one 2.0: PYSEC-1, fixed in 2.1\n")
    assert judge(written(BAD), {"CVE-1": "not used; 2026-11-27"})[0] == 0
    assert judge(written(), {}) == (0, "vulnerabilities: none in 1 of 2 packages, besides 0 accepted ones")


@pytest.mark.parametrize("output", ["", "no json", "[]", written(known=False)])
def test_where_nobody_knows_it_says_so(judge: Callable[..., tuple[int, str]], output: str) -> None:
    code, said = judge(output, {})
    assert code == 0 and said.startswith("vulnerabilities: not checked")


def test_it_ends_within_its_limit() -> None:
    environment = {**os.environ, "AUDIT_SECONDS": "0.01"}
    done = subprocess.run([sys.executable, str(AUDIT)], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "vulnerabilities: not checked within 0.01 s; AUDIT_SECONDS sets another limit\n"


def test_what_is_accepted_has_a_reason_and_a_day() -> None:
    accepted = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["audit"]["accepted"]
    assert all(re.search(r"\w.*\b20\d\d-\d\d-\d\d$", reason) for reason in accepted.values())


def test_each_exception_from_bandit_has_a_reason() -> None:
    sources = list((PROJECT / "imagerag_assets").rglob("*.py"))
    lines = [line for file in sources for line in file.read_text(encoding="utf-8").splitlines() if "# nosec" in line]
    assert lines
    assert [line for line in lines if not re.search(r"# nosec B\d{3} # \w", line)] == []
