"""Write infra/.env: what .env.example says, with a new secret for each line that is empty there.

    python infra/make_env.py            # write it, or add what it lacks; nothing that is set changes

It needs nothing but Python.  The file is readable by its owner only.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECRET = re.compile(r"^([A-Z][A-Z0-9_]*)=$")
_LINE = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$")


def completed(example: str, existing: str) -> tuple[str, list[str]]:
    """Return the text of the file, and the names that were added to it.

    Args:
        example: Text of `.env.example`, in which only secrets are empty lines; what may stay empty is a comment there.
        existing: What the file has; empty if there is none.
    """
    values = {found[1]: found[2] for line in existing.splitlines() if (found := _LINE.match(line.strip()))}
    added: list[str] = []
    lines: list[str] = [] if not existing else existing.splitlines()
    for line in example.splitlines():
        found = _LINE.match(line)
        if existing and (found is None or found[1] in values):
            if found is not None and not values[found[1]] and SECRET.match(line):
                lines[lines.index(f"{found[1]}=")] = f"{found[1]}={secrets.token_urlsafe(24)}"
                added.append(found[1])
            continue
        if SECRET.match(line):
            line += secrets.token_urlsafe(24)
        lines.append(line)
        if found is not None:
            added.append(found[1])
    return "\n".join(lines) + "\n", added


def main() -> int:
    """Write the file; return the exit code."""
    target = HERE / ".env"
    existing = target.read_text(encoding="utf-8") if target.exists() else ""
    text, added = completed((HERE / ".env.example").read_text(encoding="utf-8"), existing)
    if not added:
        print(f"{target} has all that .env.example has")
        return 0
    aside = target.with_name(".env.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    aside.replace(target)
    print(f"wrote {', '.join(added)} to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
