"""Build a knowledge base for each encoder that matters: the chosen one, and the one that questions still use.

`knowledge.build` builds one of them.
"""

from __future__ import annotations

from typing import Literal

from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import UNKNOWN, find_serving
from imagerag_assets.knowledge.build import Progress, build
from imagerag_assets.knowledge.types import KnowledgeReport


def build_knowledge(
    platform: Platform, kind: Literal["labels", "captions"], source: str | None, *, progress: Progress | None = None
) -> KnowledgeReport:
    """Build for the chosen encoder and, while another one serves, for that one too.

    The collections of the serving encoder stay in use.

    Args:
        platform: The installation.
        kind: ``labels`` or ``captions``.
        source: Path or address; None: the one in the settings.
        progress: Called as by `knowledge.build.build`.

    Returns:
        The report on the chosen encoder's knowledge base.

    Raises:
        KnowledgeError: there is no source, or nothing in it can be used.
        StoreError: the object store or Milvus fails.
    """
    pinned = platform.using(platform.settings.active_encoder)
    serving = find_serving(platform, orphaned=True)
    beside = serving is not None and serving.target.fingerprint != pinned.fingerprint
    report = build(pinned, kind, source, progress=progress, switch_alias=not beside)
    if serving is not None and beside and serving.target.encoder != UNKNOWN:
        build(serving.platform, kind, source, progress=progress)
    return report
