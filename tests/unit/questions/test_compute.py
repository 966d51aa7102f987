"""Plans computed from objects whose places are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from imagerag_assets.answering.findings import part_of_scene
from imagerag_assets.plans import plan as p
from imagerag_assets.plans import result as r
from imagerag_assets.questions.compute import compute
from imagerag_assets.questions.measures import direction, distance_m, holds
from imagerag_assets.questions.objects import Evidence, Sighting, Tally, Verdict
from imagerag_assets.questions.sureness import number_of
from imagerag_assets.raster.geo import middle_of_box

SIDE = 1000
"""Of the scene, px; a pixel is a metre, and the scene's upper left corner lies at 10 E, 48 N."""
_DEGREE = 1 / 111_195


def at(
    phrase: str,
    x: int,
    y: int,
    *,
    sure: float = 0.9,
    verdict: Verdict = "unchecked",
    scene: str = "s",
    size: int = 20,
    placed: bool = True,
) -> Sighting:
    window = (x - size // 2, y - size // 2, x + size // 2, y + size // 2)
    lon = [10 + value * _DEGREE / np.cos(np.radians(48)) for value in (window[0], window[2])]
    lat = [48 - value * _DEGREE for value in (window[3], window[1])]
    bbox = (float(lon[0]), lat[0], float(lon[1]), lat[1])
    share = (x / SIDE, y / SIDE)
    place = r.Place(
        scene=scene,
        name=part_of_scene(*share),
        window=window,
        bbox=bbox if placed else None,
        lonlat=middle_of_box(bbox) if placed else None,
        size_m=(size, size) if placed else None,
        share=share,
        confidence=sure,
        cue=0,
    )
    return Sighting(phrase, place, verdict)


def evidence(*seen: Sighting, **more: object) -> Evidence:
    numbered = [
        Sighting(each.phrase, each.place.model_copy(update={"cue": n}), each.verdict) for n, each in enumerate(seen, 1)
    ]
    return Evidence(numbered, sizes={"s": (SIDE, SIDE)}, areas_km2={"s": 1.0}, **more)  # type: ignore[arg-type]


def only(part: p.Part, given: Evidence) -> r.Result:
    (result,) = compute(p.Plan(parts=(part,)), given)
    return result


SHIPS = (at("ship", 100, 100), at("ship", 200, 150, sure=0.7), at("ship", 900, 900))
CAR, TANK = p.Thing(name="car"), p.Thing(name="big round tank", look_for="storage tank")
SHIP, PIER = p.Thing(name="ship"), p.Thing(name="pier")


def test_presence_number_and_place() -> None:
    given = evidence(*SHIPS)
    there = only(p.Exists(thing=SHIP), given)
    assert isinstance(there, r.ExistsResult)
    assert (there.value, there.outcome, there.cues) == (True, "found", (1, 2, 3))
    many = only(p.Count(thing=SHIP), given)
    assert isinstance(many, r.CountResult)
    assert (many.value, many.outcome, many.area_km2) == (3, "found", 1.0)
    assert many.low is not None
    assert many.low <= 3
    where = only(p.Where(thing=SHIP), given)
    assert isinstance(where, r.WhereResult)
    assert [place.name for place in where.places] == ["upper left", "upper left", "lower right"]


def test_things_go_by_what_is_looked_for_and_are_named_as_asked() -> None:
    given = evidence(at("storage tank", 10, 10))
    result, other = (only(p.Which(among=(TANK, CAR), negated=negated), given) for negated in (False, True))
    assert isinstance(result, r.WhichResult)
    assert (result.phrases, result.values) == (("storage tank", "car"), ("big round tank",))
    assert result.missing == {"car": "not_found"}
    assert isinstance(other, r.WhichResult)
    assert other.values == ("car",)


def test_what_was_not_found_is_null_and_says_why() -> None:
    given = evidence(
        at("tank", 10, 10, verdict="rejected"), best={"ship": 0.3, "tank": 0.6}, unrecognised=frozenset({"geoglyph"})
    )
    for name, outcome in {"ship": "not_found", "tank": "rejected", "geoglyph": "unrecognised"}.items():
        for part in (p.Exists(thing=p.Thing(name=name)), p.Count(thing=p.Thing(name=name))):
            result = only(part, given)
            assert isinstance(result, r.ExistsResult | r.CountResult)
            assert (result.outcome, result.value, result.cues, result.searched) == (outcome, None, (), 1.0)
    assert only(p.Count(thing=SHIP), given).best == 0.3


def test_a_rejected_object_counts_for_nothing() -> None:
    given = evidence(at("ship", 10, 10), at("ship", 500, 500, verdict="rejected"), at("ship", 900, 10))
    result = only(p.Count(thing=SHIP), given)
    assert isinstance(result, r.CountResult)
    assert (result.value, result.cues) == (2, (1, 3))


def test_regions_limit_a_part() -> None:
    def count(region: p.Region) -> int | None:
        result = only(p.Count(thing=SHIP, region=region), evidence(*SHIPS, at("pier", 150, 100), at("lake", 0, 1000)))
        assert isinstance(result, r.CountResult)
        return result.value

    assert count(p.PartOfScene(name="upper left")) == 2
    assert count(p.PartOfScene(name="north-east")) is None
    elsewhere = evidence(*SHIPS, best={"ship": 0.99, "car": 0.3})
    north_east = p.PartOfScene(name="north-east")
    assert only(p.Exists(thing=SHIP, region=north_east), elsewhere).best is None, "it lies in another part"
    assert only(p.Exists(thing=CAR, region=north_east), elsewhere).best == 0.3
    assert count(p.PartOfScene(name="lower")) == 1
    assert count(p.Outside(name="upper left")) == len(SHIPS) - 2
    assert count(p.Around(thing=PIER, metres=65)) == 2
    assert count(p.Around(thing=PIER, metres=30)) is None
    assert count(p.Around(thing=p.Thing(name="bridge"), metres=5000)) is None  # no bridge was found
    assert count(p.Away(thing=PIER, metres=65)) == len(SHIPS) - 2
    assert count(p.Away(thing=PIER, metres=30)) == len(SHIPS)
    assert count(p.Away(thing=p.Thing(name="bridge"), metres=5)) is None  # nor is anything known to be far from one
    assert count(p.Beyond(thing=PIER, side="left")) == sum(ship.place.window[0] < 150 for ship in SHIPS)
    assert count(p.Beyond(thing=PIER, side="south")) == sum(ship.place.window[1] > 100 for ship in SHIPS)
    assert count(p.Beyond(thing=p.Thing(name="bridge"), side="south")) is None
    assert count(p.Between(thing=PIER, other=p.Thing(name="bridge"))) is None
    near, upper_left = p.Around(thing=PIER, metres=65), p.PartOfScene(name="upper left")
    assert count(p.AllOf(of=(near, upper_left))) == 2
    assert count(p.AllOf(of=(near, p.Outside(name="upper left")))) is None
    assert count(p.AllOf(of=(upper_left, p.Away(thing=PIER, metres=65)))) is None
    assert count(p.Area(bbox=SHIPS[2].place.bbox or (0, 0, 0, 0))) == 1


def test_an_overlap_names_its_regions_and_the_landmark_that_was_not_found() -> None:
    overlap = p.AllOf(of=(p.Around(thing=PIER, metres=65), p.Away(thing=p.Thing(name="bridge"), metres=500)))
    result = only(p.Count(thing=SHIP, region=overlap), evidence(*SHIPS, at("pier", 150, 100)))
    assert result.where == "within 65 m of the pier and more than 500 m from the bridge"
    assert result.missing["bridge"] == "not_found"


def test_what_lies_between_two_things_sees_them_on_opposite_sides() -> None:
    found = (
        at("ship", 500, 500),
        at("ship", 500, 560),
        at("ship", 500, 700),
        at("ship", 100, 500),
        at("ship", 950, 900),
    )
    given = evidence(*found, at("pier", 300, 500), at("lake", 700, 500), at("lake", 900, 100), at("pier", 990, 10))
    lake = p.Thing(name="lake")

    def between(one: p.Thing, other: p.Thing) -> tuple[int, ...]:
        return only(p.Where(thing=SHIP, region=p.Between(thing=one, other=other)), given).cues

    assert between(PIER, lake) == between(lake, PIER) == (1, 2)
    assert between(PIER, PIER) == (1,)
    assert between(lake, lake) == ()


def test_comparison_by_number_and_by_area() -> None:
    given = evidence(*SHIPS, at("car", 500, 500, size=200))
    by_count = only(p.Compare(among=(CAR, SHIP)), given)
    assert isinstance(by_count, r.CompareResult)
    assert (by_count.values, by_count.more) == ((1, 3), "ship")
    by_area = only(p.Compare(among=(CAR, SHIP), by="area"), given)
    assert isinstance(by_area, r.CompareResult)
    assert by_area.values == (pytest.approx(40_000), pytest.approx(1200))
    assert by_area.more == "car"
    equal = only(p.Compare(among=(CAR, TANK)), evidence(at("car", 1, 1), at("storage tank", 9, 9)))
    assert isinstance(equal, r.CompareResult)
    assert equal.more is None


def test_nearest_farthest_and_distance() -> None:
    given = evidence(*SHIPS, at("pier", 190, 150))
    near, far = (only(p.Nearest(thing=SHIP, to=PIER, farthest=farthest), given) for farthest in (False, True))
    assert isinstance(near, r.NearestResult)
    assert isinstance(far, r.NearestResult)
    assert near.place is not None
    assert far.place is not None
    assert (near.place.cue, far.place.cue) == (2, 3)
    assert near.metres == pytest.approx(10, rel=0.02)
    apart = only(p.Distance(thing=SHIP, to=PIER), given)
    assert isinstance(apart, r.DistanceResult)
    assert apart.metres == near.metres
    flat = evidence(at("ship", 0, 0, placed=False), at("pier", 30, 40, placed=False))
    pixels = only(p.Distance(thing=SHIP, to=PIER), flat)
    assert isinstance(pixels, r.DistanceResult)
    assert (pixels.metres, pixels.pixels) == (None, 50)
    none = only(p.Distance(thing=SHIP, to=CAR), given)
    assert isinstance(none, r.DistanceResult)
    assert (none.outcome, none.metres, none.missing) == ("not_found", None, {"car": "not_found"})


@pytest.mark.parametrize("placed", [True, False])
def test_relations(placed: bool) -> None:
    centre = at("pier", 500, 500, placed=placed)
    for (dx, dy), names in {
        (0, -300): ("north", "above"),
        (0, 300): ("south", "below"),
        (300, 0): ("east", "right"),
        (-300, 0): ("west", "left"),
        (200, -200): ("north-east", "above"),
    }.items():
        ship = at("ship", 500 + dx, 500 + dy, placed=placed)
        assert direction(ship.place, centre.place) == names[0]
        for relation in names:
            part = p.Relative(thing=SHIP, to=PIER, relation=relation)  # type: ignore[arg-type]
            result = only(part, evidence(ship, centre))
            assert isinstance(result, r.RelativeResult)
            assert (result.value, result.found) == (True, names[0])
    asked = only(p.Relative(thing=SHIP, to=PIER), evidence(at("ship", 100, 500), centre))
    assert isinstance(asked, r.RelativeResult)
    assert (asked.asked, asked.relation) == (False, "west")


def test_near_and_inside() -> None:
    field, ship = at("field", 500, 500, size=400), at("ship", 600, 600)
    assert holds("inside", ship.place, field.place) is True
    assert holds("inside", field.place, at("ship", 800, 500).place) is False
    assert holds("near", at("ship", 0, 0).place, at("ship", 300, 300).place) is True  # 424 m
    assert holds("near", at("ship", 0, 0).place, at("ship", 600, 600).place) is False
    assert holds("inside", ship.place, at("field", 500, 500, scene="t").place) is None


def test_share_and_density() -> None:
    given = evidence(at("lake", 500, 500, size=200), at("lake", 550, 500, size=200), *SHIPS)
    share = only(p.Share(thing=p.Thing(name="lake")), given)
    assert isinstance(share, r.ShareResult)
    assert share.value == 5.0  # 250 x 200 px of 1000 x 1000
    density = only(p.Density(thing=SHIP), given)
    assert isinstance(density, r.DensityResult)
    assert (density.value, density.count, density.area_km2) == (3.0, 3, 1.0)


def test_a_condition_that_does_not_hold_leaves_the_next_part_out() -> None:
    plan = p.Plan(parts=(p.Exists(thing=CAR), p.Count(thing=CAR, when=0), p.Count(thing=SHIP)))
    assert [result.skipped for result in compute(plan, evidence(*SHIPS))] == [False, True, False]
    assert [result.skipped for result in compute(plan, evidence(at("car", 5, 5)))] == [False, False, False]


def test_a_condition_that_there_is_none_is_met_by_nothing() -> None:
    none, cars = p.Exists(thing=CAR, negated=True), p.Where(thing=CAR, when=0)
    plan = p.Plan(parts=(none, p.Exists(thing=SHIP, when=0), cars))
    # "If there is no car, is there a ship?", and "aren't there any cars? if so, where?"
    assert [result.skipped for result in compute(plan, evidence(*SHIPS))] == [False, False, True]
    assert [result.skipped for result in compute(plan, evidence(at("car", 5, 5)))] == [False, True, False]


def test_what_was_counted_within_patches_is_used_for_whole_scenes() -> None:
    given = evidence(*SHIPS, tallies={"ship": Tally(140, 120, 165)})
    whole = only(p.Count(thing=SHIP), given)
    part = only(p.Count(thing=SHIP, region=p.PartOfScene(name="upper left")), given)
    assert isinstance(whole, r.CountResult)
    assert isinstance(part, r.CountResult)
    assert (whole.value, whole.low, whole.high) == (140, 120, 165)
    assert part.value == 2


@given(st.lists(st.floats(0, 1), max_size=9))
@hypothesis_settings(deadline=None, max_examples=60)
def test_the_interval_of_a_number_is_that_of_the_poisson_binomial(confidences: list[float]) -> None:
    value, low, high = number_of(confidences)
    assert value == len(confidences)
    chances = np.zeros(value + 1)
    for truth in itertools.product([0, 1], repeat=value):
        chances[sum(truth)] += np.prod([c if t else 1 - c for c, t in zip(confidences, truth, strict=True)])
    assert 0 <= low <= value == high
    assert chances[:low].sum() <= 0.025 + 1e-6


def test_every_result_is_json() -> None:
    parts: tuple[p.Part, ...] = (
        p.Exists(thing=SHIP), p.Count(thing=SHIP), p.Where(thing=CAR), p.Which(among=(SHIP, CAR)),
        p.Compare(among=(SHIP, CAR)), p.Nearest(thing=SHIP, to=CAR), p.Distance(thing=SHIP, to=SHIP),
        p.Relative(thing=SHIP, to=CAR), p.Share(thing=SHIP), p.Density(thing=SHIP), p.ListThings(), p.Describe(),
        p.Attribute(thing=SHIP, name="colour"), p.Change(),
    )  # fmt: skip
    for chunk in (p.Plan(parts=parts[:8]), p.Plan(parts=parts[8:])):
        results = compute(chunk, evidence(*SHIPS))
        assert len(results) == len(chunk.parts)
        for entry in r.to_json(results):
            assert {"kind", "outcome", "cues"} <= entry.keys()
    assert distance_m(SHIPS[0].place, SHIPS[0].place) == 0


def test_a_colour_of_what_is_not_found_by_itself_is_that_of_where_it_lies() -> None:
    part = p.Attribute(thing="water", name="colour", region=p.Around(thing="ship", metres=100))
    result = only(part, evidence(*SHIPS))
    assert isinstance(result, r.AttributeResult)
    assert (result.outcome, result.instead, result.phrase) == ("found", "ship", "water")
    assert len(result.cues) == len(SHIPS)
    nowhere = only(part.model_copy(update={"name": "depth"}), evidence(*SHIPS))
    assert nowhere.outcome == "not_found"


def test_candidates_that_are_not_sure_enough_state_nothing() -> None:
    plan = p.Plan(parts=(p.Exists(thing=p.Thing(name="tank")), p.Count(thing=p.Thing(name="tank"))))
    seen = evidence(
        at("tank", 100, 100, sure=0.6),
        unsure=frozenset(["tank"]),
        tallies={"tank": Tally(12, 9, 15)},
        best={"tank": 0.6},
    )
    exists, count = compute(plan, seen)
    assert (exists.outcome, exists.value, exists.best) == ("not_found", None, 0.6)
    assert (count.outcome, count.value) == ("not_found", None)


def test_the_one_that_lies_farthest_one_way() -> None:
    given = evidence(*SHIPS, at("pier", 150, 600))

    def where(pick: p.End) -> list[int]:
        result = only(p.Where(thing=p.Thing(name="ship", pick=pick)), given)
        assert isinstance(result, r.WhereResult)
        return [place.cue for place in result.places]

    assert [where(pick) for pick in ("north", "top", "west", "left")] == [[1]] * 4
    assert [where(pick) for pick in ("south", "bottom", "east", "right")] == [[3]] * 4
    unplaced = evidence(*(at("ship", x, y, placed=False) for x, y in ((100, 100), (900, 900))))
    result = only(p.Where(thing=p.Thing(name="ship", pick="south")), unplaced)
    assert isinstance(result, r.WhereResult)
    assert [place.cue for place in result.places] == [2]  # without a place on the ground north is above
    # It counts in relations and in the surroundings too.
    north = p.Thing(name="northernmost ship", look_for="ship", pick="north")
    relation = only(p.Relative(thing=PIER, to=north, relation="south"), given)
    assert isinstance(relation, r.RelativeResult)
    assert relation.value is True
    near = only(p.Exists(thing=PIER, region=p.Around(thing=north, metres=300)), given)
    assert near.outcome == "not_found"


@pytest.mark.parametrize(
    ("least", "most", "holds"),
    [(2, None, True), (3, 3, True), (None, 4, True), (5, None, False), (None, 0, False), (None, None, None)],
)
def test_bounds_of_a_number(least: int | None, most: int | None, holds: bool | None) -> None:
    ships = evidence(*(at("ship", x, 100, sure=0.999) for x in (100, 300, 500)))
    result = only(p.Count(thing=SHIP, at_least=least, at_most=most), ships)
    assert isinstance(result, r.CountResult)
    assert (result.value, result.holds) == (3, holds)
    unsure = only(p.Count(thing=SHIP, at_most=2), evidence(*(at("ship", x, 100, sure=0.6) for x in (100, 300, 500))))
    assert isinstance(unsure, r.CountResult)
    assert unsure.holds is None  # 3 were found, but no more than 2 may be real
    nothing = only(p.Count(thing=SHIP, at_most=2), evidence())
    assert isinstance(nothing, r.CountResult)
    assert nothing.holds is None  # not found is not absent


def test_everything_that_was_found_is_listed() -> None:
    given = evidence(
        at("ship", 100, 100), at("forest", 500, 500, size=400), at("ship", 900, 900), at("car", 100, 900),
        at("tank", 900, 100, verdict="rejected"),
    )  # fmt: skip
    result = only(p.ListThings(), given)
    assert isinstance(result, r.ListResult)
    assert result.values == ("forest", "ship", "car")  # by the ground that they take
    assert [(each.number, each.parts) for each in result.things] == [
        (1, ("lower right",)), (2, ("upper left", "lower right")), (1, ("lower left",)),
    ]  # fmt: skip
    described = only(p.Describe(), given)
    assert isinstance(described, r.DescribeResult)
    assert (described.things, described.text) == (result.things, None)
    near = only(p.ListThings(region=p.Around(thing=p.Thing(name="car"), metres=900)), given)
    assert isinstance(near, r.ListResult)
    assert near.values == ("forest", "ship")  # not the car itself
    assert only(p.ListThings(), evidence()).outcome == "not_found"


@pytest.mark.parametrize("part", [p.ListThings, p.Describe])
def test_what_lies_near_something_that_was_not_found_stays_open(part: type[p.ListThings | p.Describe]) -> None:
    near = part(region=p.Around(thing=PIER, metres=500))
    nowhere = only(near, evidence(at("ship", 100, 100)))
    assert (nowhere.outcome, nowhere.missing) == ("not_found", {"pier": "not_found"})
    assert only(near, evidence(at("pier", 100, 100))).missing == {}  # nothing else is there
