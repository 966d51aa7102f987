"""What one clause asks about the looks of a thing: its colour, shape or kind, or the state that it is in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lemminflect import getAllLemmas

from imagerag_assets.plans import lexicon
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.clause import Clause, Parts, any_of
from imagerag_assets.plans.number_operations import asks_number
from imagerag_assets.plans.thesaurus import look_up
from imagerag_assets.plans.things import thing_of, things_of

COLOUR_NAMES = ("colour", "color")
"""Names of the attribute that is measured."""
_COLOUR = "|".join(sorted(lexicon.COLOURS))
_ATTRIBUTES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "colour",
        any_of(
            r"\bcolou?r(?:s|ed)?\b",
            r"\bhue\b",
            r"\bpainted\b",
            r"\b(?:what|which) (?:shade|tint|tone)s?\b",
            rf"\b(?:{_COLOUR}) or (?:{_COLOUR})\b",
        ),
    ),
    (
        "shape",
        any_of(
            r"\b(?:what|which) (?:shape|form|outline)s?\b",
            r"\bshapes?\b(?! of the (?:image|scene))",
            r"\bshaped\b",
            r"\bform (?:does|do|is|are|has|of)\b",
            (
                r"\b(?:round|square|oval|rectangular|circular) or (?:round|square|oval|rectangular|"
                r"circular)\b"
            ),
        ),
    ),
    (
        "material",
        any_of(
            r"\bsurface\b(?=.*\bor\b)",
            r"\bpaved\b",
            r"\bmaterials?\b",
            r"\b(?:made|built) (?:of|from|out of)\b",
            r"\bsurface of\b",
            r"\bpaved with\b",
        ),
    ),
    ("length", any_of(r"\bhow (?:long|lengthy)\b", r"\blength\b")),
    ("width", any_of(r"\bhow (?:wide|broad)\b", r"\bwidth\b")),
    ("height", any_of(r"\bhow (?:tall|high|deep)\b", r"\bheight\b", r"\bdepth\b")),
    (
        "size",
        any_of(r"\bhow (?:big|large|small|huge)\b", r"\bsizes?\b", r"\bdimensions?\b", r"\bdiameter\b", r"\barea of\b"),
    ),
    (
        "orientation",
        any_of(
            r"\borientat\w+\b", r"\b(?:which|what) (?:way|direction)\b.*\b(?:fac|point|head|run|go)\w*", r"\bheading\b"
        ),
    ),
    (
        "condition",
        any_of(
            r"\b(?:condition|state)s? of\b",
            r"\bwhat (?:condition|state)\b",
            r"\bhow (?:do|does) (?:the|these|those|this|that) .* look\b",
            r"\bhow old\b",
            r"\b(?:full|empty|wet|dry|open|closed|busy|new|old) or (?:full|empty|wet|dry|open|"
            r"closed|busy|quiet|new|old|not)\b",
        ),
    ),
    (
        "kind",
        any_of(
            r"\b(?:what|which) (?:kind|type|sort|make|model|class|species)s? of\b",
            r"\b(?:what|which) (?:crop|plant|tree|vegetable)s? (?:is|are|grows?|do)\b",
        ),
    ),
    ("pattern", any_of(r"\bpattern\b", r"\barrange(?:d|ment)\b")),
)
_STATE = re.compile(
    r"^(?:is|are|was|were|has|have|do|does) "
    r"(?P<thing>(?:the|this|that|these|those|all|any of the|most of the) [a-z' -]+?) "
    r"(?:been |look |looks |seem |seems |appear |appears )?(?:to be |to have been )?"
    r"(?P<state>(?:(?:still|already|really|very|quite|just|all|mostly|currently|actually|being) )?"
    r"[a-z]+(?:(?:,| or|, or) [a-z]+(?: [a-z]+)?)*|under construction|in use|under water)"
    r"(?: yet| now| already| today| there)?$"
)
_AROUND = re.compile(
    r"\b(?:surround\w*|background|backdrop|(?:ground|area|land|floor|soil|space|part)\b.*\b(?:around|beside|next to))\b"
)
_MATERIALS = lexicon.words(
    "concrete tarmac asphalt grass gravel dirt clay sand brick steel metal wood wooden paved unpaved"
)
_NO_STATES = lexicon.words(
    "visible present absent missing there close near adjacent located situated seen found shown here north south"
)


def attribute(clause: Clause) -> Parts:
    """Read "what colour is the roof?", and "is the car park full?"."""
    name = next((name for name, pattern in _ATTRIBUTES if pattern.search(clause.text)), None)
    if name == "orientation" and len(clause.things) > 1:
        return []  # "which way do I head from the dam to the lake?"
    if name is not None and clause.things and not asks_number(clause.text):
        if name == "kind" and re.search(r"\b(?:land|scene|place|area|neighbou?rhood|objects?|things?)\b", clause.text):
            return []
        return [p.Attribute(thing=clause.things[0], name=name, around=asks_surroundings(name, clause.text))]
    ends = re.search(rf"^(?:is|are) (?:the|this|that|these|those|all) .*\b(?:{_COLOUR})\s*$", clause.text)
    if ends is not None and clause.things:
        bare = re.sub(rf"\b(?:{_COLOUR})\b", "", clause.things[0].name).strip() or "object"
        return [p.Attribute(thing=thing_of(bare), name="colour")]
    state = _state(clause)
    if state is None:
        return []
    thing, words = state
    return [p.Attribute(thing=thing, name="material" if _MATERIALS.issuperset(words) else "condition")]


def _state(clause: Clause) -> tuple[p.Thing, Sequence[str]] | None:
    """Return what a clause asks the condition of, and the words of it: "are the ships moving or moored?"."""
    found = _STATE.match(clause.text)
    if found is None:
        return None
    things, words = things_of(found["thing"]), re.split(r",? or |, ", found["state"])
    told = [
        re.sub(r"^(?:still|already|really|very|quite|just|all|mostly|currently|actually|being) ", "", word)
        for word in words
    ]
    if len(things) != 1 or not all(_is_state(word) for word in told):
        return None
    return things[0], told


def _is_state(words: str) -> bool:
    """Return whether words say in what state a thing is: an adjective or a participle, "full", "under construction"."""
    if words in _MATERIALS:
        return True
    first = words.split()[0] if words.split() else ""
    kinds = getAllLemmas(first)
    plain = not lexicon.is_known(first) and first not in _NO_STATES and not look_up(words).known
    described = "ADJ" in kinds or ("VERB" in kinds and first.endswith(("ed", "ing", "en", "wn")))
    return words in ("under construction", "in use", "under water") or (plain and described and len(words.split()) <= 3)


def asks_attribute(text: str) -> bool:
    """Return whether a clause asks what something looks like."""
    return any(pattern.search(text) for _, pattern in _ATTRIBUTES)


def asks_surroundings(name: str, text: str) -> bool:
    """Return whether a colour is asked of what lies around a thing: "what colour is the ground around the tanks?"."""
    return name in COLOUR_NAMES and _AROUND.search(text) is not None
