"""What one clause asks about the things that it names.

Each rule is a pattern of question words and the part of a plan that it makes; the first that fits decides.  Rules for
two things, such as distances and comparisons, are in `pair_operations.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from lemminflect import getAllLemmas

from imagerag_assets.plans import lexicon
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.clause import Clause, Parts, any_of
from imagerag_assets.plans.numbers import quantities
from imagerag_assets.plans.pair_operations import compare, compares, distance, nearest, relative
from imagerag_assets.plans.thesaurus import look_up
from imagerag_assets.plans.things import is_out_of_sight, thing_of, things_of

Rule = Callable[[Clause], Parts]

_YES_NO = re.compile(r"^(?:is|are|was|were|does|do|did|has|have|can|could|any|got|there|whether|if|i see)\b")
_COLOUR = "|".join(sorted(lexicon.COLOURS))
_EARLIER = r"(?:before|earlier|previous(?:ly)?|last|older|first|prior|then|\d{4}|yesterday)"
_TIMES = r"(?:dates|times|years|acquisitions|images|pictures|photos|scenes)"
_CHANGE = any_of(
    r"\bchang(?:e|es|ed|ing)\b",
    r"\bbefore and after\b",
    r"\bover (?:time|the years)\b",
    rf"\b(?:between|on|at|of|in) (?:the |these |both |those )?(?:two |both |different )+{_TIMES}\b",
    rf"\bbetween (?:the |these |those ){_TIMES}\b",
    r"\b(?:from|between) \d{4} (?:to|and|until) (?:\d{4}|now|today)\b",
    rf"\bsince (?:the )?{_EARLIER}",
    r"\bsince\b.*\b(?:image|picture|photo|acquisition|date|year|month)\b",
    rf"\b(?:than|with|to) (?:it was |there (?:were|was) |they were |in |on |the |an? )*{_EARLIER}\b",
    r"\b(?:what(?:'s| is| has| was)?|anything|something) (?:been )?(?:new|different|disappeared|appeared|gone|"
    r"built|added|removed)\b",
    r"\b(?:appeared|disappeared|vanished|newly built|new since|grown|grew|shrunk|shrink|expanded|no longer|"
    r"used to be)\b",
    r"\bdevelop(?:ed)?\b.*\b(?:from|since|between)\b",
)
_COVERS = r"(?:cover\w*|occup\w+|tak(?:e|es|en|ing) up|made up|filled|space|room|ground|land|area|surface)"
_MOSTLY = re.compile(r"\b(?:mostly|mainly|predominantly|largely|chiefly|primarily|dominated by)\b")
_COVER = {
    "urban": "residential area", "built-up": "residential area", "residential": "residential area",
    "industrial": "industrial area", "agricultural": "farmland", "farmed": "farmland", "forested": "forest",
    "wooded": "forest",
}  # fmt: skip
"""What is looked for where a question says what land mostly is."""
_BOUND = re.compile(r"^(?:fewer|less|more|over|under|at least|at most|exactly|no more|no fewer)\b")
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
    r"\b(?:cover|take up|occupy|fill)\w* (?:about |at least |more than |less than |over |under |nearly |almost )*(?:a |one |two |three )?(?:half|third|quarter|most|all)\b",
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
    r"(?:is|are) (?:the )?([a-z' -]+?) (?:packed |spaced |clustered |set )?(?:dense|thick|tight|close|scattered|sparse|loose)(?:ly)? or\b"
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
    r"\b(?:how many|numbers? of|counts? of|count(?: up)?(?: all)?|total(?: number)?(?: of)?|(?:quantity|amount|sum|tally) of|"
    r"tally(?: up)?|add up|enumerate)\b"
)
_OF_PLACES = re.compile(
    r"\b(?:how many|numbers? of|count(?: up)?(?: all)?(?: the)?|at how many|in how many) "
    r"(?:different |separate |distinct |individual )*(?:places?|sites?|spots?|locations?|positions?|areas?|groups?|clusters?)\b"
)
_AFTER_COUNT = re.compile(
    r"\b(?:sticking|jutting|reaching|leading|running|lying|standing|sitting|parked|moored|docked|built|for (?:me|us|my|our|the|this)|is|are|was|were|do|does|did|can|could|have|has|had|in|on|at|within|inside|near|along|around|beside|there|that|which|you|"
    r"i|we|to|from|by|as|should|would|will|got|before|this|here|between|cross(?:es)?|across)\b"
)
_ATTRIBUTES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("colour", any_of(r"\bcolou?r(?:s|ed)?\b", r"\bhue\b", r"\bpainted\b", rf"\b(?:{_COLOUR}) or (?:{_COLOUR})\b")),
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
_SCENE = (
    r"(?:image|picture|photo|photograph|scene|place|area|region|view|map|site|location|imagery|landscape|terrain|"
    r"spot|neighbou?rhood|district|town)"
)
_STATE = re.compile(
    r"^(?:is|are|was|were|has|have|do|does) (?P<thing>(?:the|this|that|these|those|all|any of the|most of the) [a-z' -]+?) "
    r"(?:been |look |looks |seem |seems |appear |appears )?(?:to be |to have been )?"
    r"(?P<state>(?:(?:still|already|really|very|quite|just|all|mostly|currently|actually|being) )?"
    r"[a-z]+(?:(?:,| or|, or) [a-z]+(?: [a-z]+)?)*|under construction|in use|under water)"
    r"(?: yet| now| already| today| there)?$"
)
_NO_STATES = lexicon.words(
    "visible present absent missing there close near adjacent located situated seen found shown here north south"
)
_ODD = (
    r"(?:unusual|interesting|odd|strange|special|suspicious|remarkable|notable|noteworthy|weird|wrong|funny|"
    r"striking|important|off|abnormal|noticeable|anomal\w+|out of place|out of the ordinary)"
)
_DESCRIBE = any_of(
    r"\bdescri(?:be|ption)\b",
    r"\bcaption\b",
    r"\btheme\b",
    r"\bsummar",
    r"\bsum up\b",
    r"\bsum .* up\b",
    r"\boverview\b",
    r"\brundown\b",
    r"\btell me (?:about|what|more|something)\b",
    r"\babout (?:this|the|that) (?:picture|image|photo|scene|place)\b",
    r"\b(?:the )?gist\b",
    r"\bstands? out\b",
    r"\bcatch(?:es)? (?:the|your|one's) eye\b",
    r"\bexplain\b",
    r"\bcharacteri[sz]e\b",
    rf"\bwhat (?:is|'s|are|does|do|kind|sort|type) .*\b{_SCENE}\b",
    rf"\bwhat {_SCENE} (?:is|am|are)\b",
    r"\blooking at\b",
    r"\bwhat(?:'s| is) (?:this|that|it|shown|depicted|going on|happening)\b",
    rf"\b{_ODD}\b",
    r"\blook(?:s)? like\b",
    r"\b(?:does|do) (?:it|this|that|the area|the scene|the place) look\b",
    r"\bwhat does (?:it|this|that|the \w+) (?:look|show)\b",
    r"\bland (?:cover|use)\b",
    r"\bwhat happens\b",
    r"\bgoing on\b",
    r"\b(?:is|are) .* doing\b",
    r"\bwhat is (?:in|at|on)$",
    r"\bimpression\b",
    r"\bwhere (?:am i|are we|is this|was this)\b",
    r"^what about (?:it|this)$",
    r"^about$",
)
_SEE = r"(?:see|find|spot|recogni[sz]ed?|detect|identify|make out|observe|notice|seen|found|detected|identified)"
_OBJECTS = r"(?:things|objects|features|items|elements|stuff|targets|everything|all)"
_LIST = any_of(
    rf"\bwhat (?:all |else )?(?:can|do|could|did|would) (?:you|we|i|one|be) (?:all |be )?{_SEE}",
    r"\blist (?:everything|all|what|the)\b",
    r"\beverything\b",
    (
        r"\bwhat(?:'s| is| are| things| objects| features| else)?(?: is| are)? (?:all )?(?:there|visible|present|"
        r"out there|to be seen)\b"
    ),
    r"\bwhat(?:'s| is| are) (?:in|inside|within|on) (?:it|here|the|this|that)\b",
    r"\binventory\b",
    rf"\b(?:what|which|name|list|give|show|tell|report|enumerate)\b.*\b{_OBJECTS}\b",
    r"\bwhat (?:kind|sort|type)s? of (?:things|objects)\b",
    r"^what(?:'s| is| are)?$",
    r"^list$",
    r"\bwhat (?:does|do) (?:it|this|the \w+) (?:contain|include|have)\b",
    r"\bwhat can be\b",
    r"^what is there\b",
    r"^what (?:stands|lies|sits|occupies|fills|grows|surrounds|do we have|have (?:they|we|you))\b",
    r"\bhave what$",
    r"\bis what(?: exactly)?$",
    r"^(?:(?:is|are) there )?(?:any|some)thing\b",
    r"\bmost (?:common|frequent|numerous)\b",
)
_SIDE = (
    r"(?:left|right|top|bottom|upper|lower|middle|cent(?:re|er)|north|south|east|west|northern|southern|eastern|western)"
    r"(?:[ -]hand)?(?: (?:half|side|part|end|edge|corner|third))?"
)
_WHERE = any_of(
    r"\b(?:box|boxes|circle|rectangle|ring|frame)s? (?:a?round|on|over)\b",
    r"\b(?:highlight|outline|pinpoint|circle|mark)\b",
    r"\bwhere\b",
    r"\bwhere(?:'s|abouts)?\b",
    r"\blocat(?:e|ed|ion|ions|ing)\b",
    r"\bposition(?:s|ed)?\b",
    r"\bsituated\b",
    r"\bcoordinates?\b",
    r"\b(?:which|what) (?:(?:half|quarter|rough|general) )?(?:part|portion|quadrant|corner|side|area|section|region|direction|"
    r"half|quarter|end|bit|scene|place|spot|sector|zone|image)s?\b",
    rf"\b{_SIDE}(?:,|,? or| -)+ (?:is it |in |at |on |to )*(?:the |its )?{_SIDE}\b",
    r"\b(?:can't|cannot|can not|could not) find\b",
    r"\bhow (?:do|can) i (?:find|get to|reach)\b",
    r"\bwhich way\b",
    r"\blet (?:me|us) see\b",
    r"\b(?:take|lead|bring|guide|point) (?:me|us)\b",
    r"\bshow (?:me|us)\b",
    r"\blook(?:ing)? for\b",
    r"^(?:show|find|point|highlight|mark|spot|search|look|take|get|bring|identify|detect|pinpoint|outline|"
    r"display|see|give|"
    r"all|list|map|zoom|fetch|pick out|locate|indicate|reveal|want|need|i want|i need|name)\b",
)
_EXISTS = any_of(
    r"^(?:is|are|was|were|does|do|did|has|have|can|could|any|got|there|will|would)\b",
    r"\b(?:is|are|be) there\b",
    r"\bthere (?:is|are|might|may|must|could|should)\b",
    r"\b(?:contain|include|exist|visible|present|absent|missing)\w*\b",
    r"\b(?:see|spot|spotted|find|notice|detect|have|got|come across) (?:any|an?|some|the|no)\b",
    r"\bany\b",
    r"\bwithout\b",
    r"\bno\b",
    r"\bfree of\b",
    r"\black(?:s|ing)?\b",
    r"\bif (?:there|it)\b",
    r"\bdevoid\b",
    r"\bvoid\b",
    r"\bsigns? of\b",
    r"\btraces? of\b",
    r"\bzero\b",
    r"^(?:spotted|seen|noticed|found|anywhere|anyone)\b",
    r"\bone (?:present|there|around)\b",
)


_THERE = re.compile(
    r"^which (?:one|of (?:them|these|those))\b|^(?:are they |is it )?(?:present|absent|visible|missing|in it|there)$"
)


def parts_of(clause: Clause) -> Parts:
    """Return what a clause asks; nothing if no rule fits."""
    for rule in _RULES:
        parts = rule(clause)
        if parts:
            where = {"region": clause.region} if clause.region is not None else {}
            return [part.model_copy(update=where) if part.region is None else part for part in parts]
    return []


def asks_more(text: str) -> bool:
    """Return whether a clause that names nothing asks something of what was named: "say where", "the number?"."""
    known = any(pattern.search(text) for pattern in (_COUNT, _WHERE, _THERE))
    return known or compares(text) or any(pattern.search(text) for _, pattern in _ATTRIBUTES)


def is_topic(clause: Clause) -> bool:
    """Return whether a clause only names things: "cranes: how many?"."""
    plain = replace(clause, region=None)
    if _WHERE.search(clause.text):
        return False
    return parts_of(plain) == _bare(plain) and bool(clause.things)


def _change(clause: Clause) -> Parts:
    if not _CHANGE.search(clause.text):
        return []
    return [p.Change(thing=clause.things[0] if clause.things else None)]


def _share(clause: Clause) -> Parts:
    if _SITUATED.search(clause.text):
        return []
    cover = all(thing.phrase in lexicon.COVERS for thing in clause.things)
    if clause.things and (_SHARE.search(clause.text) or (cover and _HOW_LARGE.search(clause.text))):
        return [p.Share(thing=thing) for thing in clause.things]
    return []


def _density(clause: Clause) -> Parts:
    dense = _DENSE.match(clause.text)
    if dense is not None and (named := things_of(dense[1])):
        return [p.Density(thing=named[0])]
    if clause.things and _DENSITY.search(clause.text):
        return [p.Density(thing=clause.things[0])]
    return []


def _mostly(clause: Clause) -> Parts:
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


def _bounded(clause: Clause) -> Parts:
    """Read "are there more than two ships?"."""
    if (
        len(clause.things) != 1
        or not (_YES_NO.search(clause.text) or _BOUND.search(clause.text))
        or re.search(r"\bhow many\b", clause.text)
    ):
        return []
    for amount in quantities(clause.text):
        said = clause.text[amount.start : amount.end]
        some = (amount.low, amount.high) == (1, math.inf)
        counts = not some and not amount.unit and _NUMERAL.search(said) and amount.high > 0
        if counts and ((amount.low, amount.high) != (1, 1) or _ONLY.search(clause.text)):
            most = None if amount.high == math.inf else math.floor(amount.high)
            return [p.Count(thing=clause.things[0], at_least=math.ceil(amount.low), at_most=most)]
    return []


def _count(clause: Clause) -> Parts:
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


def _attribute(clause: Clause) -> Parts:
    name = next((name for name, pattern in _ATTRIBUTES if pattern.search(clause.text)), None)
    if name == "orientation" and len(clause.things) > 1:
        return []  # "which way do I head from the dam to the lake?"
    if name is not None and clause.things and not _COUNT.search(clause.text):
        if name == "kind" and re.search(r"\b(?:land|scene|place|area|neighbou?rhood|objects?|things?)\b", clause.text):
            return []
        return [p.Attribute(thing=clause.things[0], name=name)]
    ends = re.search(rf"^(?:is|are) (?:the|this|that|these|those|all) .*\b(?:{_COLOUR})\s*$", clause.text)
    if ends is not None and clause.things:
        bare = re.sub(rf"\b(?:{_COLOUR})\b", "", clause.things[0].name).strip() or "object"
        return [p.Attribute(thing=thing_of(bare), name="colour")]
    state = _state(clause)
    return [p.Attribute(thing=state, name="condition")] if state is not None else []


def _state(clause: Clause) -> p.Thing | None:
    """Return what a clause asks the condition of: "is the car park full?", "are the ships moving or moored?"."""
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
    return things[0]


def _is_state(words: str) -> bool:
    """Return whether words say in what state a thing is: an adjective or a participle, "full", "under construction"."""
    first = words.split()[0] if words.split() else ""
    kinds = getAllLemmas(first)
    plain = not lexicon.is_known(first) and first not in _NO_STATES and not look_up(words).known
    described = "ADJ" in kinds or ("VERB" in kinds and first.endswith(("ed", "ing", "en", "wn")))
    return words in ("under construction", "in use", "under water") or (plain and described and len(words.split()) <= 3)


def _which(clause: Clause) -> Parts:
    if len(clause.things) < 2:
        return []
    among = clause.things[: p.MAX_THINGS]
    negated = clause.negated or bool(re.search(r"\b(?:can't|cannot|missing|absent)\b", clause.text))
    one_of = re.match(r"(?:of|out of|among|between)\b.*\b(?:which|what|who)\b", clause.text) or re.search(
        r"\b(?:which|what|whether|one|any|either|neither|all|none)\b(?: \w+)? (?:of|among)\b|\bout of\b", clause.text
    )
    either = re.search(r"\bor\b", clause.text) and (
        _YES_NO.search(clause.text) or re.search(r"\b(?:which|what|see|make out)\b", clause.text)
    )
    listed = re.search(r"^(?:which|what) .*\b(?:there|present|visible|found|seen|shown|missing|absent)\b", clause.text)
    if one_of or either or listed:
        return [p.Which(among=among, negated=negated)]
    return []


def _where(clause: Clause) -> Parts:
    if not clause.things or not _WHERE.search(clause.text):
        return []
    lost = re.search(r"\b(?:can't|cannot|can not|could not|couldn't) (?:find|see|locate)\b|\bwhere\b", clause.text)
    if clause.negated and not lost:
        return [p.Exists(thing=thing, negated=True) for thing in clause.things]
    return [p.Where(thing=thing) for thing in clause.things]


def _exists(clause: Clause) -> Parts:
    if clause.things and _EXISTS.search(clause.text):
        return [p.Exists(thing=thing, negated=clause.negated) for thing in clause.things]
    return []


def _describe(clause: Clause) -> Parts:
    if not _DESCRIBE.search(clause.text):
        return []
    things = [thing for thing in clause.things if not is_out_of_sight(thing)]
    land = re.search(r"\bland (?:cover|use)\b|\bneighbou?rhood\b", clause.text)
    return [p.Describe(thing=things[0] if things and not land else None)]


def _list(clause: Clause) -> Parts:
    return (
        [p.ListThings()] if not clause.things and _LIST.search(clause.text) and not re.search(_ODD, clause.text) else []
    )


def _bare(clause: Clause) -> Parts:
    """Read a clause that only names things, as one types into a search box."""
    if clause.things and not re.search(r"^(?:who|why|when|whose|how|you|i|he|she|we|they)\b", clause.text):
        if re.search(r"\b(?:is|are|am|was|were|be|do|does|did|will|would|should|sucks?)\b", clause.text):
            return []
        if clause.negated:
            return [p.Exists(thing=thing, negated=True) for thing in clause.things]
        if _YES_NO.search(clause.text):
            return [p.Exists(thing=thing) for thing in clause.things]
        return [p.Where(thing=thing) for thing in clause.things]
    return []


_RULES: Sequence[Rule] = (
    _change,
    distance,
    nearest,
    compare,
    _share,
    _density,
    _mostly,
    _attribute,
    _bounded,
    _count,
    _list,
    relative,
    _which,
    _where,
    _describe,
    _exists,
    _bare,
)
