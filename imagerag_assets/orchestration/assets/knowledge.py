"""The two knowledge bases of the slow path: labels and captions, each with embedded exemplar images.

Reading, embedding and storing them belongs to the room `knowledge`.
No `from __future__ import annotations` here: Dagster reads the annotation of `config` as an object.
"""

from typing import Any, Literal

import dagster as dg
from pydantic import Field

from imagerag_assets.installation.platform import Platform
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS, KnowledgeReport
from imagerag_assets.orchestration.assets.scenes import CODE_VERSION, ENCODER, ENCODER_POOL
from imagerag_assets.orchestration.job_paths import JobPaths
from imagerag_assets.orchestration.previews import markdown_table
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.orchestration.run_config import Config
from imagerag_assets.orchestration.step_failures import failures
from imagerag_assets.signatures import unsigned

OWNERS = ["team:knowledge"]
_SHOWN = 50


class KnowledgeConfig(Config):
    """The source of a knowledge base."""

    source: str = Field(
        default="", description="Path or s3:// address; empty: the setting IMAGERAG_KNOWLEDGE_LABELS or _CAPTIONS"
    )


def _knowledge_asset(kind: Literal["labels", "captions"], description: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=KNOWLEDGE_KINDS[kind],
        deps=[ENCODER],
        code_version=CODE_VERSION,
        group_name="knowledge",
        owners=OWNERS,
        kinds={"milvus", "pytorch"},
        tags={"domain": "knowledge"},
        pool=ENCODER_POOL,
        description=description,
    )
    def knowledge(
        config: KnowledgeConfig,
        platform: dg.ResourceParam[Platform],
        reporter: dg.ResourceParam[Reporter],
        job_paths: dg.ResourceParam[JobPaths],
    ) -> dg.MaterializeResult[Any]:
        from imagerag_assets.knowledge.bases import build_knowledge  # loads torch

        with failures(platform):
            job_paths.check_address(config.source, platform.settings)
            source = config.source or getattr(platform.settings, KNOWLEDGE_KINDS[kind]) or ""
            built = build_knowledge(platform, kind, source, progress=reporter.progress)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(f"{built.version}:{platform.fingerprint}"),
            metadata=_metadata(unsigned(source), built),
        )

    return knowledge


knowledge_labels = _knowledge_asset(
    "labels",
    "Labels with embedded exemplar images (ImageRAG's LRSD), for the slow path. The source is a folder of chips.",
)
knowledge_captions = _knowledge_asset(
    "captions",
    "Captions with embedded exemplar images (ImageRAG's CRSD), for the slow path. The source is a JSONL file.",
)


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
