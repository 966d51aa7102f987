"""One sentence that asks for several numbers of one thing: in all and in a part of the picture, or part by part."""

from __future__ import annotations

import re

from imagerag_assets.plans.scene_parts import COMPASS
from imagerag_assets.plans.things import things_of

_DIRECTION = rf"(?:{COMPASS}|left|right|top|bottom|upper|lower|middle|centre|center|ne|nw|se|sw)"
_WHOLE = (
    r"(?:in total|in all|all in all|overall|altogether|all told|all together|everywhere|in the (?:whole|entire|full) "
    r"(?:image|picture|photo|scene|view|frame|map|area)|(?:image|picture|scene)[ -]wide)"
)
_NUMBER = (
    r"(?:how many|(?:the |give me the |what is the )?(?:total )?(?:number|count|total) of"
    r"|count(?: up)?(?: all)?(?: the)?)"
)
_NAME = r"(?:the |all |all the )?[a-z' -]+?"
_REST = (
    r"(?:how many )?(?:of (?:them|those|these|which) )?(?:(?:are|is|lie|lies|just|only|also|then|specifically) )*"
    r"(?P<rest>(?:in|on|at|within|inside|near|along|around|by|next to|north|south|east|west|left|right|less "
    r"than) [^?.;]+)"
)
_AND = r",?\s*(?:and|plus|as well as|then|and then|&|,|but also|and also|versus|vs)\s+"
_THERE = r"(?: (?:are|is) (?:there|visible|present))?"
_TOTAL_AND_PART = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_NUMBER} (?P<name>{_NAME}){_THERE},? ?{_WHOLE}{_AND}{_REST}",
        rf"{_NUMBER} (?P<name>{_NAME}){_THERE},? (?P<rest>(?:in|on|at|within|near|along) [^?.;]+?){_AND}{_WHOLE}",
        rf"{_WHOLE},? {_NUMBER} (?P<name>{_NAME}){_THERE}{_AND}{_REST}",
    )
)
_ONE_OF_PARTS = (
    r"(?:in |on |at )?(?:which|what) (?P<noun>quarter|quadrant|corner|half|third|part|side|area|section|end|region)"
    r"(?: of (?:the |this )?(?:image|picture|scene|photo|map))?"
)
_RANKED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_ONE_OF_PARTS} (?:has|have|holds?|contains?|shows?|hosts?|is home to|with|got|sees?) "
        rf"(?:the |by far the )*(?:most|fewest|least|largest number|highest number|lowest number|smallest "
        rf"number|greatest number|more|"
        rf"fewer|majority|bulk)(?: of)? (?:the )?(?P<name>{_NAME})(?P<tail>[?.!]|,.*|$)",
        rf"{_ONE_OF_PARTS} (?:are|do|can|is)(?: there| we| you)?(?: find| see)? (?:the )?(?:most|fewest|least|majority"
        rf"|bulk)(?: of)? (?:the )?"
        rf"(?P<name>{_NAME})(?: located| situated| found| concentrated| lie| sit)?(?P<tail>[?.!]|,.*|$)",
    )
)
_EACH = re.compile(
    rf"{_NUMBER} (?P<name>{_NAME}){_THERE}[,.?]?(?: (?:i|we) (?:need|want) (?:it|them|that|this))? ?"
    r"(?:broken down |split |separately |divided |grouped )*\b(?:(?:in|for|per|by|of) (?:each|every|the)?|per|by) ?"
    r"(?P<noun>quarter|quadrant|corner|half)s?(?P<tail>\b.*)"
)
_COUNTS_EACH = re.compile(
    r"(?:give me |i (?:need|want) )?(?P<name>[a-z -]+?) (?:counts?|numbers?|totals?) (?:in|for|per|by|of) "
    r"(?:each |every )?"
    r"(?P<noun>quarter|quadrant|corner|half)s?(?P<tail>\b.*)"
)
_BOUND = (
    r"(?:at least|at most|more than|fewer than|less than|exactly|no more than|no fewer than|over|under|up to) "
    r"(?:\d+|[a-z]+(?:[ -][a-z]+)?)"
)
_TWO_BOUNDS = re.compile(
    r"(?:do (?:we|you) (?:have|see|find)|(?:are|is) there|can (?:you|we) (?:see|find)|there are|"
    r"does (?:it|this|the \w+) (?:have|show|contain)) "
    rf"(?P<one>{_BOUND} {_NAME}){_AND}(?P<other>{_BOUND} {_NAME})(?P<tail>[?.!]|$)"
)
_SOMEWHERE = r"(?:in|on|at|near|next to|close to|within|along) [^?.;]+"
_WITH_THOSE = re.compile(
    rf"{_NUMBER} (?P<name>{_NAME}) (?P<one>{_SOMEWHERE}?)"
    rf",? (?:with|to|and|versus|vs|against|than) (?:the )?(?:those|ones|that|number) (?P<other>{_SOMEWHERE})"
)
_PARTS = {
    "quarter": ("upper left", "upper right", "lower left", "lower right"),
    "half": ("left half", "right half", "upper half", "lower half"),
    "side": ("left half", "right half", "upper half", "lower half"),
}
_LISTED = re.compile(rf"\b{_DIRECTION}(?:[ -]{_DIRECTION})?\b")


_CORNERS = " and ".join(f"in the {part}" for part in _PARTS["quarter"])
_EACH_PART = tuple(
    (re.compile(rf"\b(?:in|on|at|within) {words}(?! of (?!the (?:image|picture|scene|photo|map)\b))"), parts)
    for words, parts in (
        (r"(?:(?:each|every|all|any|either|both)(?: one)?(?: of)? )?(?:the )?(?:(?:4|four) )?"
         r"(?:corner|quarter|quadrant)s(?: of (?:the|this) (?:image|picture|scene|photo|map))?\b", _CORNERS),
        (r"(?:each|every|any)(?: single)? (?:corner|quarter|quadrant)\b", _CORNERS),
        (r"the (?:middle|cent(?:re|er)|central) row\b", "in the middle left and in the centre and in the middle right"),
        (r"the (?:middle|cent(?:re|er)|central) column\b",
         "in the upper middle and in the centre and in the lower middle"),
        (r"the (?:top|upper|first) row\b", "in the upper part"),
        (r"the (?:bottom|lower|last) row\b", "in the lower part"),
        (r"the (?:left|first)(?:[ -]hand)? column\b", "in the left part"),
        (r"the (?:right|last)(?:[ -]hand)? column\b", "in the right part"),
    )
)  # fmt: skip
"""All corners of the picture, and its rows and columns, with the parts that they are."""


def in_each_part(text: str) -> str:
    """Return a question in lower case with each of several parts of the picture by its name: "in the four corners"."""
    for pattern, parts in _EACH_PART:
        text = pattern.sub(parts, text)
    return text


def numbers_apart(text: str) -> str:
    """Return a question with a clause for each number that it asks for; another one stays as it is.

    "How many tanks are there in total and in the upper half?" asks twice; "which quarter has most of the houses?" for
    four numbers, from which the answer says where most are.

    Args:
        text: In lower case.
    """
    for pattern in _TOTAL_AND_PART:
        found = pattern.search(text)
        if found is not None and len(things_of(found["name"])) == 1:
            name, before = found["name"].strip(), text[: found.start()]
            rest = text[found.end() :]
            once = f"how many {name} are there"
            return f"{before}{once}? {once} {found['rest'].strip()}?{rest.lstrip('?')}"
    those = _WITH_THOSE.search(text)
    if those is not None and len(things_of(those["name"])) == 1:
        once = f"how many {those['name'].strip()} are there"
        return f"{once} {those['one']}? {once} {those['other']}?{text[those.end() :].lstrip('?')}"
    two = _TWO_BOUNDS.search(text)
    if two is not None and len(things_of(two["one"])) == 1 == len(things_of(two["other"])):
        return f"{text[: two.start()]}are there {two['one']}? are there {two['other']}?{text[two.end() :]}"
    each = _EACH.search(text) or _COUNTS_EACH.search(text)
    if each is not None and len(things_of(each["name"])) == 1:
        parts = _among(each["noun"], each["tail"])
        return " ".join(f"how many {each['name'].strip()} are there in the {part}?" for part in parts)
    for pattern in _RANKED:
        found = pattern.match(text)
        if found is not None and len(things_of(found["name"])) == 1 and not _LISTED.search(found["name"]):
            parts = _among(found["noun"], found["tail"])
            return " ".join(f"how many {found['name'].strip()} are there in the {part}?" for part in parts)
    return text


def _among(noun: str, tail: str) -> list[str]:
    """Return the parts of the picture among which one is asked for: those that the question names, or all of a kind."""
    named = list(dict.fromkeys(each[0] for each in _LISTED.finditer(tail)))
    if len(named) > 1:
        halves = noun in ("half", "side", "end")
        return [f"{each} half" if halves and " " not in each and "-" not in each else f"{each} part" for each in named]
    return list(_PARTS.get(noun, _PARTS["quarter"]))
