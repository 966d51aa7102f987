"""The plan of a question: a few typed operations over the things that are found in the imagery.

Only the form of a plan, as `imagerag ask --plan` takes it and a record keeps it.  `understand.py` makes one from words;
`questions/` computes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from imagerag_assets.errors import QuestionError

MAX_PARTS = 8
MAX_THINGS = 8
MAX_REGIONS = 3

PartName = Literal[
    "upper left", "upper middle", "upper right", "middle left", "centre", "middle right", "lower left", "lower middle",
    "lower right", "upper", "lower", "left", "right", "north", "south", "east", "west", "north-east", "north-west",
    "south-east", "south-west",
]  # fmt: skip
Relation = Literal[
    "north", "south", "east", "west", "north-east", "north-west", "south-east", "south-west", "above", "below", "left",
    "right", "near", "inside",
]  # fmt: skip


End = Literal["north", "south", "east", "west", "left", "right", "top", "bottom"]


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Thing(_Plain):
    """A thing on the ground."""

    name: str = Field(min_length=1, max_length=120)
    """As the question says it, in the singular: "big round tank".  The answer uses this word."""
    look_for: str = Field(default="", max_length=120)
    """The phrase that retrieval looks for: "storage tank"; by default the name."""
    pick: End | None = None
    """Of those that are found, only the one that lies farthest this way: "the northernmost harbour"."""

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    @field_validator("name", "look_for")
    @classmethod
    def _one_line(cls, text: str) -> str:
        return " ".join(text.split())

    @property
    def phrase(self) -> str:
        """The phrase that is looked for."""
        return self.look_for or self.name


class PartOfScene(_Plain):
    """A part of each scene: "in the north-east quarter"."""

    kind: Literal["part"] = "part"
    name: PartName


class Outside(_Plain):
    """All of each scene but a part of it: "anywhere but in the upper left"."""

    kind: Literal["outside"] = "outside"
    name: PartName


class Area(_Plain):
    """An area on the ground."""

    kind: Literal["bbox"] = "bbox"
    bbox: tuple[float, float, float, float]
    """West, south, east, north in degrees."""


class Around(_Plain):
    """The surroundings of a thing: "within 500 m of the river"."""

    kind: Literal["around"] = "around"
    thing: Thing
    metres: float = Field(gt=0, le=1_000_000)


class Away(_Plain):
    """All but the surroundings of a thing: "more than 500 m from the river", "outside the harbour"."""

    kind: Literal["away"] = "away"
    thing: Thing
    metres: float = Field(gt=0, le=1_000_000)


Side = Literal[
    "north", "south", "east", "west", "north-east", "north-west", "south-east", "south-west", "above", "below", "left",
    "right",
]  # fmt: skip


class Beyond(_Plain):
    """One side of a thing: "north of the river"; of several such things, the nearest counts."""

    kind: Literal["side"] = "side"
    thing: Thing
    side: Side


class Between(_Plain):
    """What lies between two things, the nearest of each: they are seen from there at 120 degrees or more."""

    kind: Literal["between"] = "between"
    thing: Thing
    other: Thing


Single = Annotated[PartOfScene | Outside | Area | Around | Away | Beyond | Between, Field(discriminator="kind")]


class AllOf(_Plain):
    """Where several regions overlap: "near the river but not near the road"."""

    kind: Literal["all"] = "all"
    of: tuple[Single, ...] = Field(min_length=2, max_length=MAX_REGIONS)


Region = Annotated[PartOfScene | Outside | Area | Around | Away | Beyond | Between | AllOf, Field(discriminator="kind")]


def regions_in(region: Region | None) -> tuple[Single, ...]:
    """Return the regions that overlap in one; the one alone if it is no overlap."""
    return region.of if isinstance(region, AllOf) else () if region is None else (region,)


def landmarks_of(region: Region | None) -> tuple[Thing, ...]:
    """Return the things that a region is described by, if any."""
    if isinstance(region, AllOf):
        return tuple(dict.fromkeys(thing for each in region.of for thing in landmarks_of(each)))
    if isinstance(region, Between):
        return (region.thing, region.other)
    return (region.thing,) if isinstance(region, Around | Away | Beyond) else ()


class _Part(_Plain):
    """One operation; a question has one or several."""

    region: Region | None = None
    """Where; None: everywhere in scope."""
    when: int | None = Field(default=None, ge=0)
    """Number, from 0, of an earlier part `exists`; this part is only of interest if that one is true.

    One that is negated is true where there is none, but not for a part about the same thing: "aren't there any ships?
    if so, where?".
    """

    THINGS: ClassVar[tuple[str, ...]] = ("thing",)

    @property
    def things(self) -> tuple[Thing, ...]:
        """What is looked for, in the order of the question."""
        found: list[Thing] = []
        for field in self.THINGS:
            value = getattr(self, field)
            found += value if isinstance(value, tuple) else [value] if value is not None else []
        found += landmarks_of(self.region)
        return tuple(dict.fromkeys(found))


Several = Annotated[tuple[Thing, ...], Field(min_length=2, max_length=MAX_THINGS)]


class Exists(_Part):
    """Is there a thing?"""

    op: Literal["exists"] = "exists"
    thing: Thing
    negated: bool = False
    """Asked the other way round: "is there no ship?", "are there scenes without ships?"."""


class Count(_Part):
    """How many are there?  With bounds: are there so many?"""

    op: Literal["count"] = "count"
    thing: Thing
    places: bool = False
    """Count the places where there are some, however many each place has: "how many sites with tanks"."""
    at_least: int | None = Field(default=None, ge=0)
    """"Are there more than two?" has 3."""
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"`at_least` ({self.at_least}) is more than `at_most` ({self.at_most})")
        return self


class Where(_Part):
    """Where is it?"""

    op: Literal["where"] = "where"
    thing: Thing


class Which(_Part):
    """Which of these things are there, or are not there?"""

    op: Literal["which"] = "which"
    among: Several
    negated: bool = False

    THINGS: ClassVar = ("among",)


class Compare(_Part):
    """Of which of these things is there more, or less?"""

    op: Literal["compare"] = "compare"
    among: Several
    by: Literal["count", "area"] = "count"
    wanted: Literal["more", "fewer", "equal"] = "more"
    measure: Literal["difference", "ratio"] | None = None
    """What of two numbers is asked besides: how many more there are, or how many times as many."""
    times: float | None = Field(default=None, gt=0)
    """"Are there twice as many cars as trucks?" has 2; the first thing is the one with more."""

    THINGS: ClassVar = ("among",)


class Nearest(_Part):
    """Which one of a thing is nearest to another thing, or farthest from it?"""

    op: Literal["nearest"] = "nearest"
    thing: Thing
    to: Thing
    farthest: bool = False

    THINGS: ClassVar = ("thing", "to")


class Distance(_Part):
    """How far apart are two things?"""

    op: Literal["distance"] = "distance"
    thing: Thing
    to: Thing

    THINGS: ClassVar = ("thing", "to")


class Relative(_Part):
    """Is a thing north of another one, left of it, near it, in it?"""

    op: Literal["relative"] = "relative"
    thing: Thing
    to: Thing
    relation: Relation | None = None
    """None: the relation is what is asked, "where is A compared with B?"."""
    negated: bool = False

    THINGS: ClassVar = ("thing", "to")


class Share(_Part):
    """How much of the ground is covered by a thing?"""

    op: Literal["share"] = "share"
    thing: Thing


class Density(_Part):
    """How many of a thing are there per square kilometre?"""

    op: Literal["density"] = "density"
    thing: Thing


class ListThings(_Part):
    """What is there?  Several things are found of those that the encoder knows."""

    op: Literal["list"] = "list"

    THINGS: ClassVar = ()


class Describe(_Part):
    """What does it look like?  "Describe the scene", "what is this place?", "anything unusual?"."""

    op: Literal["describe"] = "describe"
    thing: Thing | None = None


class Attribute(_Part):
    """What colour, shape, material, ... does a thing have?"""

    op: Literal["attribute"] = "attribute"
    thing: Thing
    name: str = Field(min_length=1, max_length=60)
    around: bool = False
    """Whether it is asked of what lies around the thing."""


class Change(_Part):
    """What is different between two dates?"""

    op: Literal["change"] = "change"
    thing: Thing | None = None


Part = Annotated[
    Exists
    | Count
    | Where
    | Which
    | Compare
    | Nearest
    | Distance
    | Relative
    | Share
    | Density
    | ListThings
    | Describe
    | Attribute
    | Change,
    Field(discriminator="op"),
]


class Plan(_Plain):
    """What a question asks, in order."""

    parts: tuple[Part, ...] = Field(default=(), max_length=MAX_PARTS)
    """Empty: nothing in the question can be planned; `unplanned` says why."""
    by: Literal["rules", "model", "person"] = "person"
    """Who made it."""
    unplanned: str | None = None
    """What of the question cannot be computed, in one sentence, and the nearest question that can be answered."""
    notes: tuple[str, ...] = ()
    """How words were understood, one line each: "'tankz' is read as 'tanks'"."""
    unsure: bool = Field(default=False, exclude=True)
    """Whether it may be a question all the same that the rules cannot read; not kept."""
    read_as: str = Field(default="", exclude=True)
    """The question as the rules read it: in lower case, corrected, without orders; empty if they did not; not kept."""
    sure: bool = Field(default=False, exclude=True)
    """Whether the rules have read every word of the question, so that nobody need read it again; not kept."""
    for_a_word: bool = Field(default=False, exclude=True)
    """Whether the rules refused something for a word ("who", "price") that may only stand beside it; not kept."""

    @model_validator(mode="after")
    def _whens(self) -> Self:
        for number, part in enumerate(self.parts):
            if part.when is not None and not (part.when < number and isinstance(self.parts[part.when], Exists)):
                raise ValueError(f"part {number}: `when` must be the number of an earlier part `exists`")
        return self

    @property
    def things(self) -> tuple[Thing, ...]:
        """Every thing that is looked for, once, in the order of the question."""
        return tuple(dict.fromkeys(thing for part in self.parts for thing in part.things))

    def steps(self) -> list[dict[str, Any]]:
        """Return the parts as the JSON of a record."""
        return [part.model_dump(mode="json", exclude_none=True) for part in self.parts]


_PARTS = TypeAdapter(tuple[Part, ...])


def plan_from_json(text: str) -> Plan:
    """Read a plan that a person wrote: a list of parts, or an object with `parts`.

    Raises:
        QuestionError: It is not JSON, or a part has no meaning; the message names the part and the key.
    """
    try:
        if text.lstrip().startswith("["):
            return Plan(parts=_PARTS.validate_json(text))
        return Plan.model_validate_json(text)
    except ValidationError as error:
        raise QuestionError(f"The plan cannot be used: {_first(error)}", fix=f"Known operations: {_known()}") from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"] if part != "parts"]
    where = f"part {place[0]}, {'.'.join(place[1:]) or 'all of it'}: " if place and place[0].isdigit() else ""
    return f"{where}{first['msg'].removeprefix('Value error, ')}"


def _known() -> str:
    return ", ".join(_operations())


def _operations() -> Iterator[str]:
    for kind in (Exists, Count, Where, Which, Compare, Nearest, Distance, Relative, Share, Density, ListThings,
                 Describe, Attribute, Change):  # fmt: skip
        yield kind.model_fields["op"].default
