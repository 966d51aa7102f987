"""What one clause asks to be measured: a number, a share of the ground, a density."""

from __future__ import annotations

import math
import re

from imagerag_assets.plans import lexicon
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.clause import YES_NO, Clause, Parts, any_of
from imagerag_assets.plans.numbers import quantities
from imagerag_assets.plans.things import things_of

_COVERS = r"(?:cover\w*|occup\w+|tak(?:e|es|en|ing) up|made up|filled|space|room|ground|land|area|surface)"
_MOSTLY = re.compile(r"\b(?:mostly|mainly|predominantly|largely|chiefly|primarily|dominated by)\b")
_COVER = {
    "urban": "residential area", "built-up": "residential area", "residential": "residential area",
    "industrial": "industrial area", "agricultural": "farmland", "rural": "farmland", "farmed": "farmland", "forested": "forest",
    "wooded": "forest",
}  # fmt: skip
"""What is looked for where a question says what land mostly is."""
_BOUND = re.compile(
    r"^(?:fewer|less|more|over|under|at least|at most|exactly|no more|no fewer|up to|upwards of|a (?:min|max)imum of|between|"
    r"precisely|just|only)\b"
)
_EXCEEDS = re.compile(r"\b(?:exceed|surpass)(?:es|s)?\b")
_YEAR = re.compile(
    r"\b(?:in|since|of|during|by|from|until|till|before|after|summer|winter|spring|autumn|year|"
    r"(?:jan|feb|mar|apr|may|june?|july?|aug|sep|sept|oct|nov|dec)(?:uary|ruary|ch|il|ust|tember|ober|ember)?\.?) $"
)
"""Before what is a year and no number of things."""
_NUMERAL = re.compile(rf"\d|\b(?:{'|'.join(sorted(lexicon.NUMBERS))})\b")
_ONLY = re.compile(r"\b(?:only|just|exactly|precisely|single|sole|no more than|at most)\b")
_AREA_UNIT = (
    r"(?:square|sq\.?) ?(?:kms?|kilomet(?:er|re)s?|miles?|m|met(?:er|re)s?|feet|yards?)|km2|m2|hectares?|ha|acres?"
)
_SHARE = any_of(
    r"%",
    r"\b(?:percent(?:age)?|proportion|share|fraction|ratio|coverage)\b",
    r"\bhow much of (?:the |this |it )?",
    rf"\bhow much\b.*\b{_COVERS}",
    r"\bwhat (?:part|area|portion|amount) (?:of )?.*\b(?:cover\w*|taken|occupied|is|consists)\b",
    r"\bhow much \w+(?: \w+)? (?:is|are|do|can)\b",
    r"\bhow much \w+(?: \w+)?$",
    r"\bhow (?:large|big) an? (?:area|share|part)\b",
    r"\bto what (?:extent|degree)\b",
    r"\bmostly covered\b",
    r"\bhow (?:widespread|extensive|green|wooded|built[ -]up)\b",
    rf"\bhow many (?:{_AREA_UNIT})\b",
    r"\b(?:total|whole|combined) (?:surface|area|extent)\b",
    r"\b(?:surface|area) (?:of|covered by|taken up by)\b(?!.*\b(?:colou?r|made|material)\b)",
    r"\b(?:cover|take up|occupy|fill)\w* "
    r"(?:about |at least |more than |less than |over |under |nearly |almost )*(?:a |one |two |three )?(?:half|third|quarter|most|all)\b",
    r"\bhow big an area\b",
)
_SITUATED = re.compile(
    r"\b(?:in|at|on|to) (?:what|which) (?:\w+ )?(?:part|portion|area|bit|section|half|quarter)\b|"
    r"\b(?:situated|located|to be found|lies?|sits?)\b"
)
_HOW_LARGE = re.compile(r"\bhow (?:large|big)\b|\b(?:size|area|extent) of\b")
_DENSITY = any_of(
    r"\bdensit(?:y|ies)\b",
    rf"\b(?:per|a|each|every|one|an) (?:{_AREA_UNIT})\b",
    r"\bper unit\b",
    r"\bhow (?:dense|densely|tightly|closely|thick|thickly) (?:are|is|packed|spaced|clustered|populated)?\b",
    r"\b(?:dense|thick|tight)(?:ly)?(?: \w+)? or (?:\w+ )?(?:scattered|sparse|loose|spread out)(?:ly)?\b",
    r"\b(?:scattered|sparse|loose)(?:ly)? or (?:\w+ )?(?:dense|thick|tight)(?:ly)?\b",
)
_DENSE = re.compile(
    r"(?:is|are) (?:the )?([a-z' -]+?) (?:packed |spaced |clustered |set )?"
    r"(?:dense|thick|tight|close|scattered|sparse|loose)(?:ly)? or\b"
)
_COUNT = any_of(
    r"\bhow many\b",
    r"\b(?:numbers?|figures?|counts?|totals?) (?:of|for|on)\b",
    r"\bquantity\b",
    r"\b(?:add|tot)(?:ted)? up\b",
    r"\bwhat (?:figure|total)\b",
    r"\bdo you make it\b",
    r"\bnumbers?\b(?! \d)",
    r"\bcount(?:s|ed|ing)?\b",
    r"\btotal (?:of|number)\b",
    r"\b(?:quantity|amount|sum|total) of\b",
    r"\bwhat (?:is|are|would be|was) the (?:amount|sum|score|tally|headcount)\b",
    r"\bhow numerous\b",
    r"\btally\b",
    r"\b(?:which|what) (?:part|quadrant|quarter|corner|side|area|section|region|half)\b.*\bmost\b",
    r"\btotal\b",
    r"\bhow often\b",
    r"\benumerate\b",
    r"#",
    r"\b(?:is|are) there (?:\w+ ){0,2}(?:more|fewer|less) than (?:\d+|\w+)\b",
    r"\bat (?:least|most) (?:\d+|two|three|four|five|ten)\b",
    r"\b(?:is|are) there (?:exactly |only |about )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|a dozen) ",
)
_OF_COUNT = re.compile(
    r"\b(?:how many|numbers? of|counts? of|count(?: up)?(?: all)?|total(?: number)?(?: of)?|"
    r"(?:quantity|amount|sum|tally) of|"
    r"tally(?: up)?|add up|enumerate)\b"
)
_OF_PLACES = re.compile(
    r"\b(?:how many|numbers? of|count(?: up)?(?: all)?(?: the)?|at how many|in how many) "
    r"(?:different |separate |distinct |individual )*"
    r"(?:places?|sites?|spots?|locations?|positions?|areas?|groups?|clusters?)\b"
)
_AFTER_COUNT = re.compile(
    r"\b(?:sticking|jutting|reaching|leading|running|lying|sticks?|juts?|reach|leads?|runs?|standing|sitting|parked|moored|docked|built|"
    r"for (?:me|us|my|our|the|this)|is|are|was|were|do|does|did|can|could|have|"
    r"has|had|in|on|at|within|inside|near|along|around|beside|there|that|"
    r"which|you|"
    r"i|we|to|from|by|as|should|would|will|got|before|this|here|between|cross(?:es)?|across)\b"
)


def share(clause: Clause) -> Parts:
    """Read "how much of the ground is forest?"."""
    if _SITUATED.search(clause.text):
        return []
    cover = all(thing.phrase in lexicon.COVERS for thing in clause.things)
    if clause.things and (_SHARE.search(clause.text) or (cover and _HOW_LARGE.search(clause.text))):
        return [p.Share(thing=thing) for thing in clause.things]
    return []


def density(clause: Clause) -> Parts:
    """Read "how many houses are there per km²?", and "are the houses dense or scattered?"."""
    dense = _DENSE.match(clause.text)
    if dense is not None and (named := things_of(dense[1])):
        return [p.Density(thing=named[0])]
    if clause.things and _DENSITY.search(clause.text):
        return [p.Density(thing=clause.things[0])]
    return []


def mostly(clause: Clause) -> Parts:
    """Read "is it mostly forest?", and "is the area mainly urban or farmland?"."""
    if not _MOSTLY.search(clause.text):
        return []
    named = {thing.phrase: (clause.text.find(thing.name), thing) for thing in clause.things}
    for word, cover in _COVER.items():
        at = re.search(rf"\b{word}\b(?! (?:{'|'.join(lexicon.KEPT_WITH_MODIFIER)}))", clause.text)
        if at is not None:
            named[cover] = at.start(), p.Thing(name=f"{word} land" if word != "wooded" else "woodland", look_for=cover)
    things = [thing for _, thing in sorted(named.values(), key=lambda each: each[0])]
    if len(things) > 1:
        return [p.Compare(among=tuple(things[: p.MAX_THINGS]), by="area")]
    return [p.Share(thing=thing) for thing in things]


def bounded(clause: Clause) -> Parts:
    """Read "are there more than two ships?"."""
    if (
        len(clause.things) != 1
        or not (YES_NO.search(clause.text) or _BOUND.search(clause.text) or _EXCEEDS.search(clause.text))
        or re.search(r"\bhow many\b", clause.text)
    ):
        return []
    for amount in quantities(clause.text):
        said = clause.text[amount.start : amount.end]
        if re.fullmatch(r"(?:19|20)\d\d", said) and _YEAR.search(clause.text[: amount.start]):
            continue
        some = (amount.low, amount.high) == (1, math.inf)
        counts = not some and not amount.unit and _NUMERAL.search(said) and amount.high > 0
        if counts and ((amount.low, amount.high) != (1, 1) or _ONLY.search(clause.text)):
            least, most = math.ceil(amount.low), None if amount.high == math.inf else math.floor(amount.high)
            if most is None or least <= most:  # "4.1" is no number of ships
                return [p.Count(thing=clause.things[0], at_least=least, at_most=most)]
    return []


def count(clause: Clause) -> Parts:
    """Read "how many ships are there?", and "how many sites have tanks?"."""
    if clause.things and _COUNT.search(clause.text):
        places = _OF_PLACES.search(clause.text) is not None
        return [p.Count(thing=thing, places=places) for thing in _counted(clause)]
    return []


def _counted(clause: Clause) -> tuple[p.Thing, ...]:
    """Return what is counted: what follows "how many", without what only says where or for whom."""
    pieces = _OF_COUNT.split(clause.text)[1:]
    said = [thing for piece in pieces for thing in things_of(_AFTER_COUNT.split(piece, maxsplit=1)[0])]
    phrases = {thing.phrase for thing in said}
    own = tuple(thing for thing in clause.things if thing.phrase in phrases)
    return own or clause.things


def asks_number(text: str) -> bool:
    """Return whether a clause asks how many there are."""
    return _COUNT.search(text) is not None
