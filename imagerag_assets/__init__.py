"""A workflow-orchestrated data platform around ImageRAG: STAC scenes in, answers with evidence out.

The names below are what most programs need.  Each is loaded when it is first used, so that importing the package is
quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagerag_assets.ingestion.source import ingest
    from imagerag_assets.installation.platform import Platform
    from imagerag_assets.questions.ask import ask
    from imagerag_assets.questions.question import Question
    from imagerag_assets.settings import load_settings

__version__ = "0.1.0"
__all__ = ["Platform", "Question", "ask", "ingest", "load_settings"]

_HOMES = {
    "Platform": "installation.platform",
    "Question": "questions.question",
    "ask": "questions.ask",
    "ingest": "ingestion.source",
    "load_settings": "settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
