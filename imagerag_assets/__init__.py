"""A workflow-orchestrated data platform around ImageRAG: STAC scenes in, answers with evidence out.

The names below are what most programs need.  ``import imagerag_assets as ia; ia.open()`` opens an installation, whose
methods ask, find and list scenes (`python_api`); the others are the functions below it.  Each is loaded when it is
first used, so that importing the package is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagerag_assets.ingestion.source import ingest
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.python_api.opened import Installation
    from imagerag_assets.python_api.opened import open_installation as open
    from imagerag_assets.questions.ask import ask
    from imagerag_assets.questions.question import Question
    from imagerag_assets.settings import load_settings

__version__ = "0.1.0"
__all__ = ["Installation", "Platform", "Question", "ask", "ingest", "load_settings", "open"]

_HOMES = {
    "Installation": "python_api.opened",
    "Platform": "installation.platform",
    "Question": "questions.question",
    "ask": "questions.ask",
    "ingest": "ingestion.source",
    "load_settings": "settings",
    "open": "python_api.opened",
}
_CALLED = {"open": "open_installation"}
"""Names there, where they differ."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), _CALLED.get(name, name))


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
