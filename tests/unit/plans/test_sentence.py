"""The sentence of an answer says what the results say, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.plans.sentence import outcome_of, say
from imagerag_assets.plans.wording import article, counted, joined, number, plural, singular
from tests.unit.plans.results import count, exists, other_parts, place, planned, simple_parts, where

ONE = {"a": "Harbour A"}
THREE = {"a": "Harbour A", "b": "Pier B", "c": "Quay C"}
TANK = p.Thing(name="big round tank", look_for="storage tank")
FORBIDDEN = re.compile(
    r"\bcue|\bpatch|\bphrase|<|\[|does not show|there (?:is|are) no|\bnone\b|\bnan\b|(?<![\d.])0 [a-z]|\bno\W*$",
    re.IGNORECASE,
)


def said(*pairs: Any, scenes: dict[str, str] = ONE, **more: Any) -> str:
    plan, results = planned(*pairs, **more)
    return say(plan, results, scenes=scenes, one_scene=len(scenes) == 1)


LOWER_LEFT = place("lower left")


LISTED = (
    r.Listed(phrase="forest", number=5, parts=("lower left", "lower right", "centre")),
    r.Listed(phrase="ship", number=1, parts=("lower right",)),
)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (exists("tank", LOWER_LEFT, LOWER_LEFT, confidence=0.9), "Yes: 2 tanks were found, both in the lower left."),
        (
            exists("tank", LOWER_LEFT, confidence=0.42),
            "Possibly 1 tank was found, in the lower left (confidence 0.42).",
        ),
        (exists("ship", place("centre"), negated=True), "No: 1 ship was found, in the centre."),
        (
            exists("ship", negated=True, best=0.31, searched=0.98),
            "No ship was found (98 % of the area was looked at; the best candidate has a confidence of 0.31), which"
            " does not rule it out.",
        ),
        (exists("ship", best=0.2), "No ship was found (the best candidate has a confidence of 0.20)."),
        (exists("people"), "No people were found."),
        (
            exists("geoglyph", outcome="unrecognised"),
            "I cannot recognise 'geoglyph' in this imagery; example pictures of it would help.",
        ),
        (
            exists("airplane", place(), outcome="rejected"),
            "What looked like an airplane in the upper left did not hold on a closer look: no airplane was found.",
        ),
        (
            count("ship", 3, place("centre"), place("upper right"), place("upper right"), low=2, high=4),
            "Found 3 ships (2 to 4): 2 in the upper right and 1 in the centre.",
        ),
        (
            count("ship", 140, *[LOWER_LEFT] * 3, place("centre"), low=120, high=165, area_km2=2.31),
            "Found about 140 ships (120 to 165; 2.3 km² looked at), mainly in the lower left and in the centre.",
        ),
        (count("bus", 1, place("left"), low=1, high=1), "Found 1 bus, on the left."),
        (
            where("ship", place("north", lonlat=(-11.123456, 48.1), size_m=(20.4, 5.25))),
            "1 ship was found, in the north, at 48.10000 N, 11.12346 W, in an area of 20 m x 5.2 m.",
        ),
        (
            where("water", LOWER_LEFT, place("upper")),
            "2 places with water were found: 1 in the lower left and 1 in the upper part.",
        ),
    ],
)
def test_whether_how_many_and_where(pair: Any, expected: str) -> None:
    assert said(pair) == expected


def test_several_scenes_are_named_each_with_its_count() -> None:
    found = [place("upper right"), place("upper right", scene="b"), place("centre", scene="b")]
    assert said(count("ship", 3, *found), scenes=THREE) == (
        "Found 3 ships: 2 in Pier B (1 in the upper right and 1 in the centre) and 1 in Harbour A (in the upper right);"
        " no ship was found in Quay C."
    )
    assert said(exists("ship"), scenes=THREE) == "No ship was found in Harbour A, Pier B and Quay C."
    assert said(exists("ship", place("centre", scene="b"), negated=True), scenes=THREE) == (
        "1 ship was found, in the centre of Pier B; no ship was found in Harbour A and Quay C."
    )
    many = {f"s{n}": f"Scene {n}" for n in range(30)}
    text = said(count("ship", 20, *[place("centre", scene=f"s{n}") for n in range(20)]), scenes=many)
    assert "14 in 14 other scenes" in text
    assert text.endswith("no ship was found in the 10 other scenes.")


def test_parts_about_one_thing_are_one_sentence() -> None:
    found = (LOWER_LEFT, LOWER_LEFT)
    assert said(
        exists("tank", *found, confidence=0.9), count("tank", 2, *found, low=2, high=3), where("tank", *found)
    ) == ("Yes: 2 tanks (2 to 3) were found, both in the lower left.")
    assert said(exists("tank", best=0.1), count("tank", None, skipped=True)) == (
        "No tank was found (the best candidate has a confidence of 0.10)."
    )
    assert said(exists("tank"), count("tank", None, best=0.1)) == (
        "No tank was found (the best candidate has a confidence of 0.10)."
    )


def test_a_skipped_part_about_another_thing_is_said() -> None:
    asked, result = count("car", None, skipped=True)
    plan, results = planned(exists("tank"), (asked.model_copy(update={"when": 0}), result))
    assert say(plan, results, scenes=ONE, one_scene=True) == (
        "No tank was found. As no tank was found, I did not look for cars."
    )


def test_a_number_of_places_never_contradicts_a_count() -> None:
    text = said(exists("ship", place(), place(), confidence=0.9), exists("car"), count("ship", 140, low=120, high=165))
    assert re.findall(r"\d+", text) == ["140", "120", "165"]
    apart = said(where("ship", place()), count("car", None), count("ship", 140, low=120, high=165))
    assert "1 ship" not in apart


def test_words_of_the_question_are_used() -> None:
    result = r.ExistsResult(outcome="found", phrase="storage tank", value=True, places=(LOWER_LEFT,))
    assert said((p.Exists(thing=TANK), result)) == "Yes: 1 big round tank was found, in the lower left."
    which = r.WhichResult(
        outcome="found", phrases=("storage tank", "ship"), values=("storage tank",), missing={"ship": "not_found"}
    )
    assert (
        said((p.Which(among=(TANK, p.Thing(name="ship"))), which)) == "A big round tank was found. No ship was found."
    )


def compared(a: float, b: float, **more: Any) -> Any:
    wanted, by = more.pop("wanted", "more"), more.pop("by", "count")
    asked = {name: more.pop(name, None) for name in ("measure", "times")}
    return (
        p.Compare(among=("ship", "car"), wanted=wanted, by=by, **asked),
        r.CompareResult(
            outcome="found" if a or b else "not_found",
            phrases=("ship", "car"),
            values=(a, b),
            wanted=wanted,
            by=by,
            more="ship" if a > b else "car" if b > a else None,
            **more,
        ),
    )


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (compared(5, 3), "More ships (5) than cars (3) were found."),
        (compared(3, 5), "More cars (5) than ships (3) were found."),
        (compared(3, 5, wanted="fewer"), "Fewer ships (3) than cars (5) were found."),
        (compared(4, 4), "Equally many ships and cars were found: 4 each."),
        (compared(4, 4, wanted="equal"), "Yes: equally many ships and cars were found: 4 each."),
        (compared(4, 5, wanted="equal"), "No: more cars (5) than ships (4) were found."),
        (compared(5, 3, measure="difference"), "More ships (5) than cars (3) were found: a difference of 2."),
        (compared(3, 6, measure="ratio"), "More cars (6) than ships (3) were found: 1 to 2."),
        (compared(6, 3, times=2.0), "Yes: 6 ships and 3 cars were found, 2 times as many ships."),
        (compared(3, 6, times=2.0), "No: 3 ships and 6 cars were found, 0.5 times as many ships."),
        (
            compared(5, 0, missing={"car": "not_found"}, times=2.0),
            "More ships (5) than cars were found. No car was found.",
        ),
        (compared(5, 0, missing={"car": "not_found"}), "More ships (5) than cars were found. No car was found."),
        (
            compared(1, 0, missing={"car": "unrecognised"}),
            "1 ship was found, but I cannot compare all of them. I cannot recognise 'car' in this imagery; example"
            " pictures of it would help.",
        ),
        (compared(5, 3, confidence=0.3), "Possibly more ships (5) than cars (3) were found."),
        (compared(0, 0), "No ship was found. No car was found."),
        (compared(250_000, 4_000, by="area"), "Ships cover more ground (0.25 km²) than cars (4000 m²)."),
    ],
)
def test_comparisons(pair: Any, expected: str) -> None:
    assert said(pair) == expected


def test_a_part_that_is_left_out_is_named() -> None:
    part, result = count("ship", 3)
    told = said((part.model_copy(update={"region": p.Outside(name="upper left")}), result))
    assert "3 ships outside of the upper left" in told


def test_numbers_of_parts_of_the_picture_end_in_where_most_are() -> None:
    def counts(**numbers: int) -> list[Any]:
        found = [count("ship", number or None) for number in numbers.values()]
        regions = [p.PartOfScene.model_validate({"name": name.replace("_", " ")}) for name in numbers]
        return [(part.model_copy(update={"region": region}), result)
                for (part, result), region in zip(found, regions, strict=True)]  # fmt: skip

    assert said(*counts(north=3, south=1)).endswith(" More ships were found in the north than in the south.")
    four = said(*counts(upper_left=3, upper_right=2, lower_left=1, lower_right=0))
    assert four.endswith(" Most ships were found in the upper left, and fewest in the lower right.")
    halves = said(*counts(upper=4, left=3, right=1, lower=0))
    assert halves.endswith(
        " More ships were found on the left than on the right. "
        "More ships were found in the upper part than in the lower part."
    )
    assert "most ships" not in halves.lower(), "a half of each pair holds the same ships"
    assert "ost ships" not in said(*counts(upper_left=2, upper_right=2, lower_left=1))


SHIP, BRIDGE = p.Thing(name="ship"), p.Thing(name="bridge")
ENDS = (place("upper left"), place("lower right"))
BOTH = {"outcome": "found", "phrases": ("ship", "bridge")}


@pytest.mark.parametrize(
    ("part", "result", "expected"),
    [
        (
            p.Nearest(thing=SHIP, to=BRIDGE),
            r.NearestResult(**BOTH, place=ENDS[0], to=ENDS[1], metres=123.4),
            "The ship nearest to the bridge was found in the upper left, 123 m from the bridge; the bridge is in the"
            " lower right.",
        ),
        (
            p.Nearest(thing=SHIP, to=BRIDGE),
            r.NearestResult(
                outcome="not_found", phrases=("ship", "bridge"), place=None, to=None, missing={"bridge": "not_found"}
            ),
            "No bridge was found, so the question about ships stays open.",
        ),
        (
            p.Distance(thing=SHIP, to=BRIDGE),
            r.DistanceResult(**BOTH, metres=12_345.6, ends=ENDS),
            "The ship and the bridge are 12346 m (12.3 km) apart, from middle to middle: the ship in the upper left,"
            " the bridge in the lower right.",
        ),
        (
            p.Distance(thing=SHIP, to=SHIP),
            r.DistanceResult(outcome="found", phrases=("ship", "ship"), metres=81.5, ends=ENDS),
            "The nearest two ships are 82 m apart, from middle to middle: one in the upper left, the other in the lower"
            " right.",
        ),
        (
            p.Count(thing="car", region=p.Around(thing="river", metres=500)),
            r.CountResult(
                outcome="not_found",
                phrase="car",
                value=None,
                where="within 500 m of the river",
                best=0.2,
                searched=0.5,
                missing={"river": "not_found", "car": "not_found"},
            ),
            "No river was found, so the question about cars stays open. 50 % of the area was looked at.",
        ),
        (
            p.Which(among=("car", "ship")),
            r.WhichResult(
                outcome="not_found",
                phrases=("car", "ship"),
                values=(),
                best=0.2,
                searched=1.0,
                missing={"car": "not_found", "ship": "not_found"},
            ),
            "No car was found. No ship was found. All of the area was looked at.",
        ),
        (
            p.Distance(thing=SHIP, to=BRIDGE),
            r.DistanceResult(**BOTH, metres=None, pixels=512.4),
            "The ship and the bridge are 512 pixels apart, from middle to middle, in an image without a known scale.",
        ),
        (
            p.Relative(thing=SHIP, to=BRIDGE, relation="north"),
            r.RelativeResult(**BOTH, relation="north", value=True, found="north"),
            "Yes: the ship is north of the bridge.",
        ),
        (
            p.Relative(thing=SHIP, to=BRIDGE, relation="left"),
            r.RelativeResult(**BOTH, relation="left", value=False, found="east"),
            "No: the ship is not to the left of the bridge, but east of it.",
        ),
        (
            p.Relative(thing=SHIP, to=BRIDGE, relation="north", negated=True),
            r.RelativeResult(**BOTH, relation="north", value=True, found="north", negated=True),
            "No: the ship is north of the bridge.",
        ),
        (
            p.Relative(thing=SHIP, to=BRIDGE),
            r.RelativeResult(**BOTH, relation="south-east", value=None, asked=False, found="south-east"),
            "The ship is south-east of the bridge.",
        ),
        (
            p.Share(thing="water"),
            r.ShareResult(outcome="found", phrase="water", value=23.44),
            "Water covers about 23.4 % of the ground that was looked at.",
        ),
        (
            p.Density(thing="car"),
            r.DensityResult(outcome="found", phrase="car", value=12.5, count=25, area_km2=2.0),
            "About 12.5 cars per km² were found (25 cars in 2 km²).",
        ),
        (
            p.ListThings(),
            r.ListResult(outcome="found", values=("ship", "oil tank", "water")),
            "A ship, an oil tank and water were found.",
        ),
        (p.ListThings(), r.ListResult(outcome="not_found", values=()), "Nothing was found that I can name."),
        (
            p.ListThings(region=p.PartOfScene(name="south")),
            r.ListResult(outcome="found", values=("forest", "ship"), things=LISTED, where="in the south"),
            "What was found in the south: forests in the lower left and in the lower right and elsewhere; a ship in the "
            "lower right.",
        ),
        (
            p.ListThings(region=p.Around(thing="pier", metres=500)),
            r.ListResult(outcome="not_found", values=()),
            "Nothing was found within 500 m of the pier that I can name.",
        ),
        (
            p.ListThings(region=p.Around(thing="pier", metres=500)),
            r.ListResult(outcome="not_found", values=(), missing={"pier": "not_found"}),
            "No pier was found.",
        ),
        (
            p.Describe(),
            r.DescribeResult(outcome="found", text="Yes.", things=LISTED[1:]),
            "What was found: a ship in the lower right.",
        ),
        (
            p.Describe(),
            r.DescribeResult(outcome="found", text="A harbour with quays.", things=LISTED[1:]),
            "A harbour with quays. What was found: a ship in the lower right.",
        ),
        (
            p.Count(thing="ship", at_least=2),
            r.CountResult(outcome="found", phrase="ship", value=3, low=2, high=4, holds=True),
            "Yes: 3 ships (2 to 4) were found.",
        ),
        (
            p.Count(thing="ship", at_least=9),
            r.CountResult(outcome="found", phrase="ship", value=3, low=2, high=4, holds=False),
            "No: 3 ships (2 to 4) were found.",
        ),
        (
            p.Count(thing="ship", at_least=4),
            r.CountResult(outcome="found", phrase="ship", value=3, low=2, high=4),
            "Possibly: 3 ships (2 to 4) were found.",
        ),
        (
            p.Describe(),
            r.DescribeResult(outcome="found", text="A harbour with quays. Cue 7 shows a ship."),
            "A harbour with quays.",
        ),
        (
            p.Attribute(thing="roof", name="colour"),
            r.AttributeResult(outcome="found", phrase="roof", name="colour", value="red."),
            "The colour of the roof is red.",
        ),
        (
            p.Attribute(thing="court", name="colour", around=True),
            r.AttributeResult(outcome="found", phrase="court", name="colour", value="red", around=True),
            "The colour around the court is red.",
        ),
        (
            p.Attribute(thing="water", name="colour", region=p.Around(thing="harbour", metres=100)),
            r.AttributeResult(outcome="found", phrase="water", name="colour", value="green", instead="harbour"),
            "No water was found by itself at the harbour. The colour of the harbour is green.",
        ),
        (
            p.Change(thing="ship"),
            r.ChangeResult(outcome="found", phrases=("ship",), before=0, after=2),
            "No ship was found at the earlier date and 2 ships were found at the later date, 2 more.",
        ),
        (
            p.Count(thing="car", region=p.Around(thing="river", metres=500)),
            r.CountResult(
                outcome="not_found",
                phrase="car",
                value=None,
                where="within 500 m of the river",
                missing={"river": "not_found"},
            ),
            "No river was found, so the question about cars stays open.",
        ),
        (
            p.Count(thing="car", region=p.PartOfScene(name="upper left")),
            r.CountResult(outcome="found", phrase="car", value=4, where="in the upper left", places=(place(),) * 4),
            "Found 4 cars in the upper left.",
        ),
    ],
)
def test_other_operations(part: p.Part, result: r.Result, expected: str) -> None:
    assert said((part, result)) == expected


def test_what_a_model_says_against_the_evidence_is_left_out() -> None:
    seen = "The quay is grey. Seven ships are moored. No ship is visible."
    text = said(count("ship", 3, low=2, high=4), (p.Describe(), r.DescribeResult(outcome="found", text=seen)))
    assert text == "Found 3 ships (2 to 4). The quay is grey."


def test_what_cannot_be_planned_is_said() -> None:
    assert said(unplanned="Prices cannot be seen; ask how many cars there are") == (
        "Prices cannot be seen; ask how many cars there are."
    )
    assert said() == "I could not work out what to look for."
    text = said(exists("ship", place()), unplanned="Who owns it cannot be seen.")
    assert text.endswith("in the upper left. Who owns it cannot be seen.")


def test_results_must_belong_to_the_plan() -> None:
    plan, results = planned(exists("ship"))
    with pytest.raises(ValueError, match="1 parts, but there are 2 results"):
        say(plan, results * 2, scenes=ONE, one_scene=True)


@settings(deadline=None)  # a first plural loads the tables of lemminflect
@given(st.lists(simple_parts(("a", "b")), min_size=1, max_size=4), st.booleans())
def test_every_sentence_names_all_things_and_only_numbers_of_the_results(pairs: list[Any], one_scene: bool) -> None:
    plan, results = planned(*pairs)
    scenes = {"a": "Harbour"} if one_scene else {"a": "Harbour", "b": "Pier", "c": "Quay"}
    text = say(plan, results, scenes=scenes, one_scene=one_scene)
    assert not FORBIDDEN.search(text.replace("No ", "").replace("no ", "")), text
    assert text[0].isupper() or text[0].isdigit()
    assert text.endswith(".")
    assert "  " not in text
    for thing in plan.things:
        assert thing.name in text.lower() or plural(thing.name) in text.lower()
    for part, result in zip(plan.parts, results, strict=True):
        name = part.things[0].name
        value = getattr(result, "value", None)
        if result.kind == "count" and value is not None:
            assert counted(name, value) in text
        if result.outcome == "unrecognised":
            assert f"cannot recognise '{name}'" in text
        if result.outcome in ("not_found", "rejected"):
            assert re.search(rf"no {name} (?:was|were) found", text, re.IGNORECASE)


@settings(deadline=None)  # a first plural loads the tables of lemminflect
@given(st.lists(other_parts(), min_size=1, max_size=3))
def test_every_operation_names_all_things_and_denies_none(pairs: list[Any]) -> None:
    plan, results = planned(*pairs)
    text = say(plan, results, scenes=ONE, one_scene=True)
    assert not FORBIDDEN.search(text.replace("No ", "").replace("no ", "")), text
    for thing in plan.things:
        assert thing.name in text.lower() or plural(thing.name) in text.lower(), text
    for name, outcome in (item for result in results for item in result.missing.items()):
        told = rf"cannot recognise '{name}'" if outcome == "unrecognised" else rf"no {name} (?:was|were) found"
        assert re.search(told, text, re.IGNORECASE), text


@settings(deadline=None)  # a first plural loads the tables of lemminflect
@given(simple_parts())
def test_numbers_that_are_printed_are_numbers_of_the_result(pair: Any) -> None:
    plan, (result,) = planned(pair)
    text = say(plan, [result], scenes=ONE, one_scene=True)
    found = getattr(result, "places", ())
    allowed = {getattr(result, "value", None), getattr(result, "low", None), getattr(result, "high", None)}
    allowed |= set(range(1, len(found) + 1))
    plain = re.sub(r"\(?(?:at )?\d+\.\d{5} [NS], \d+\.\d{5} [EW]|in an area of [\d.]+ m x [\d.]+ m", "", text)
    plain = re.sub(r"[\d.]+ % of the area|confidence (?:of )?\d\.\d\d", "", plain)
    assert {int(each) for each in re.findall(r"\d+", plain)} <= allowed


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["found"], "found"),
        (["found", "found"], "found"),
        (["found", "not_found"], "mixed"),
        (["rejected"], "rejected"),
        (["unrecognised", "unrecognised"], "unrecognised"),
    ],
)
def test_outcomes(outcomes: list[Any], expected: str) -> None:
    assert outcome_of([r.WhereResult(outcome=each, phrase="ship") for each in outcomes]) == expected


def test_a_skipped_part_has_no_outcome() -> None:
    skipped = r.WhereResult(outcome="not_found", phrase="ship", skipped=True)
    assert outcome_of([r.WhereResult(outcome="rejected", phrase="tank"), skipped]) == "rejected"


@pytest.mark.parametrize(
    ("name", "many", "one"),
    [
        ("ship", "ships", "a ship"),
        ("bus", "buses", "a bus"),
        ("field of wheat", "fields of wheat", "a field of wheat"),
        ("aircraft", "aircraft", "an aircraft"),
        ("train tracks", "train tracks", "train tracks"),
        ("SUV", "SUVs", "an SUV"),
        ("water", "water", "water"),
        ("people", "people", "people"),
        ("'x'", "'x'", "'x'"),
        ("hour", "hours", "an hour"),
    ],
)
def test_grammar(name: str, many: str, one: str) -> None:
    assert (plural(name), article(name)) == (many, one)
    assert plural(plural(name)) == plural(name)


def test_small_words() -> None:
    assert singular("train tracks") == "train track"
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert [number(each) for each in (3.0, 12.34, 0.0423, 1234.5)] == ["3", "12.3", "0.0423", "1234"]


def test_a_guess_a_river_in_several_places_and_what_is_too_small() -> None:
    guess = (p.Describe(), r.DescribeResult(outcome="found", text="A farm fields."))
    assert said(guess) == "It may be farm fields."
    assert said(exists("river", *[LOWER_LEFT] * 3)) == "Yes: 3 places with a river were found, all in the lower left."
    plan, results = planned(exists("car", outcome="unrecognised"))
    told = say(plan, results, scenes=ONE, one_scene=True, too_small={"car": 10.0})
    assert told == "I cannot recognise 'car' in this imagery: a pixel covers 10 m, which is too coarse."
