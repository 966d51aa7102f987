"""Look the versions of constraints.txt up among the known vulnerabilities, with pip-audit; `make lint` runs this.

It fails for each vulnerability that `[tool.audit.accepted]` of pyproject.toml does not give a reason for.  Where
advisories cannot be looked up, or not within AUDIT_SECONDS (20), it says so, and does not fail.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
SECONDS = 20.0
COMMAND = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "5")


def judge(output: str, accepted: dict[str, str]) -> tuple[int, str]:
    """Return the exit code, and the line or lines to print, for what pip-audit wrote.

    Args:
        output: Its JSON.
        accepted: Reasons by the id of a vulnerability.
    """
    try:
        found: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 0, "vulnerabilities: not checked, advisories cannot be looked up here"
    checked = [each for each in found if "vulns" in each]
    if not checked:
        return 0, "vulnerabilities: not checked, no package is known where advisories are looked up here"
    refused = [
        f"{each['name']} {each['version']}: {one['id']}, fixed in {', '.join(one['fix_versions']) or 'no version'}"
        for each in checked
        for one in each["vulns"]
        if not accepted.keys() & {one["id"], *one.get("aliases", ())}
    ]
    if refused:
        return 1, "\n".join([*refused, "Take a fixed version (make lock KEEP=1), or give the reason in pyproject.toml"])
    return 0, f"vulnerabilities: none in {len(checked)} of {len(found)} packages, besides {len(accepted)} accepted ones"


def main() -> int:
    """Run pip-audit and print what follows from it; return the exit code."""
    tools = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(PROJECT / "constraints.txt"), *COMMAND]
    limit = float(os.environ.get("AUDIT_SECONDS") or SECONDS)
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=limit).stdout
    except subprocess.TimeoutExpired:
        print(f"vulnerabilities: not checked within {limit:g} s; AUDIT_SECONDS sets another limit")
        return 0
    code, said = judge(output, tools["audit"]["accepted"])
    print(said)
    return code


if __name__ == "__main__":
    sys.exit(main())
