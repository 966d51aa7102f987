"""What goes to standard error: the program's own warnings and errors, as lines for a person or as JSON.

Libraries are silent, since results and errors say what matters of their messages.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from imagerag_assets.escaping import one_line
from imagerag_assets.masking import mask_logs, masked

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings

_PACKAGE = "imagerag_assets"
_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "GRPC_VERBOSITY": "NONE",
    "CPL_LOG": os.devnull,  # GDAL's own messages
}


@dataclass
class _Shown:
    """How messages are shown, and which; the environment says so before the settings are read."""

    as_json: bool = False
    level: int = logging.WARNING


_shown = _Shown()


def configure(settings: Settings | None) -> None:
    """Show messages as the settings say; without settings, as far as the environment alone says it."""
    form = settings.log if settings else os.environ.get("IMAGERAG_LOG", "").lower()
    level = settings.log_level if settings else os.environ.get("IMAGERAG_LOG_LEVEL", "").lower()
    _shown.as_json = form == "json"
    _shown.level = logging.getLevelNamesMapping().get(level.upper(), logging.WARNING)


def say(level: str, text: str, *, logger: str = f"{_PACKAGE}.cli", at: float | None = None) -> None:
    """Print one message in one line on the current standard error."""
    print(line_of(level, text, logger=logger, at=at), file=sys.stderr)


def line_of(level: str, text: str, *, logger: str = f"{_PACKAGE}.cli", at: float | None = None) -> str:
    """Return the line of a message."""
    if not _shown.as_json:
        return f"{level}: {text}"
    when = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    told = {"at": when.isoformat(timespec="milliseconds"), "level": level, "logger": logger, "message": text}
    return json.dumps(told)


@contextmanager
def quiet_libraries(debug: bool) -> Iterator[None]:
    """Silence libraries, except with `debug`; always print our own messages, from the level of the settings on."""
    mask_logs()
    configure(None)
    with _own_messages():
        if debug:
            yield
            return
        import warnings

        for name, value in _QUIET.items():  # read when the libraries are imported
            os.environ.setdefault(name, value)
        before, nowhere = logging.root.manager.disable, logging.NullHandler()
        logging.disable(logging.WARNING)  # errors still reach handlers, e.g. that of the Milvus Lite connection
        logging.root.addHandler(nowhere)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            logging.root.removeHandler(nowhere)
            logging.disable(before)


class _OwnLogger(logging.Logger):
    """A logger that lets messages of this package pass although those of libraries are disabled."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """Return whether a record of this level is handled."""
        own = self.name.partition(".")[0] == _PACKAGE
        return (own and level >= _shown.level) or super().isEnabledFor(level)


class _Lines(logging.Handler):
    """Print each record once, as one line on the current standard error."""

    def __init__(self) -> None:
        super().__init__()
        self._printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        text = masked(one_line(record.getMessage()))
        if record.levelno >= _shown.level and text not in self._printed:
            self._printed.add(text)
            say(record.levelname.lower(), text, logger=record.name, at=record.created)


@contextmanager
def _own_messages() -> Iterator[None]:
    """Print the messages that the package logs."""
    lines, before = _Lines(), logging.getLoggerClass()
    logging.setLoggerClass(_OwnLogger)  # most modules are imported when a command needs them
    for name in [each for each in logging.root.manager.loggerDict if each.partition(".")[0] == _PACKAGE]:
        logger = logging.getLogger(name)
        if type(logger) is logging.Logger:
            logger.__class__ = _OwnLogger
    package = logging.getLogger(_PACKAGE)
    package.addHandler(lines)
    try:
        yield
    finally:
        package.removeHandler(lines)
        logging.setLoggerClass(before)
