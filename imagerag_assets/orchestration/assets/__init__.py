"""The assets: from a STAC item to patch embeddings in Milvus, the knowledge bases, answers, and the encoder in use.

One module for each kind of thing.  Each asset is a thin call into the rooms below, with metadata that a person can use.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

import dagster as dg

from imagerag_assets.orchestration.assets.answers import answer, answer_batch
from imagerag_assets.orchestration.assets.encoder_switch import encoder_switch
from imagerag_assets.orchestration.assets.knowledge import knowledge_captions, knowledge_labels
from imagerag_assets.orchestration.assets.retrieval_benchmark import retrieval_benchmark
from imagerag_assets.orchestration.assets.scenes import (
    encoder,
    patch_collection,
    patch_embeddings,
    patch_table,
    scene,
)
from imagerag_assets.orchestration.assets.standing_answers import standing_answers

SCENE_ASSETS: list[dg.AssetsDefinition] = [encoder, scene, patch_table, patch_embeddings, patch_collection]
KNOWLEDGE_ASSETS: list[dg.AssetsDefinition] = [knowledge_labels, knowledge_captions]
QUESTION_ASSETS: list[dg.AssetsDefinition] = [answer, answer_batch, standing_answers, retrieval_benchmark]
ENCODER_ASSETS: list[dg.AssetsDefinition] = [encoder_switch]

__all__ = [
    "ENCODER_ASSETS",
    "KNOWLEDGE_ASSETS",
    "QUESTION_ASSETS",
    "SCENE_ASSETS",
    "answer",
    "answer_batch",
    "encoder",
    "encoder_switch",
    "knowledge_captions",
    "knowledge_labels",
    "patch_collection",
    "patch_embeddings",
    "patch_table",
    "retrieval_benchmark",
    "scene",
    "standing_answers",
]
