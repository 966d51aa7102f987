"""Roundabout ways of asking, said as the plain questions that `operations.py` reads."""

from __future__ import annotations

import re

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.reordering import NAME as _NAME
from imagerag_assets.plans.reordering import REORDERED
from imagerag_assets.plans.scene_parts import COMPASS
from imagerag_assets.plans.things import is_known, things_of

_DIRECTION = rf"(?:{COMPASS}|left|right|top|bottom|upper|lower|middle|centre|center)"
_SIDE = (
    rf"(?:in |on |at |to |towards )?(?:the )?{_DIRECTION}(?:[ -]{_DIRECTION})?(?:[ -]hand)?"
    r"(?: (?:part|half|third|quarter|quadrant|corner|side|end|edge))?"
)
_DIGITS = rf"(?:\d+|{'|'.join(sorted(lexicon.NUMBERS, key=len, reverse=True))}|a dozen)"
_NUMBER = f"(?:(?:exactly|precisely|about|around|roughly|only|just|a total of) )?{_DIGITS}"
_HALF = (
    r"(?:in |on |at )?(?:the )?(?P<{name}>north(?:ern)?|south(?:ern)?|east(?:ern)?|west(?:ern)?|left|right|top|"
    r"bottom|upper|lower)(?:[ -]hand)?(?P<{name}_noun> (?:half|side|part|end))?"
)
_HALVES = f"{_HALF.format(name='one')} (?:or|and|than|versus|vs|against) {_HALF.format(name='other')}"
_ASKS = re.compile(
    r"\b(?:how|where|what|which|who|show|find|count|list|describe|tell|whether|if|is|are|any|does|do|can|say|mark|"
    r"point)\b"
)
_OF_HALVES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:(?:is|are) there|there (?:is|are)) (?:more|fewer|less) (?P<thing>{_NAME}),? {_HALVES}",
        r"\b(?:which|what) (?:half|side|part|end)(?: of \w+ \w+)? (?:has|have|holds?|contains?|shows?) (?:the "
        rf")?(?:more|most|fewer|fewest) (?P<thing>{_NAME})[,:–-]+ *{_HALVES}",
        rf"\b(?:which|what) (?:half|side|part|end)[,:–-]* *{_HALVES}[,:–-]* *(?:has|have|holds?|contains?|shows?) "
        r"(?:the )?(?:more|most|fewer|fewest) (?P<thing>[a-z' -]+)",
        rf"^{_HALVES},? (?:where|which) (?:is|are|has|have)(?: there)? (?:more|most|fewer) (?P<thing>[a-z' -]+)",
        rf"\b(?:where|which) (?:is|are)(?: there)? (?:more|most|fewer) (?P<thing>{_NAME})[,:]? {_HALVES}",
    )
)
_GAP = re.compile(
    rf"(?:_{{2,}}|\[ *\]) (?!(?:part|half|corner|side|quarter|edge|end|of)\b)(?P<thing>{_NAME})(?=[\"'.,;?!_]|$| "
    r"(?:and|or|in|on|at|near|by|with)\b)"
)
_SAID = (
    r"(?:says?|said|names?|named|counts?|counted|reports?|reported|reckons?|lists?|shows|showed|claims?|claimed|"
    r"mentions?|mentioned|gives?|gave|records?|recorded|has|had|makes it|made it|found|finds?|saw|sees)"
)
_IS_THAT_SO = (
    r"(?:is (?:that|this|it) (?:also )?(?:the|your) (?:figure|number|count|total|result)\b[^?]*|(?:do|would|can|"
    r"could) you (?:agree|confirm|back me up|get the same|find the same|verify)\b[^?]*|does (?:that|it|this) "
    r"(?:match|agree|tally|hold|fit)\b[^?]*|please (?:verify|confirm|check)|could (?:that|this) be true|is "
    r"(?:this|that|it) so|(?:and )?(?:is|was|are|were|am|does|did) (?:that|this|it|he|she|they|i|we|(?:the|my|"
    r"our) \w+)(?: \w+)? (?:right|correct|true|accurate|so|wrong|agree|match)\b[^?]*|did (?:he|she|they|i|we) "
    r"(?:get|count) (?:it |that |them |this )?(?:right|correctly|wrong)|right|correct|true)"
)
_CLAIM = (
    r"(?:\w+ ){1,4}(?:(?:says?|said|insists?|insisted|swears?|swore|claims?|claimed|believes?|thinks?|reckons?|"
    r"maintains?|is sure|are sure|am sure|told (?:me|us))(?: that)? (?:(?:he|she|they|we|i|it) )?)?(?:(?:have |"
    r"has |had )?(?:found|seen|spotted|noticed|recognised|recognized|made out|saw)|there (?:is|are|was|were)|it "
    r"(?:has|shows|contains)|(?:can|could) (?:see|make out|spot))"
)
_SEVERAL = r"(?:are there |is it )?(?:several|many|more|two|a few|multiple|a number)\b(?: of them)?"
_LARGER = r"(?P<larger>larger|bigger|smaller|wider|greater)"
_WAY = (
    r"(?:if (?:i|we|you|one) )?(?:went|go|walk(?:ed)?|head(?:ed)?|drove|drive|travell?(?:ed)?|set off|sail(?:ed)?|"
    r"flew|fly|going|walking|heading|driving|travelling|sailing|flying) (?:due |straight |directly )?"
)
_REACH = (
    r"(?:would|will|do|should|shall|can|could) (?:i|we|you|one) (?:come (?:to|across|upon)|reach|arrive at|get to|"
    r"end up at|hit|find|meet|run into)"
)
_SUBJECT = re.compile(
    r"^(?:regarding|concerning|as for|as to|re:|with (?:regard|respect|reference) to|when it comes to|speaking of|"
    r"on the (?:subject|topic|matter) of|in the matter of),? "
)
_TALLY = re.compile(
    r"\b(?:the|a|your|our|my) (?P<thing>(?:(?!(?:and|or|of|in|on|at|to|is|are|for|with|their|its)\b)[a-z'-]+ "
    r"){1,3})(?:tally|count|total|headcount|numbers?|figures?)\b(?! (?:of|for|on|\d))"
)
_SOON = (
    r"(?:in|within|by|before|at|until|for) (?:about |the )?(?:\d+|an?|one|two|three|four|five|ten|fifteen|twenty|"
    r"thirty|half|noon|lunch|tea|dinner|tonight|tomorrow|today|monday|tuesday|wednesday|thursday|friday|saturday|"
    r"sunday|midday|midnight|morning|evening|deadline)\b"
)
_CHATTER = re.compile(
    rf"(?:[,;.!]|\s[-–—]|\sand)\s+(?P<tail>(?:[^?,;.!]*\b{_SOON}[^?,;.!]*|(?:i|i'm|i've|i'll|my|we|we're|our|it's|"
    r"it is)\b[^?,;]*)[.!]*)$"
)
"""A remark behind the question: "..., my train leaves in ten minutes"."""
_SCENES = r"(?:scene|image|picture|photo|photograph|place|tile|chip)s?"
_PLAINLY = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        *REORDERED,
        (
            r"^(?:is|are|can (?:you|we|i) see) (?:any(?:one|body)|some(?:one|body)) (?=[a-z]+ing\b)",
            "is there a person ",
        ),
        (
            r"^what (?:surrounds|borders|encircles|adjoins|flanks|lines) (?=(?:the|this|that|these|our|my)\b)",
            "what is around ",
        ),
        # Scenes that are counted or ranked: the answer names each with its number.
        (
            rf"\bhow many (?:of the |of these |different )?{_SCENES} (?:are there )?(?:have|has|show|contain|"
            r"include|with|feature|depict|that (?:have|show|contain))(?: at least one| an?| any| the| some)? ",
            "which scenes show a ",
        ),
        (
            rf"^(?:which|what)(?: one)?(?: of (?:the|these|those|all))? {_SCENES} (?:has|have|shows?|contains?) "
            rf"(?:the )?most (?P<thing>{_NAME})(?=[,.?;!]|$)",
            r"how many \g<thing> are there",
        ),
        # What is missing of a list.
        (
            r"^(?P<which>all|everything) but (?:one|two|1|2) of (?:these|them|the following) (?:are|is) "
            r"(?:there|present|visible)"
            r"\s*[:,]\s*(?P<names>[a-z' ,-]+)[.;]\s*(?:and )?(?:which|what|name)\b[^?]*",
            r"which of these is missing: \g<names>",
        ),
        (r",? or at (?:the very )?least (?=an?\b|the\b|some\b)", " or "),
        (
            rf"\b(?P<one>numbers? of {_NAME}) (?:minus|less) (?P<other>(?:the )?numbers? of {_NAME})(?=[,.?;!]|$)",
            r"difference between the \g<one> and the \g<other>",
        ),
        # One thing between two others.
        (
            rf"^(?P<be>is|are|does|do) (?P<thing>(?:the |an? )?{_NAME}) (?:lie |sit )?(?P<how>closer|nearer) "
            rf"to (?P<one>(?:the |an? )?{_NAME}),? "
            rf"or (?:to )?(?P<other>(?:the |an? )?{_NAME})(?=[,.?;!]|$)",
            r"\g<be> \g<thing> \g<how> to \g<one> than to \g<other>",
        ),
        (
            r"^what(?:'s| is| are| lies?| sits?| stands?| can be (?:seen|found)| do (?:we|you|i) (?:find|see|have))? "
            r"(?:immediately |directly |just |right |due |straight |located |situated )*(?=(?:to the "
            r")?(?:north|south|east|west|left|right|"
            r"above|below|beside|next to|near|around|between)\b)(?!(?:of|right|left|side)\b$)",
            "what is there ",
        ),
        # Agreement with what was said before.
        (
            r"[.;,!?]?(?<![a-z])\s*(?:(?:please )?correct me if i am wrong|(?:or )?am i (?:wrong|mistaken|right|"
            r"correct)|(?:do you )?agreed?|true or false)\s*[?.!]*$",
            "?",
        ),
        (
            rf"^(?:is|are|does|do) (?P<thing>the {_NAME}) (?:lie |sit |located |situated |more )?(?=in |on |at |to )"
            rf"{_SIDE}(?:,? or {_SIDE})+\W*$",
            r"where is \g<thing>?",
        ),
        (r"^not one (?=[a-z' -]+? (?:to be (?:seen|found)|in sight|visible|anywhere)\W*$)", "is there no "),
        # A doubt of one's own eyes.
        (
            r",? or (?:(?:is|are|do|does) (?:my|our) \w+ (?:playing|deceiv|fool|trick|fail)\w*|"
            r"am i (?:imagining|dreaming|blind|seeing things))\b[^?.!]*",
            "",
        ),
        # Politeness that denies nothing.
        (
            r"^(?:so )?(?:you|we) (?:would|could|do|did|can)(?: not|n't)? (?:happen to |by any chance |possibly )?"
            r"(?=(?:see|spot|find|notice|know of|have)\b.*\b(?:would|could|do|did|can) (?:you|we)\b\W*$)",
            "do you ",
        ),
        (r"^do(?:n't| not) (?:you|we) (?=(?:see|spot|find|notice|have)\b)", "do you "),
        (r"\bcan be (?:seen|found|spotted|made out) (?=(?:some|any|an?|several|many)\b)", "are there "),
        (r"\binferior (?=half|part|side)", "lower "),
        (r"\bsuperior (?=half|part|side)", "upper "),
        (
            r"^(?:so )?(?:(?:is|are) (?:it|this|that|there) )?(?:just |only )?(?:one|an?|a single|single) "
            rf"(?P<thing>{_NAME}),? or {_SEVERAL}",
            r"how many \g<thing> are there",
        ),
        # A number that somebody gives.
        (
            rf"^(?:\w+ ){{1,4}}{_SAID}(?: that there (?:are|were|is))? (?P<number>{_NUMBER} {_NAME})[.,;:!]+ "
            rf"*{_IS_THAT_SO}\W*$",
            r"are there exactly \g<number>?",
        ),
        (
            rf"^(?:please )?(?:verify|confirm|check)(?: that there (?:are|is))?:? (?P<number>(?!one ){_NUMBER} "
            rf"{_NAME})\W*$",
            r"are there exactly \g<number>?",
        ),
        (
            rf"^(?!(?:if|when|how|where|what|which|is|are|do|does|did|has|have|can|could)\b){_CLAIM} "
            rf"(?P<thing>(?:an?|some|any|no|the) {_NAME}|{_NAME}s)[.,;:!]+ *{_IS_THAT_SO}\W*$",
            r"is there \g<thing>?",
        ),
        (rf"^(?P<thing>[a-z]{_NAME}) ?(?:>=|≥|=>) ?(?P<number>\d+)", r"are there at least \g<number> \g<thing>"),
        (rf"^(?P<thing>[a-z]{_NAME}) ?(?:<=|≤|=<) ?(?P<number>\d+)", r"are there at most \g<number> \g<thing>"),
        (rf"^(?P<thing>[a-z]{_NAME}) ?={{1,2}} ?(?P<number>\d+)", r"are there exactly \g<number> \g<thing>"),
        (rf"^(?P<thing>[a-z]{_NAME}) ?> ?(?P<number>\d+)", r"are there more than \g<number> \g<thing>"),
        (rf"^(?P<thing>[a-z]{_NAME}) ?< ?(?P<number>\d+)", r"are there fewer than \g<number> \g<thing>"),
        (
            rf"^(?P<thing>[a-z]{_NAME})\s*(?::|,|\s[-–])\s*(?:are there )?(?P<number>(?:more than|fewer than"
            rf"|less than|over|under|at least|at most|"
            rf"exactly|up to) {_DIGITS})(?: of them)?(?:,? or not| or (?:fewer|less|more))?\W*$",
            r"are there \g<number> \g<thing>?",
        ),
        # A region that is said by what it is not.
        *(
            (
                rf"(?P<of>\b(?:how many|number of|count|show|find|list|mark|which|any) [a-z' -]+?) (?:(?:that"
                rf"|which) )?(?:(?:is|are|lie|lies) )?"
                rf"(?:not|outside(?: of)?) (?:located |situated )?(?:in |on |at )?the {words}(?P<noun> (?:half"
                rf"|part|side|end)|(?=[,.?;!]|$))",
                rf"\g<of> in the {opposite}\g<noun>",
            )
            for words, opposite in (
                ("(?:upper|top)", "lower"),
                ("(?:lower|bottom)", "upper"),
                ("left(?:[ -]hand)?", "right"),
                ("right(?:[ -]hand)?", "left"),
                ("north(?:ern)?", "south"),
                ("south(?:ern)?", "north"),
                ("east(?:ern)?", "west"),
                ("west(?:ern)?", "east"),
            )
        ),
        (
            r",? or (?:just |else |otherwise )?(?:say|tell me|state|report|write) (?:that |if )?(?:it|there"
            r"|they|none|no)\b[^?.]*",
            "",
        ),
        (
            r"^is it (?:wrong|false|incorrect|untrue|a mistake) (?:to say |to claim |to think |that )+(?=there|the|it)",
            "is it true that ",
        ),
        (
            r"^(?P<be>is|are) (?P<share>(?:more|less) than (?:a |one )?(?:half|third|quarter)|most|half) of "
            r"(?:the |this )?"
            rf"(?:scene|image|picture|area|land|ground|map) (?P<thing>{_NAME})(?=[?.!]|$)",
            r"how much of the scene is covered by \g<thing>",
        ),
        (rf"(?<=[a-z])[.;,!?:]+ *{_IS_THAT_SO}\W*$", "?"),
        (
            rf"^(?P<name>the {_NAME}) (?P<aux>is|are) (?P<rest>(?!(?:what|where|which|how)\b)[^,.;?]+)\?$",
            r"\g<aux> \g<name> \g<rest>?",
        ),
        # Parts of a sentence that ask nothing.
        (
            r",? *\b(?:no need for|never mind|nothing (?:else|more|fancy)|no (?:rush|hurry|worries|"
            r"pressure))\b[^,.?!;]*",
            "",
        ),
        (r"^re:? (?:[a-z]+ )?(?:no\.? ?|number )?[#a-z]*\d[\w/-]*\s*[,:;–-]+\s*", ""),
        (r"\bin the (?:immediate|close|near|direct) vicinity of\b", "in the vicinity of"),
        (
            rf"\b(?:on|to|at|in) (?P<thing>the {_NAME})'s (?P<side>{COMPASS}|left|right)(?:[ -]hand)?(?: side| end|"
            r" edge)?\b",
            r"to the \g<side> of \g<thing>",
        ),
        (
            rf"^(?P<thing>{_NAME})'s (?=above|below|under|near|beside|inside|to the|{COMPASS}|left|right)",
            r"is \g<thing> ",
        ),
        (rf"^(?P<thing>the {_NAME}) it (?P<verb>is|are) (?:inside|outside|within) of ", r"\g<verb> \g<thing> inside "),
        (rf"^(?P<thing>the {_NAME}) it (?P<verb>is|are) ", r"\g<verb> \g<thing> "),
        (r"\s(?:did|didn't|did not|have|haven't|has) (?:they|he|she|you|we)\W*$", ""),
        (
            r"^(?:they|he|she|we|you|someone|somebody) (?:did not|have not|has not|never|had not) (?:put|built?|"
            r"place[d]?|lay|laid|ma[dk]e|add(?:ed)?|install(?:ed)?|construct(?:ed)?) (?:up )?(?:an?|any) ",
            "is there no ",
        ),
        (
            r"\b(?:this|the|our|my|that) (?:town|village|city|neighbou?rhood|district|parish|suburb|spot|locality|"
            r"settlement|island|place|area) (?:lacks|does without|is without|goes without|has no|misses|is "
            r"lacking)\b",
            "there is no",
        ),
        (r"\b(?:pixel|grid|map|gps|geographic|lat[ /-]lon) (?=(?:coordinate|location|position|reference)s?\b)", ""),
        (r"\blocus\b", "location"),
        (
            r"^(?:(?:give|show|tell|get|return|draw|print)(?: me| us)? )?(?:the |an? )?(?:bounding )?"
            r"(?:box|rectangle|polygon|outline)(?:e?s)? (?:for|of|around) ",
            "mark ",
        ),
        (r"\b(?:any |some )?(?:signs?|traces?|evidence|indications?) of (?=(?:an? )?[a-z])", ""),
        (r",? (?:only |just )?in (?:that|this|which) (?:event|case|instance)\b,?(?! (?:is|are|how)\b)", ", if so,"),
        # The thing first, what is asked behind it.
        (
            rf"^(?P<thing>{_NAME})\s*[:,–-]+ *(?:present|there|visible)\s*(?:/|or|,)\s*(?:absent|not(?: there)?|"
            r"missing)?\W*$",
            r"is there \g<thing>?",
        ),
        (
            rf"^(?P<thing>{_NAME})\s*[-–:,]+ (?:quantity|number|count)s? (?:plus|and|&|\+) (?:location|position|"
            r"place|whereabout)s?\W*$",
            r"how many \g<thing>? where are the \g<thing>?",
        ),
        (
            rf"^(?P<thing>{_NAME})\s+[-–:]+ (?:please )?(?:give me|let me have|i need|we need|need)? ?(?:an?|the|"
            r"your) (?:head ?count|count|tally|total|number|figure)\b[^?]*",
            r"how many \g<thing>?",
        ),
        (
            r"^(?:(?:(?:in|on|at) )?(?:the )?(?:upper|lower|top|bottom|left|right|middle|centre|center|north|"
            rf"south|east|west)(?:, (?:or )?| or |\?)){{2,}} *(?P<thing>the {_NAME})[,.?!]*(?: i mean)?\W*$",
            r"where is \g<thing>?",
        ),
        (
            rf"^(?P<thing>the {_NAME}) (?:is|are|lies?) (?:located |situated |found )?(?:in|on|at|to) the "
            r"(?:_{2,}|\[ *\]) (?:part|half|corner|side|quarter|edge|end)\b.*",
            r"where is \g<thing>?",
        ),
        # Two that are compared.
        (
            rf"^(?P<one>{_NAME}) or (?P<other>{_NAME})[,:–-]+ (?:which|what|who)(?: crowd| group| bunch| lot| kind|"
            r" of them| one)? (?:is|are|has|have|makes up)(?: the)? (?:bigger|larger|greater|more numerous|in the "
            r"majority|more|majority)\b(?! (?:area|ground|land|surface|space))(?: (?:crowd|group|bunch|lot|number|"
            r"of))?",
            r"are there more \g<one> than \g<other>",
        ),
        (
            rf"^(?:is|are) (?P<one>{_NAME}) in the majority,? (?:when )?(?:compared (?:with|to)|over|against) "
            rf"(?P<other>{_NAME})(?=[,.?;!]|$)",
            r"are there more \g<one> than \g<other>",
        ),
        (
            rf"^(?:between|of) (?P<one>the {_NAME}) and (?P<other>the {_NAME}),? which(?: one| of them)? "
            r"(?P<rest>[^?]+)",
            r"which \g<rest>, \g<one> or \g<other>",
        ),
        (
            rf"^(?:between|of) (?P<one>{_NAME}) and (?P<other>{_NAME}), the (?:latter|second) (?:is|are) (?:the "
            r")?more (?:numerous|common|frequent)",
            r"are there more \g<other> than \g<one>",
        ),
        (
            rf"^(?:between|of) (?P<one>{_NAME}) and (?P<other>{_NAME}), the (?:former|first) (?:is|are) (?:the "
            r")?more (?:numerous|common|frequent)",
            r"are there more \g<one> than \g<other>",
        ),
        (
            rf"\b(?P<one>(?:the )?{_NAME}) (?:are|is) not (?:so|as|quite as) (?:many|numerous|common) as "
            rf"(?P<other>(?:the )?{_NAME})(?=[,.?;!]|$)",
            r"are there fewer \g<one> than \g<other>",
        ),
        # One thing seen from another.
        (
            rf"^(?:has|have|does|do) (?P<one>the {_NAME}) (?:got|have) (?P<other>(?:the|an?|any) {_NAME}) (?:on|to|"
            rf"at|in) (?:its|their) (?P<side>{COMPASS}|left|right)(?:[ -]hand)?(?: side)?",
            r"is \g<other> \g<side> of \g<one>",
        ),
        (
            rf"^(?P<way>{COMPASS}|left|right)(?:wards?)?(?: side)? of (?P<to>(?:the|an?) {_NAME}),? (?:sits?|lies?|"
            r"is|are|stands?|there is|there are|we find|you find|you have) (?P<thing>(?:the|an?|some) "
            rf"{_NAME})(?=[,.?;!]|$)",
            r"is \g<thing> \g<way> of \g<to>",
        ),
        (
            rf"\bwhose (?:footprint|area|extent|size|ground|surface) is {_LARGER}[,:]? (?P<one>the "
            rf"{_NAME})(?:'s?)? or (?P<other>the {_NAME})(?:'s?)?(?=[?.]|$)",
            r"which is \g<larger>, \g<one> or \g<other>",
        ),
        (
            rf"^(?:if (?:you|we|i|one) )?(?:set|put|place|lay|hold|compare)d? (?P<one>the {_NAME}) (?:beside|"
            rf"against|next to|alongside|with|by|and) (?P<other>the {_NAME})[,:] *(?:which|what)(?: one| of (?:the "
            rf"two|them))? (?:would be|is|comes? out|would come out)(?: the)? {_LARGER}",
            r"which is \g<larger>, \g<one> or \g<other>",
        ),
        (
            rf"^(?:is|are) the numbers? of (?P<one>{_NAME}) and (?:the numbers? of )?(?P<other>{_NAME}) (?:the "
            r"same|equal|identical|alike)",
            r"are there as many \g<one> as \g<other>",
        ),
        (
            rf"\bis there an? (?:even|equal|fair) (?:split|balance|division|mix) (?:between|of) (?P<one>{_NAME}) "
            rf"and (?P<other>{_NAME})(?:[,.?;].*|$)",
            r"is there as much \g<one> as \g<other>?",
        ),
        (
            rf"^{_WAY}(?P<way>{COMPASS})(?:wards?)? (?:from|of|out of) (?P<start>the {_NAME}), {_REACH} "
            r"(?P<goal>[a-z' -]+)",
            r"is \g<goal> \g<way> of \g<start>",
        ),
    )
)


def plain_questions(text: str) -> str:
    """Return a whole question in lower case with its roundabout parts said plainly.

    "My map says six bridges. Is that right?" becomes "are there exactly six bridges?", and a comparison of two halves
    of the picture a number for each.
    """
    text = _SUBJECT.sub("", text)
    remark = _CHATTER.search(text)
    if remark is not None and not _says_more(remark["tail"]) and any(map(is_known, things_of(text[: remark.start()]))):
        text = text[: remark.start()]
    text = _TALLY.sub(_number_of, text)
    for pattern in _OF_HALVES:
        if (found := pattern.search(text)) is not None and things_of(found["thing"]):
            halves = [f"in the {found[name]}{found[f'{name}_noun'] or ' half'}" for name in ("one", "other")]
            return " ".join(f"how many {found['thing']} are there {half}?" for half in halves)
    gaps = list(_GAP.finditer(text))
    if len(gaps) == 1 and text.startswith(("in ", "on ", "at ")):  # "in the south there are ___ cars"
        return f"{text[: gaps[0].start()]}how many {text[gaps[0].start('thing') :]}"
    if gaps:  # "my form says ___ cars"
        return " ".join(f"how many {found['thing']}?" for found in gaps)
    for pattern, plain in _PLAINLY:
        text = pattern.sub(plain, text)
    return text


def _says_more(text: str) -> bool:
    """Return whether a remark names something that can be seen, or asks."""
    return any(map(is_known, things_of(text))) or _ASKS.search(text) is not None


def _number_of(found: re.Match[str]) -> str:
    known = any(map(is_known, things_of(found["thing"])))
    return f"the number of {found['thing'].strip()}" if known else found[0]
