"""Which model answered, compared between an answer and its replay."""

from __future__ import annotations

import pytest

from imagerag_assets.lineage.replay import compare_models
from imagerag_assets.questions.answer_record import RecordedModel


def model(revision: str) -> RecordedModel:
    return RecordedModel(name="org/model", revision=revision)


@pytest.mark.parametrize(("before", "now"), [("org/model@main", "org/model"), ("org/model", "org/model@main")])
def test_a_server_that_names_the_default_revision_or_leaves_it_out_is_the_same_model(before: str, now: str) -> None:
    assert compare_models(model(before), model(now)) == []


def test_another_revision_is_another_model() -> None:
    (found,) = compare_models(model("org/model@dev"), model("org/model"))
    assert (found.what, found.used) == ("model", "present")
    assert (found.recorded, found.now) == ("org/model org/model@dev", "org/model org/model")


def test_a_failed_question_has_no_model_to_compare() -> None:
    assert compare_models(None, model("org/model")) == []
    (found,) = compare_models(model("org/model"), None)
    assert found.now is None
