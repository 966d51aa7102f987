"""The two knowledge bases, labels and captions, with exemplar images: reading sources, embedding, storing.

`retrieval/slow.py` searches them.
"""

from __future__ import annotations

from imagerag_assets.knowledge.build import build, build_captions, build_labels
from imagerag_assets.knowledge.types import KnowledgeReport

__all__ = ["KnowledgeReport", "build", "build_captions", "build_labels"]
