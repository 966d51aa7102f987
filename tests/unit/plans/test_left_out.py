"""What a question asks beside its plan is added, and what it only tells is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from imagerag_assets.plans import plan as p
from imagerag_assets.plans.left_out import completed
from imagerag_assets.plans.understand import understand

FERRY, KILN, QUARRY = (p.Thing(name=name) for name in ("ferry", "lime kiln", "quarry"))


def plan_for(question: str, *parts: p.Part) -> list[str]:
    """Return the operations and things of a plan with these parts, completed by the question's words."""
    rules = understand(question, {})
    done = completed(p.Plan(parts=parts, by="model"), rules)
    return [f"{part.op}: {', '.join(thing.phrase for thing in part.things)}" for part in done.parts]


@pytest.mark.parametrize(
    ("question", "parts", "expected"),
    [
        ("quarries: visible? tally?", [p.Exists(thing=QUARRY)], ["exists: quarry", "count: quarry"]),
        ("Any quarry? Its position?", [p.Exists(thing=QUARRY)], ["exists: quarry", "where: quarry"]),
        (
            "Count the quarries and then the ferries too.",
            [p.Count(thing=QUARRY), p.Where(thing=FERRY)],
            ["count: quarry", "count: ferry"],
        ),
        ("Look for quarries and give their total.", [p.Where(thing=QUARRY)], ["count: quarry"]),
        ("Where are the quarries?", [p.Where(thing=QUARRY)], ["where: quarry"]),
        ("How many quarries?", [p.Count(thing=QUARRY)], ["count: quarry"]),
        ("How much quarries can be made out?", [p.Share(thing=QUARRY)], ["count: quarry"]),
        ("How much of the land do quarries cover?", [p.Share(thing=QUARRY)], ["share: quarry"]),
        ("Is there no quarry, and where?", [p.Exists(thing=QUARRY, negated=True)], ["exists: quarry"]),
    ],
)
def test_numbers_and_places_that_are_asked_are_planned(
    question: str, parts: Sequence[p.Part], expected: list[str]
) -> None:
    assert plan_for(question, *parts) == expected


def test_what_is_added_depends_on_the_thing_being_there() -> None:
    done = completed(p.Plan(parts=(p.Exists(thing=QUARRY),)), understand("quarries: visible? tally?", {}))
    assert done.parts[1].when == 0


def test_a_thing_of_a_short_question_is_not_lost() -> None:
    assert plan_for("where: bridge. a stadium too?", p.Exists(thing=p.Thing(name="stadium"))) == [
        "where: bridge",
        "exists: stadium",
    ]


def test_what_a_long_question_tells_is_not_looked_for() -> None:
    told = "We drove past a stadium for half an hour yesterday before it got dark. Is there a bridge on the left?"
    assert plan_for(told, p.Exists(thing=p.Thing(name="bridge"))) == ["exists: bridge"]


def test_which_of_several_is_not_there_is_one_question() -> None:
    things = [
        p.Exists(thing=p.Thing(name=name), negated=not number) for number, name in enumerate(("bridge", "stadium"))
    ]
    assert plan_for("bridge, stadium: which of them is missing?", *things) == ["which: bridge, stadium"]


def test_a_region_that_no_word_names_is_dropped() -> None:
    between = p.Between(thing=FERRY, other=KILN)
    compare = p.Compare(among=(FERRY, KILN), region=between)
    done = completed(
        p.Plan(parts=(compare,)), understand("Set the ferries against the lime kilns: which are more?", {})
    )
    assert done.parts[0].region is None


def test_a_plan_that_refuses_stays() -> None:
    refused = p.Plan(unplanned="This cannot be read from imagery.")
    assert completed(refused, understand("quarries: visible? tally?", {})) == refused


def test_a_clause_of_which_nothing_is_planned_is_said() -> None:
    rules = understand("count the ships, and is there a lighthouse?", {})
    lost = p.Plan(parts=(p.Distance(thing=p.Thing(name="ship"), to=p.Thing(name="pier")),), by="model")
    assert [note for note in completed(lost, rules).notes if "is there a lighthouse" in note]
    assert not completed(rules, rules).notes
