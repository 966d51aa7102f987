"""The definitions: they load, and say what a person and the asset graph need."""

from __future__ import annotations

import dagster as dg
import pytest

from imagerag_assets.orchestration.assets.answers import EXAMPLE, AskConfig
from imagerag_assets.orchestration.build import build_defs
from imagerag_assets.questions.question import Question


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs()


def test_definitions_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_graph_leads_from_item_to_answer(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    parents = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    knowledge = ["knowledge_captions", "knowledge_labels", "patch_collection"]
    assert parents == {
        "encoder": [],
        "scene": [],
        "patch_table": ["scene"],
        "patch_embeddings": ["encoder", "patch_table"],
        "patch_collection": ["patch_embeddings"],
        "knowledge_labels": ["encoder"],
        "knowledge_captions": ["encoder"],
        "answer": knowledge,
        "answer_batch": knowledge,
        "standing_answers": knowledge,
        "retrieval_benchmark": knowledge,
        "encoder_switch": ["encoder"],
    }


def test_every_asset_has_owner_group_kinds_and_description(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.owners, spec.key
        assert spec.group_name in ("scenes", "encoders", "knowledge", "questions"), spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key


def test_scenes_and_standing_questions_are_dynamic_partitions(defs: dg.Definitions) -> None:
    partitioned = {
        spec.key.to_user_string(): spec.partitions_def.name
        for spec in defs.resolve_all_asset_specs()
        if isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)
    }
    scenes = dict.fromkeys(("scene", "patch_table", "patch_embeddings", "patch_collection"), "scenes")
    assert partitioned == scenes | {"standing_answers": "watches"}


def test_the_jobs(defs: dg.Definitions) -> None:
    jobs = {job.name: job for job in defs.resolve_all_job_defs()}
    expected = {"ingest_scenes", "scan_source", "build_knowledge", "ask_question", "ask_batch", "benchmark"}
    expected |= {"ask_standing", "add_watch", "backfill_embeddings", "rollback_encoder"}
    expected |= {"rescan_source", "purge_removed"}
    assert expected <= jobs.keys()
    for name in expected:
        assert jobs[name].executor_def.name == "in_process", name
        assert jobs[name].description, name


def test_the_launchpad_of_a_question_is_filled_in(defs: dg.Definitions) -> None:
    config = defs.resolve_job_def("ask_question").run_config
    assert config is not None
    filled = config["ops"]["answer"]["config"]
    assert filled["question"] == EXAMPLE.question
    assert filled["choices"]["A"]


def test_a_question_survives_its_configuration() -> None:
    question = Question(
        "How many?",
        choices={"A": "one", "B": "two"},
        scenes=("key",),
        bbox=(1.0, 2.0, 3.0, 4.0),
        datetime="2024-01-01/..",
        path="slow",
        top_k=2,
        answer=False,
        mode="oracle",
        id="7",
        roi=[(1, 2, 3, 4)],
    )
    assert AskConfig.from_question(question).to_question() == question
    assert AskConfig.from_question(Question("Where?")).to_question() == Question("Where?")
