"""How fast a long step goes on, and how long it will take: said beside its bar."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_STEPS = 30  # looked back
_AT_ONCE_S = 0.02  # what comes faster was done by an earlier run


def duration(seconds: float) -> str:
    """Return a number of seconds in readable form."""
    if seconds < 120:
        return f"{seconds:,.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60:,} h {minutes % 60} min"


class Pace:
    """Steps of what is being done, with the times at which they were done."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells the seconds."""
        self._clock = clock
        self._of: tuple[str, int] = ("", 0)
        self._steps: deque[tuple[float, int]] = deque(maxlen=_STEPS)

    def said(self, done: int, total: int, doing: str) -> str:
        """Return the steps a minute and the time left, in words; nothing before two steps were done here."""
        now, of = self._clock(), (doing, total)
        if of != self._of or not total:
            self._of, self._steps = of, deque(maxlen=_STEPS)
        elif self._steps and now - self._steps[-1][0] < _AT_ONCE_S:
            self._steps.clear()
        self._steps.append((now, done))
        (first, before), (last, after) = self._steps[0], self._steps[-1]
        if after - before < 2 or done >= total:
            return ""
        rate = (after - before) / (last - first)
        return f"{60 * rate:,.0f} a minute, {duration((total - done) / rate)} left"
