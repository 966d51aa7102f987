"""Names of concepts in questions: plain nouns while rules read them, and names again in the plan."""

from __future__ import annotations

import pytest

from imagerag_assets.errors import ConceptError, QuestionError
from imagerag_assets.questions.concepts import StandIns, named_in, phrase_of
from imagerag_assets.questions.planning import plan_of
from imagerag_assets.questions.question import Question


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where is my:pumpjack?", [("where", ["my:pumpjack"])]),
        ("How many my:Pump_Jack are in the north?", [("count", ["my:pump_jack"])]),
        ("Is there a my:x@2 near the river?", [("exists", ["my:x@2", "river"])]),
        ("Are there more my:oil-pump than ships?", [("compare", ["my:oil-pump", "ship"])]),
        ("How far is my:a from my:b.", [("distance", ["my:a", "my:b"])]),
        ("Is there a windmill beside my:windmill?", [("exists", ["windmill", "my:windmill"])]),
    ],
)
def test_plans_name_concepts(text: str, expected: list[tuple[str, list[str]]]) -> None:
    plan = plan_of(Question(text))
    assert [(part.op, sorted(thing.phrase for thing in part.things)) for part in plan.parts] == [
        (op, sorted(things)) for op, things in expected
    ]
    assert all(thing.name == thing.phrase for thing in plan.things if thing.phrase.startswith("my:"))


def test_names_are_checked_and_told_from_other_words() -> None:
    assert named_in(Question("my:a, (my:b) or “my:c”?", choices={"A": "my:a", "B": "my:d"})) == (
        "my:a", "my:b", "my:c", "my:d",
    )  # fmt: skip
    assert named_in(Question("Is this my: house, or http://my:8080/x?")) == ()
    with pytest.raises(ConceptError, match="cannot be the name"):
        phrase_of("my:pümp")
    with pytest.raises(ConceptError, match="cannot be the name"):
        phrase_of("my:pump@last")
    with pytest.raises(QuestionError, match="names 9 concepts"):
        StandIns([" ".join(f"my:{letter}" for letter in "abcdefghi")], {})
