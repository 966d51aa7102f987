"""Comparisons and places in other orders than `operations.py` reads, and what a question leaves out."""

from __future__ import annotations

import re

from imagerag_assets.plans.scene_parts import COMPASS

NAME = r"[a-z' -]+?"
"""The name of a thing, in lower case."""
_DIRECTION = rf"(?:{COMPASS}|left|right|top|bottom|upper|lower|middle|centre|center)"
REORDERED: tuple[tuple[str, str], ...] = (
    # Two that are compared, in other orders.
    (
        rf"^(?:is it|are (?:it|there)) (?P<one>(?:the )?{NAME}) or (?P<other>(?:the )?{NAME}) (?:that|which|who) "
        r"(?:is|are|has|have)(?: there)? (?P<rest>(?:the )?(?:more|most|fewer|less|rarer)\b[^?.!]*)",
        r"which are \g<rest>, \g<one> or \g<other>",
    ),
    (
        rf"^how (?:do|does) the numbers? of (?P<one>{NAME}) compare (?:to|with) (?:that|those|the numbers?) of "
        rf"(?P<other>{NAME})(?=[,.?;!]|$)",
        r"are there more \g<one> than \g<other>",
    ),
    (
        rf"^(?P<one>[a-z]{NAME}) minus (?P<other>{NAME})(?=\s*[=,.?;!]|$)",
        r"difference between the number of \g<one> and the number of \g<other>",
    ),
    (
        rf"\b(?P<one>{COMPASS}|left|right|above|below)(?: of)? (?P<to>the {NAME}),? or (?:rather )?(?:to the )?"
        rf"(?P<other>{COMPASS}|left|right|above|below)(?: of)? (?:it|them)\b",
        r"\g<one> or \g<other> of \g<to>",
    ),
    (
        rf"^(?P<be>is|are) there no (?P<one>{NAME}),? but (?:also |only |just )?(?P<other>(?:an?|some"
        rf"|any) {NAME})"
        r"(?=[,.?;!]|$)",
        r"\g<be> there no \g<one>? is there \g<other>",
    ),
    # A corner that is left out: all of them, and those in it.
    (
        rf"\bhow many (?P<thing>{NAME}) (?:(?:are|is|do|does|lie|lies)(?: not|n't)|outside(?: of)?)(?: lie| sit)? "
        rf"(?:located |situated )?(?P<part>(?:in |on |at )?the {_DIRECTION}[ -]{_DIRECTION}(?: (?:part"
        rf"|corner|quarter|quadrant))?)"
        r"(?=[,.?;!]|$)",
        r"how many \g<thing> are there? how many \g<thing> are there \g<part>",
    ),
)
"""Patterns of whole questions in lower case, with what they say plainly."""
_APART = re.compile(
    rf"^(?:apart from|besides|other than|except(?: for)?|aside from|in addition to|not counting|leaving aside) "
    rf"(?:the |an? |any )?{NAME}, (?=(?:is|are|do|does|can|how|where|what|which|any|list|show|count)\b)",
    re.IGNORECASE,
)
_EVERYTHING = re.compile(
    r"\b(?P<all>everything|anything|all (?:the )?(?:things|objects)|what is there) (?:except(?: for)?|but"
    r"|other than|apart from|"
    rf"besides|aside from) (?:the |an? |any )?{NAME}(?=[,.?;!]|$)",
    re.IGNORECASE,
)


def without_exceptions(text: str) -> str:
    """Return a question without what it leaves out: nothing that is asked depends on it ("besides the dam, ...")."""
    return _EVERYTHING.sub(r"\g<all>", _APART.sub("", text))
