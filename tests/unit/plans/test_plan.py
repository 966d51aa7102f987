"""Plans that a person gives as JSON: what is read, and the one line that a broken one gets."""

from __future__ import annotations

import pytest

from imagerag_assets.errors import QuestionError
from imagerag_assets.plans import plan as p


def test_a_list_or_an_object_with_parts_is_read() -> None:
    given = '[{"op": "count", "thing": {"name": "boat", "look_for": "ship", "pick": "north"}, "at_least": 2}]'
    plan = p.plan_from_json(given)
    (part,) = plan.parts
    assert isinstance(part, p.Count)
    assert (part.thing.phrase, part.thing.pick, part.at_least, part.at_most) == ("ship", "north", 2, None)
    assert p.plan_from_json(f'{{"parts": {given}}}') == plan
    assert plan.by == "person"
    assert p.Plan(parts=tuple(p.plan_from_json(given).parts)).steps() == plan.steps()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "JSON"),
        ("null", "The plan cannot be used"),
        ('[{"op": "fly", "thing": "ship"}]', "part 0, all of it: .*'fly'"),
        ('[{"op": "exists"}]', "part 0, exists.thing: Field required"),
        ('[{"op": "exists", "thing": ""}]', "part 0, exists.thing.name: "),
        ('[{"op": "exists", "thing": "ship", "colour": "red"}]', "part 0, exists.colour: Extra"),
        ('[{"op": "count", "thing": {"name": "ship", "pick": "sideways"}}]', "part 0, count.thing.pick: "),
        ('[{"op": "count", "thing": "ship", "at_least": -3}]', "part 0, count.at_least: "),
        (
            '[{"op": "count", "thing": "ship", "at_least": 5, "at_most": 2}]',
            "part 0, count: `at_least` .5. is more than",
        ),
        ('[{"op": "list", "region": {"kind": "around", "thing": "ship", "metres": 1e9}}]', "list.region.around.metres"),
        ('{"parts": [{"op": "count", "thing": "ship", "when": 0}]}', "part 0: `when` must be the number"),
    ],
)
def test_a_broken_plan_gets_one_line_that_names_part_and_key(text: str, says: str) -> None:
    with pytest.raises(QuestionError, match=says) as raised:
        p.plan_from_json(text)
    assert "\n" not in str(raised.value)
    assert "exists, count, where" in raised.value.fix
