"""The two knowledge bases of the slow path: labels and captions, each with embedded exemplar images.

No `from __future__ import annotations` here: Dagster reads the annotation of `config` as an object.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from imagerag_assets.errors import KnowledgeError
from imagerag_assets.knowledge.types import KnowledgeReport
from imagerag_assets.orchestration.assets.scenes import CODE_VERSION, ENCODER, ENCODER_POOL
from imagerag_assets.orchestration.failures import failures
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.pipelines.platform import Platform

OWNERS = ["team:knowledge"]
_SHOWN = 50


class KnowledgeConfig(dg.Config):
    """Where one knowledge base comes from."""

    source: str = Field(default="", description="Path or s3:// address; empty: the setting IMAGERAG_KNOWLEDGE_...")


@dg.asset(
    deps=[ENCODER],
    code_version=CODE_VERSION,
    group_name="knowledge",
    owners=OWNERS,
    kinds={"milvus", "pytorch"},
    tags={"domain": "knowledge"},
    pool=ENCODER_POOL,
    description="Labels with embedded exemplar images (the LRSD of ImageRAG), for the slow path.",
)
def knowledge_labels(
    config: KnowledgeConfig, platform: dg.ResourceParam[Platform], reporter: dg.ResourceParam[Reporter]
) -> dg.MaterializeResult[Any]:
    """Build the label knowledge base from a folder of labelled chips."""
    from imagerag_assets.knowledge import build_labels  # loads torch

    with failures(platform):
        source = _source(config.source, platform.settings.knowledge_labels, "labels")
        built = build_labels(platform, source, progress=reporter.progress)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{built.version}:{platform.fingerprint}"), metadata=_metadata(source, built)
    )


@dg.asset(
    deps=[ENCODER],
    code_version=CODE_VERSION,
    group_name="knowledge",
    owners=OWNERS,
    kinds={"milvus", "pytorch"},
    tags={"domain": "knowledge"},
    pool=ENCODER_POOL,
    description="Captions with embedded exemplar images (the CRSD of ImageRAG), for the slow path.",
)
def knowledge_captions(
    config: KnowledgeConfig, platform: dg.ResourceParam[Platform], reporter: dg.ResourceParam[Reporter]
) -> dg.MaterializeResult[Any]:
    """Build the caption knowledge base from a JSONL file."""
    from imagerag_assets.knowledge import build_captions  # loads torch

    with failures(platform):
        source = _source(config.source, platform.settings.knowledge_captions, "captions")
        built = build_captions(platform, source, progress=reporter.progress)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{built.version}:{platform.fingerprint}"), metadata=_metadata(source, built)
    )


def _source(given: str, default: str | None, kind: str) -> str:
    source = given or default
    if not source:
        raise KnowledgeError(
            f"No source of {kind} was given", fix=f"Give one, or set IMAGERAG_KNOWLEDGE_{kind.upper()}"
        )
    return source


def _metadata(source: str, built: KnowledgeReport) -> dict[str, Any]:
    failed = [{"picture": failure.name, "reason": failure.reason} for failure in built.failed[:_SHOWN]]
    return {
        "dagster/row_count": built.exemplars,
        "labels": built.labels,
        "collection": built.collection,
        "source": source,
        "version": built.version,
        "changed": built.changed,
        "left_out": len(built.failed),
        "left_out_pictures": dg.MetadataValue.md(markdown_table(failed)),
    }
