"""A question cut into clauses that ask one thing each: "are there tanks, and if so how many?" has two."""

from __future__ import annotations

import re

from imagerag_assets.plans.clause import says_no
from imagerag_assets.plans.scene_parts import COMPASS, part_in
from imagerag_assets.plans.things import things_of

_STARTS = (
    r"(?:whether|(?:add|say|note|report) (?:if|whether)|how|where|whereabouts|what|which|would you|will you|(?:i |we )?(?:need|want|would like|like|have) to "
    r"(?:know|see|find|check|learn|establish|report)|is|are|was|were|does|do|did|can|could|has|have|if so|if yes|"
    r"(?:i|we) (?:also )?(?:need|want|require) (?:the|its|their|your)|say (?:where|how|what|which)|if there (?:are|is)|if you do|if not|count|show|find|list|describe|tell|give|point|mark|locate|name|also|compare|any|"
    r"number of|(?:in|on) (?:which|what)|highlight|the (?:number|count|total|place|position|location|whereabouts|colou?r)s? of|"
    r"(?:their|its) (?:number|colou?r|location|position|place|coordinate|shape|size|whereabout)s?)\b"
)
_COMMA = re.compile(rf"\s*[,;]\s*(?:and |but |or |so |then |plus )*(?={_STARTS})")
_AND = re.compile(
    rf"\s+(?:and|but|so|then|plus|as well as)\s*,?\s+(?:(?:also|then|additionally|in addition|finally|about|roughly),?\s+)?(?={_STARTS})"
)
_DIRECTION = rf"(?:{COMPASS}|left|right|top|bottom|upper|lower|middle|centre|center)"
_BUT_NO = re.compile(
    rf"\s*,?\s+(?:but|and|yet|though)(?: also)?\s+(?=(?:no|not|neither)\b(?! (?:only|just|one|near|close to|next to|beside|within|inside|"
    rf"along|far from|(?:those |the ones |ones )?(?:in|on|at|near|close to|next to) |(?:in|on|at) the {_DIRECTION})\b))"
)
"""Before what is said not to be there, beside what is: "are there tanks but no ships?"."""
_ELSEWHERE = re.compile(
    rf"(?<=\s)(?P<region>(?:in|on|at|to|towards) (?:the )?{_DIRECTION}(?:[ -]{_DIRECTION})?(?:[ -]hand)?"
    rf"(?: (?:part|half|third|quarter|quadrant|corner|side|end|edge)s?)?),?\s+(?:and|plus|or)\s+"
    rf"(?!(?:(?:in|on|at|to) )?(?:the )?{_DIRECTION}\b)"
)
"""Between two things that are each in a part of the scene: "is there a dam in the north and a mill in the south?"."""
_END = re.compile(rf"[?!.;]+(?:\s+|$)|\n+|\s[-–—]+\s(?={_STARTS})")
_COLON = re.compile(r":\s+")
_CONDITION = re.compile(
    r"^(?:if|should|in case|provided)(?: there)? (?:is|are|be|exists?|you (?:see|find|spot))(?: there)?(?: be)? "
    r"(?P<thing>(?!so\b)[^,]+?)\s*(?:,|\bthen\b)\s*(?:then )?(?=\S)"
)
_HELPS = (
    r"(?:tell|show|help|give|count|add|tot|tally|mark|direct|establish|assess|find|list|describe|point|locate|let|mark|highlight|say|check|explain|compare|look|"
    r"identify|summari[sz]e|take|figure|work|determine|estimate|get|ask|search|zoom|pinpoint|verify|confirm|"
    r"name|report|"
    r"measure|put|run|pick|bring|know)"
)
_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey|ok|okay|so|well|um|uh|please|pls|kindly|thanks|excuse me|sorry|actually|also|then|"
    r"now|and|or|just|if not|oh|hmm?|ah|why(?=,)|right(?=,)|listen|look(?=,)|first|secondly?|finally|additionally|besides|"
    r"good (?:morning|evening|day|afternoon)|quick question|there)\b(?! (?:is|are|was|were|might|may|must|"
    r"could|should|seems?|isn't|aren't|exists?)\b)[\s,!.]*)+"
)
_WRAPPED = re.compile(
    rf"^(?!(?:can|could|would) (?:i|we|one|anybody|someone) (?:find|spot|locate|see)\b)(?:(?:can|could|would|"
    rf"will|might) (?:you|we|i|someone|anybody)(?: please| kindly| maybe| perhaps| possibly| just)*"
    rf"(?: be so kind (?:as )?to)? (?={_HELPS}\b)"
    r"|would you mind (?:telling|showing|counting|giving|helping) (?:me |us )?"
    r"|(?:do|would|can) you (?:happen to )?know (?:if |whether )?|(?:do|would) you (?:think|reckon|believe|say)(?: that)? "
    r"|(?:i|we) (?:must|should) (?:know|say|tell|report|check|decide|establish)\s*(?:if |whether )?"
    r"|it (?:would|might) be (?:of interest|interesting|good|helpful|useful|nice|worth|important) to "
    r"(?:know|learn|ascertain|see|find out|establish|hear|have) (?:if |whether )?"
    r"|(?:i(?:'d| would| do)? |we(?:'d| would| do)? )?(?:really )?(?:like|love|want|need|wish|have) (?:you )?to (?:know|say|see|find out|learn|check|establish|report|"
    r"ask|hear)\s*(?:if |whether )?"
    r"|i(?:'m| am| was) (?:wondering|curious|looking for|interested in|trying to find|after)\s*(?:if |whether )?"
    r"|i(?:'d| would) like |i wonder (?:if |whether )?|let me know (?:if |whether )?"
    r"|(?:please )?(?:tell|let) (?:me|us) (?:know )?(?:if |whether )?|help me (?:to )?(?:find|see|count)?\s*"
    r"|(?:please )?(?:check|verify|confirm|determine|say|tell|find out|see|establish|assess|ascertain|state|report|judge|make sure) "
    r"(?:if|whether|for|that) "
    r"|i(?:'d| would| should) (?:be |feel )?(?:very |most )?(?:obliged|grateful|glad|happy|thankful|appreciate it|appreciate)"
    r"(?: knowing| to know)?(?: if (?:you|someone) (?:would|could))? (?:if |whether )?"
    r"|(?:before|since|as|because|while|after|when|so) (?:i|we|he|she|they|my \w+|our \w+) [^,?]*?,? "
    r"(?=(?:i|we)(?:'d| would)? (?:need|want|like|must|have to)\b|please\b|could you|can you|tell me|do you)"
    r"|is it (?:true|the case|right|correct|so|possible) (?:that )?|could it be (?:the case )?that "
    r"|am i (?:right|correct)(?: in (?:thinking|saying|assuming))? (?:that )?"
    r"|(?:it|this) (?:looks|seems|appears) (?:like |as if |to me )?(?:that )?"
    r"|i (?:think|believe|guess|suppose|assume|bet|hear|heard|doubt) (?:that )?"
    r"|(?:\w+ ){1,3}(?:will |would |may |might )?(?:claims?|says?|said|thinks?|believes?|told me|told us|swears?|insists?|reckons?) "
    r"(?:that )?(?=there|it|a |an |the |he|she|they|i )"
    r"|(?:\w+ ){1,3}(?:will |would |may |might )?(?:wants?|needs?|wish(?:es)?|asks?|asked|wonders?|wondered|demands?|requires?) "
    r"(?:me |us )?(?:to (?:know|learn|see|find out|be told) )?(?:whether |if |for |about )?(?=where|how|whether|which|what|there|the |a )"
    r"|for (?:the |my |our |an? |this )?(?:\w+[ -]){0,2}\w+,? (?=i |i'd|we |how |where |please |could |can )|(?:i|we) need |please )+"
)
_TAG_VERB = r"(?:is|are|was|were|has|have|does|do|did|can|could|will)"
_TAIL = re.compile(
    r"[\s,]*\b(?:(?:and )?(?:report|come|write|answer)?(?: back)? ?with (?:a )?yes or (?:a )?no|in sight|wouldn't you (?:say|think|agree)|don't you (?:think|agree)|or nah|agree or disagree|"
    r"for (?:my|our|his|her|their) [a-z' -]+|love|dear|mate|please|pls|thanks|thank you|for (?:me|us)|right now|at all|exactly|in total|altogether|"
    r"overall|roughly|"
    r"if possible|if you can|by any chance|in this \w+|in here|round here|around here|over there|out there|would you say|"
    r"do you think|in your opinion|or no|or not|yes or no|affirmative or negative|true or false|at the moment)\s*$|,\s*(?:right|correct|yes|"
    r"no|ok)\s*$"
    rf"|,\s*{_TAG_VERB}(?: ?n[o']t)? (?:it|there|they|that|you|we)(?: not)?\s*$|,\s*(?:isn't|aren't|hasn't|"
    rf"doesn't) (?:it|there|they)\s*$"
)
_LEADING = re.compile(
    r"^(?:as seen |seen |viewed |looking |starting |coming )?(?:from|relative to|compared (?:to|with)|of|out "
    r"of|among|between)\b(?!.*\b(?:is|are)\b)"
    r"|^(?:(?:let's |let us )?(?:say|suppose|imagine|assume) (?:that )?(?:i|we|you|someone)|"
    r"if (?:i|we|you|one|someone) (?:were|was|had|have|walk|go|went|stand|head|drive|start|travel|set|fly|look)\w*|"
    r"(?:standing|starting|walking|heading|going|coming|travell?ing|driving|setting off|flying|looking)\b)"
    r"|^(?:and )?(?:if (?:so|yes|any|it is|they are|you do|there (?:is|are)(?: any| some| one)?)|in that case)$"
)
_DOUBTS = re.compile(
    r"\b(?:if|whether|is it|am i|could it be|looks|seems|appears|think|believe|suppose|assume|claims|says|told)\b"
)
_ASKS = re.compile(rf"^(?:{_STARTS}|there\b|isn't|aren't|any\b|it\b|they\b|this\b|that\b)")
_SAID = re.compile(r"^(?P<name>(?:the|this|that|these|those|my|our) [a-z' -]+?) (?P<aux>is|are|was|were) (?P<rest>.+)$")
_ALIKE = re.compile(
    r"\bnumbers?\b.*\band\b.*\bnumbers?\b.*\b(?:same|equal|identical|alike|match)\b"
    r"|\b(?:difference|ratio) (?:between|of|in)\b.*\b(?:number|count|total)s?\b.*\band\b"
)
_NOTHING = frozenset(
    ("why", "well", "hm", "hmm", "so", "oh", "right", "ok", "okay", "hello", "hi", "what is it", "what is the answer")
)
_TAG_ONLY = re.compile(
    rf"^(?:{_TAG_VERB}(?:n't| not)? (?:it|there|they|that|you|we|i)(?: not| so| right| correct| true)?|right|"
    rf"correct|true|yes|no|yes or no|or not)$"
)


def clauses_of(text: str) -> tuple[str, ...]:
    """Return the clauses of a question in lower case, without polite words around them."""
    found: list[str] = []
    for sentence in (part for whole in _END.split(text) for part in _topic_apart(whole)):
        if _ALIKE.search(sentence):
            found.append(sentence)
            continue
        condition = _CONDITION.match(_bare(sentence))
        if condition is not None:
            found.append(f"are there {condition['thing']}")
            sentence = f"if so, {_bare(sentence)[condition.end() :]}"
        for part in _COMMA.split(sentence):
            found += [
                clause
                for piece in _AND.split(part)
                for place in _places_apart(piece)
                for clause in _denied_apart(place)
            ]
    bare = [clause for clause in map(_bare, _led(found)) if clause and clause not in _NOTHING]
    return tuple(clause for number, clause in enumerate(bare) if not number or not _TAG_ONLY.match(clause))


def _topic_apart(sentence: str) -> list[str]:
    """Cut "cranes: how many?" at its colon, but not "which of these is there: a dam or a lake?"."""
    before, *after = _COLON.split(sentence, maxsplit=1)
    return [before, *after] if after and things_of(before) else [sentence]


def _places_apart(clause: str) -> list[str]:
    """Cut "how many cars are in the east and boats in the west?" behind the first part of the scene."""
    found = _ELSEWHERE.search(clause)
    if found is None:
        return [clause]
    before, after = clause[: found.end("region")], clause[found.end() :]
    named = things_of(before[: found.start("region")]) and things_of(after)
    return [before, *_places_apart(after)] if named and part_in(after) is not None else [clause]


def _denied_apart(clause: str) -> list[str]:
    """Cut "are there tanks but no ships?" before what is denied; what is denied whole stays one clause."""
    before, *after = _BUT_NO.split(clause, maxsplit=1)
    return [before, *after] if after and not says_no(before) and things_of(before) else [clause]


def _led(clauses: list[str]) -> list[str]:
    """Join "from the pier," with what follows it."""
    joined: list[str] = []
    for clause in clauses:
        if joined and _LEADING.match(joined[-1].strip()):
            joined[-1] = f"{joined[-1]}, {clause}"
        else:
            joined.append(clause)
    return joined


def _stated(wrapped: re.Match[str] | None, text: str) -> str:
    """Take courtesies off; a statement whose truth is asked becomes a question: "is it true that a road runs here?"."""
    if wrapped is None:
        return text
    rest = text[wrapped.end() :]
    doubted = _DOUBTS.search(wrapped[0]) and not _ASKS.match(rest)
    if doubted and (said := _SAID.match(rest)) is not None:
        return f"{said['aux']} {said['name']} {said['rest']}"  # "is it true that the car park is full?"
    return f"is there {rest}" if doubted else rest


def _bare(clause: str) -> str:
    before = ""
    text = clause.strip(" ,;:-")
    while text != before:
        before = text
        text = _POLITE.sub("", text)
        text = _stated(_WRAPPED.match(text), text)
        text = _TAIL.sub("", text).strip(" ,;:-")
    return text or clause.strip(" ,;:-")
