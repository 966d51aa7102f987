"""One difference between what an installation holds and what it says it holds, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Something that does not fit together."""

    kind: str
    """What kind of thing differs, such as shard, rows, run or lock."""
    name: str
    """Which one: its key, path or id."""
    detail: str
    """What is wrong with it."""
    fix: str
    """What `--repair` does, or what to do by hand."""
    mend: Callable[[], str] | None = None
    """Mends it and says what was done; None where only a person can."""
