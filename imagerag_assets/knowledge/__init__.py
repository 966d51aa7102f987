"""The two knowledge bases, labels and captions, with exemplar images: reading sources, embedding, storing.

`retrieval/slow.py` searches them.  The names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagerag_assets.knowledge.build import build_captions, build_labels
    from imagerag_assets.knowledge.types import KnowledgeReport

__all__ = ["KnowledgeReport", "build_captions", "build_labels"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{'types' if name[0].isupper() else 'build'}"), name)
