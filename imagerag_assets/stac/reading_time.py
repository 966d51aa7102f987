"""The time that reading one source may take: a catalog can be large, slow, or made so that it has no end.

Documents have limits of their own; there may be very many of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from imagerag_assets.errors import SourceError
from imagerag_assets.settings import Settings

T = TypeVar("T")


class ReadingTime:
    """Counts the time in which a source is read, and not what is done with its items in between.

    Args:
        settings: The limit.
        seconds: A smaller limit, if there is one.
    """

    def __init__(self, settings: Settings, seconds: float | None = None) -> None:
        self.seconds = min(settings.limit_source_s, settings.limit_source_s if seconds is None else seconds)
        self._spent, self._since = 0.0, time.monotonic()
        self._is_said = False

    @property
    def is_up(self) -> bool:
        """Return whether no more is to be read."""
        return self._spent + time.monotonic() - self._since >= self.seconds

    def say(self) -> str:
        """Say so in a few words."""
        self._is_said = True
        return f"it was not read to its end in {self.seconds:g} s (IMAGERAG_LIMIT_SOURCE_S)"

    def error(self, href: str) -> SourceError:
        """Return the error for a source of which only a part was read."""
        self._is_said = True
        return SourceError(
            f"The source was not read to its end in {self.seconds:g} s; what was read counts",
            fix="Name a part of it, or raise IMAGERAG_LIMIT_SOURCE_S",
            transient=True,
            href=href,
        )

    def limited(self, found: Iterator[T], passed: Callable[[SourceError], T], href: str) -> Iterator[T]:
        """Yield what is found while there is time, and at the end of that an error, as `passed` makes it."""
        while True:
            self._since = time.monotonic()
            each = next(found, None)
            self._spent += time.monotonic() - self._since
            if each is None:
                return
            yield each
            self._since = time.monotonic()
            if self.is_up and not self._is_said:
                yield passed(self.error(href))
                return
