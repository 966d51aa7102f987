"""What is known about the right answer to a free question: the key ``truth`` of a line in a file of questions.

Only its form.  `free_answers` compares an answer with it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from imagerag_assets.plans.plan import Relation

Share = Annotated[float, Field(ge=0, le=1)]


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _OneThing(_Plain):
    thing: str

    @property
    def things(self) -> tuple[str, ...]:
        """The things that it is about."""
        return (self.thing,)


class ExistsFact(_OneThing):
    """Whether a thing is there.  Of one that is not there, an answer may neither say that it is, nor that it is not."""

    kind: Literal["exists"] = "exists"
    value: bool
    negated: bool = False
    """The question asked whether there is none, so that neither "yes" nor "no" alone is judged."""


class CountFact(_OneThing):
    """How many there are."""

    kind: Literal["count"] = "count"
    value: int = Field(ge=0)
    """0 is judged as a thing that is not there."""
    within: Share = 0.0
    """Share by which a right answer may differ."""
    places: tuple[tuple[Share, Share], ...] = ()
    """x, y of each, as in `WhereFact`; numbers of parts of the scene are checked with them."""


class WhereFact(_OneThing):
    """Where it is."""

    kind: Literal["where"] = "where"
    places: tuple[tuple[Share, Share], ...] = Field(min_length=1)
    """x, y of the middle of each, as shares of the scene's width and height, y down."""


class WhichFact(_Plain):
    """Which of several things are there."""

    kind: Literal["which"] = "which"
    among: tuple[str, ...] = Field(min_length=2)
    values: tuple[str, ...]
    """Those that are there."""

    @model_validator(mode="after")
    def _known(self) -> WhichFact:
        if not set(self.values) <= set(self.among):
            raise ValueError("`values` has a thing that is not in `among`")
        return self

    @property
    def things(self) -> tuple[str, ...]:
        """The things that it is about."""
        return self.among


class _Pair(_Plain):
    things: tuple[str, str]


class CompareFact(_Pair):
    """Of which of two things there is more."""

    kind: Literal["compare"] = "compare"
    values: tuple[float, float]

    @property
    def more(self) -> str | None:
        """The thing of which there is more; None: equally many."""
        return self.larger(*self.values)

    def larger(self, first: float, second: float) -> str | None:
        """Return the thing whose number is larger; None: both are equal."""
        return None if first == second else self.things[0] if first > second else self.things[1]


class RelativeFact(_Pair):
    """Whether the first thing lies north of, left of, ... the second one."""

    kind: Literal["relative"] = "relative"
    relation: Relation
    value: bool = True
    asked: bool = True
    """False: the question asked where it lies, and `relation` is the answer."""


class DistanceFact(_Pair):
    """How far two things are apart, from middle to middle."""

    kind: Literal["distance"] = "distance"
    metres: float = Field(gt=0)
    within: Share = 0.25


class AttributeFact(_OneThing):
    """A property of a thing."""

    kind: Literal["attribute"] = "attribute"
    values: tuple[str, ...] = Field(min_length=1)
    """Words that say it rightly."""
    others: tuple[str, ...] = ()
    """Words that would be wrong."""


class NothingFact(_Plain):
    """Nothing can be answered, as in a question without sense: the answer must say nothing about the imagery."""

    kind: Literal["nothing"] = "nothing"

    @property
    def things(self) -> tuple[str, ...]:
        """Nothing."""
        return ()


Fact = Annotated[
    ExistsFact
    | CountFact
    | WhereFact
    | WhichFact
    | CompareFact
    | RelativeFact
    | DistanceFact
    | AttributeFact
    | NothingFact,
    Field(discriminator="kind"),
]


class Truth(_Plain):
    """Everything that an answer must say."""

    facts: tuple[Fact, ...] = Field(min_length=1)
    names: dict[str, tuple[str, ...]] = {}
    """Other names by which an answer may call a thing: those of the question, and common ones."""

    @property
    def things(self) -> tuple[str, ...]:
        """Every thing that is asked about, once."""
        return tuple(dict.fromkeys(thing for fact in self.facts for thing in fact.things))

    def names_of(self, thing: str) -> tuple[str, ...]:
        """Return every name of a thing."""
        return (thing, *self.names.get(thing, ()))
