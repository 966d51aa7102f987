"""What one clause asks about the things that it names.

Each rule is a pattern of question words and the part of a plan that it makes; the first that fits decides.  Rules for
two things, such as distances and comparisons, are in `pair_operations.py`, those for numbers and shares in
`number_operations.py`, those for looks in `attribute_operations.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from imagerag_assets.plans import plan as p
from imagerag_assets.plans.attribute_operations import asks_attribute, attribute
from imagerag_assets.plans.clause import YES_NO, Clause, Parts, any_of
from imagerag_assets.plans.number_operations import asks_number, bounded, count, density, mostly, share
from imagerag_assets.plans.pair_operations import asks_distance, compare, compares, distance, nearest, relative
from imagerag_assets.plans.things import is_out_of_sight, things_of

Rule = Callable[[Clause], Parts]

_EARLIER = r"(?:before|earlier|previous(?:ly)?|last|older|first|prior|then|\d{4}|yesterday)"
_TIMES = r"(?:dates|times|years|acquisitions|images|pictures|photos|scenes)"
_SOME = r"(?:the|this|that|these|those|any|some|all|its|their|our|my)"
_TAKEN = r"(?:(?:cut|torn|pulled|chopped) down|cleared|felled|demolished|torn up)"
_ALTERED = (
    rf"(?:mov(?:e|ed)|shift(?:ed)?|retreat(?:ed)?|advanc(?:e|ed)|reced(?:e|ed)|erod(?:e|ed)|widen(?:ed)?|narrow(?:ed)|"
    rf"(?:dry|dried) (?:up|out)|expand(?:ed)?|extend(?:ed)|increas(?:e|ed)|decreas(?:e|ed)|{_TAKEN})"
)
_TAKEN_AWAY = re.compile(rf"\b{_TAKEN}\b")
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
    r"\b(?:appeared|disappeared|vanished|newly built|new since|grew|shrunk|shrink|expanded|no longer|"
    r"used to be)\b",
    r"\b(?:has|have|had)\b.*\bgrown\b",
    r"\bdevelop(?:ed)?\b.*\b(?:from|since|between)\b",
    rf"^(?:did|has|have|had)(?:n't| not)? {_SOME} .*\b{_ALTERED}\b",
    rf"^(?:is|are|was|were) {_SOME} .*\b(?:{_TAKEN}|(?:shrink|reced|retreat|expand|advanc|erod)ing|drying (?:up|out))\b",
    r"\b(?:got|gotten|get|getting|become|became|becoming) (?:any |much |a lot |a bit )?"
    r"(?:better|worse|(?!over|under|other|after)[a-z]{3,}er)\b(?= (?:than|in|on|over|since|now)\b|$)",
    r"\bin (?:\d{4}|the (?:first|earlier|older) \w+),? (?:or|than|versus|vs) (?:in )?(?:\d{4}|the (?:second|later|newer|other) \w+)\b",
)
_SCENE = (
    r"(?:image|picture|photo|photograph|scene|place|area|region|view|map|site|location|imagery|landscape|terrain|"
    r"spot|neighbou?rhood|district|town)"
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
    r"^(?:(?:is|are) (?:there )?)?(?:any|some)thing\b",
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
    r"\bthe places? of\b",
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
    r"^(?:which|what) (?:of (?:the|these|those) )?(?!of\b)[a-z' -]+ (?:is|are|lies?|sits?|stands?)$",  # "which ships are", of those in the harbour
    r"\blook(?:ing)? for\b",
    r"^(?:show|find|point|highlight|mark|spot|search|look|take|get|bring|identify|detect|pinpoint|outline|"
    r"display|see|give|"
    r"all|list|map|zoom|fetch|pick out|locate|indicate|reveal|want|need|i want|i need|name)\b",
)
_UNSEEN = re.compile(r"^(?:i|we) (?:just )?(?:can't|cannot|can not|couldn't|could not)\b.*\b(?:see|find|spot|locate)\b")
"""Begins what asks where a thing is: "I can't see the bridge that everybody talks about"."""
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
    known = _WHERE.search(text) or _THERE.search(text)
    return known is not None or asks_number(text) or compares(text) or asks_attribute(text) or asks_distance(text)


def is_topic(clause: Clause) -> bool:
    """Return whether a clause only names things: "cranes: how many?"."""
    plain = replace(clause, region=None)
    if _WHERE.search(clause.text):
        return False
    return parts_of(plain) == _bare(plain) and bool(clause.things)


def _change(clause: Clause) -> Parts:
    if not _CHANGE.search(clause.text):
        return []
    things = things_of(_TAKEN_AWAY.sub(" ", clause.text)) or clause.things  # "was the forest cut down?"
    return [p.Change(thing=things[0] if things else None)]


def _which(clause: Clause) -> Parts:
    if len(clause.things) < 2:
        return []
    among = clause.things[: p.MAX_THINGS]
    negated = clause.negated or bool(re.search(r"\b(?:can't|cannot|missing|absent)\b", clause.text))
    one_of = re.match(r"(?:of|out of|among|between)\b.*\b(?:which|what|who)\b", clause.text) or re.search(
        r"\b(?:which|what|whether|one|any|either|neither|all|none)\b(?: \w+)? (?:of|among)\b|\bout of\b", clause.text
    )
    either = re.search(r"\bor\b", clause.text) and (
        YES_NO.search(clause.text)
        or re.search(r"\b(?:which|what|see|make out)\b|^(?:it|this|that|these|those) (?:is|are)\b", clause.text)
    )
    listed = re.search(r"^(?:which|what) .*\b(?:there|present|visible|found|seen|shown|missing|absent)\b", clause.text)
    if one_of or either or listed:
        return [p.Which(among=among, negated=negated)]
    return []


def _where(clause: Clause) -> Parts:
    if clause.things and _UNSEEN.search(clause.text):
        return [p.Where(thing=thing) for thing in clause.things]
    if not clause.things or not _WHERE.search(clause.text):
        return []
    lost = re.search(r"\b(?:can't|cannot|can not|could not|couldn't) (?:find|see|locate)\b|\bwhere\b", clause.text)
    if clause.negated and not lost:
        return [p.Exists(thing=thing, negated=True) for thing in clause.things]
    return [p.Where(thing=thing) for thing in clause.things]


def _exists(clause: Clause) -> Parts:
    if clause.things and _EXISTS.search(clause.text):
        return [p.Exists(thing=thing, negated=clause.denies(thing)) for thing in clause.things]
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
        if YES_NO.search(clause.text):
            return [p.Exists(thing=thing) for thing in clause.things]
        return [p.Where(thing=thing) for thing in clause.things]
    return []


_RULES: Sequence[Rule] = (
    _change,
    distance,
    nearest,
    compare,
    share,
    density,
    mostly,
    attribute,
    bounded,
    count,
    _list,
    relative,
    _which,
    _where,
    _describe,
    _exists,
    _bare,
)
