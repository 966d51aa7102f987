"""Comparisons and places in other orders than `operations.py` reads."""

from __future__ import annotations

import re

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.scene_parts import COMPASS

NAME = r"[a-z' -]+?"
"""The name of a thing, in lower case."""
_DIRECTION = rf"(?:{COMPASS}|left|right|top|bottom|upper|lower|middle|centre|center)"
_COLOURS = "|".join(sorted(lexicon.COLOURS, key=len, reverse=True))
_PICTURE = r"(?:this|it|that|the (?:image|picture|photo|scene|view|area|place|map|region))"
_OVER_ALL = {
    "clouds": "cloudy|overcast",
    "fog": "foggy|misty|hazy",
    "smoke": "smoky",
    "flooding": "flooded|under water|inundated",
    "snow": "snowy|snow-covered|covered in snow",
    "forest": "forested|wooded",
}
"""What there is, by how people say that a picture is."""
REORDERED: tuple[tuple[str, str], ...] = (
    # A colour behind its thing.
    (
        rf"^how many (?:of (?:the|these|those|all)(?: the)? )?(?P<thing>{NAME}) (?:are|is|look|appear) "
        rf"(?:painted |coloured |colored )?(?P<colour>{_COLOURS})(?=[,.?;!]|$)",
        r"how many \g<colour> \g<thing> are there",
    ),
    # All or most of them are somewhere: so many of so many.
    (
        rf"^(?:are|do|is|does) (?:all|most|both|each|every one)(?: of)? (?:the |these |those |our )?(?P<thing>{NAME}) "
        r"(?:lie |sit |stand |located |situated |found |parked |moored )?"
        r"(?P<place>(?:in|on|at|near|within|along|inside|outside|next to|close to|north|south|east|west) [^?.!,;]+)",
        r"how many \g<thing> are there \g<place>? how many \g<thing> are there",
    ),
    (
        rf"^are (?:the |these |those )(?P<thing>{NAME}) (?:all|mostly|mainly) "
        r"(?P<place>(?:in|on|at|near|within|along|inside|outside|next to|close to) [^?.!,;]+)",
        r"how many \g<thing> are there \g<place>? how many \g<thing> are there",
    ),
    (r"\b(?:on|along|at|to) (?:both|either|each) sides? of\b", "along"),
    # What a picture is like.
    *(
        (
            rf"^is {_PICTURE} (?:very |too |partly |mostly |quite |at all )?(?:{words})(?: at all)?(?=[,.?;!]|$)",
            f"is there any {thing}",
        )
        for thing, words in _OVER_ALL.items()
    ),
    (
        rf"^is {_PICTURE} (?:more of )?an? (?:rural|urban|suburban|natural|built-up|developed|"
        r"coastal|inland|remote|populated)(?:,? or (?:more of )?(?:an? )?[a-z-]+)(?: [a-z]+)?\W*$",
        "describe this place",
    ),
    (
        rf"^is there (?:more|less) (?P<thing>{NAME}) than (?:dry )?(?:land|ground)(?=[,.?;!]|$)",
        r"what share of the ground is \g<thing>",
    ),
    # The nearest one to the person who asks, who is nowhere in the picture.
    (
        rf"^(?:what|which)(?:'s| is) the (?:nearest|closest) (?!.*\b(?:to|of|from|or)\b)(?P<thing>{NAME})(?=[.?!]|$)",
        r"where is the \g<thing>",
    ),
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
_ANY = r"(?: (?:thing|object|feature|item|structure|one)s?)"
_NEAREST = re.compile(
    rf"^(?:(?:name|find|show|give|tell)(?: me| us)? )?"
    rf"(?:(?:what|which){_ANY}?(?:'s| is| are| lies?| sits?| stands?)? )?"
    rf"(?:the(?:{_ANY}(?: (?:that|which) (?:is|lies))?)? )?(?:the )?"
    rf"(?:nearest|closest|(?P<far>farthest|furthest|most distant)){_ANY}?(?: away)?"
    rf"(?:(?: (?:to|of|from) |(?= the ) ?)(?P<to>(?:(?:the|an?|this|that) )?{NAME}))?\W*$",
    re.IGNORECASE,
)


def nearest_of_all(text: str) -> tuple[str | None, str | None] | None:
    """Read a question for the nearest of all things, "what is closest to the river?"; None: it is another one.

    Returns:
        What it is near to, if that is said, and a question that can be answered, "what is there near the river?"; None
        in place of this where the farthest is asked, or nothing is said that it is near to.
    """
    found = _NEAREST.match(text)
    if found is None or any(word in (found["to"] or "").lower().split() for word in ("to", "or", "than", "from")):
        return None
    to = found["to"]
    return to, None if found["far"] or not to else f"What is there near {to}?"
