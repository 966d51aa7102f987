"""A question cut into clauses that ask one thing each: "are there tanks, and if so how many?" has two."""

from __future__ import annotations

import re

from imagerag_assets.plans.things import things_of

_STARTS = (
    r"(?:how|where|whereabouts|what|which|is|are|was|were|does|do|did|can|could|has|have|if so|if yes|"
    r"if there (?:are|is)|if you do|count|show|find|list|describe|tell|give|point|mark|locate|name|also|compare|any|"
    r"number of|(?:in|on) (?:which|what)|highlight|their (?:number|colou?r)s?)\b"
)
_COMMA = re.compile(rf"\s*[,;]\s*(?:and |but |or |then |plus )?(?={_STARTS})")
_AND = re.compile(rf"\s+(?:and|but|then|plus|as well as)\s*,?\s+(?:also\s+|then\s+)?(?={_STARTS})")
_END = re.compile(rf"[?!.;]+(?:\s+|$)|\n+|\s[-–—]+\s(?={_STARTS})")
_COLON = re.compile(r":\s+")
_CONDITION = re.compile(
    r"^(?:if|should|in case|provided)(?: there)? (?:is|are|be|exists?|you (?:see|find|spot))(?: there)?(?: be)? "
    r"(?P<thing>(?!so\b)[^,]+?)\s*(?:,|\bthen\b)\s*(?:then )?(?=\S)"
)
_HELPS = (
    r"(?:tell|show|help|give|count|find|list|describe|point|locate|let|mark|highlight|say|check|explain|compare|look|"
    r"identify|summari[sz]e|take|figure|work|determine|estimate|get|ask|search|zoom|pinpoint|verify|confirm|"
    r"name|report|"
    r"measure|put|run|pick|bring|know)"
)
_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey|ok|okay|so|well|um|uh|please|pls|kindly|thanks|excuse me|sorry|actually|also|then|"
    r"now|and|or|just|"
    r"good (?:morning|evening|day|afternoon)|quick question|there)\b(?! (?:is|are|was|were|might|may|must|"
    r"could|should|seems?|isn't|aren't|exists?)\b)[\s,!.]*)+"
)
_WRAPPED = re.compile(
    rf"^(?!(?:can|could|would) (?:i|we|one|anybody|someone) (?:find|spot|locate|see)\b)(?:(?:can|could|would|"
    rf"will|might) (?:you|we|i|someone|anybody)(?: please| kindly| maybe| perhaps| just)*"
    rf"(?: be so kind (?:as )?to)? (?={_HELPS}\b)"
    r"|would you mind (?:telling|showing|counting|giving|helping) (?:me |us )?"
    r"|(?:do|would|can) you (?:happen to )?know (?:if |whether )?|do you (?:think|reckon|believe)(?: that)? "
    r"|i(?:'d| would| do)? (?:really )?(?:like|love|want|need|wish) (?:you )?to (?:know|see|find out|learn|"
    r"ask|hear)\s*(?:if |whether )?"
    r"|i(?:'m| am| was) (?:wondering|curious|looking for|interested in|trying to find|after)\s*(?:if |whether )?"
    r"|i(?:'d| would) like |i wonder (?:if |whether )?|let me know (?:if |whether )?"
    r"|(?:please )?(?:tell|let) (?:me|us) (?:know )?(?:if |whether )?|help me (?:to )?(?:find|see|count)?\s*"
    r"|(?:please )?(?:check|verify|confirm|determine|say|find out|see) (?:if|whether|for|that) "
    r"|is it (?:true|the case|right|correct|so|possible) (?:that )?|could it be (?:the case )?that "
    r"|am i (?:right|correct)(?: in (?:thinking|saying|assuming))? (?:that )?"
    r"|(?:it|this) (?:looks|seems|appears) (?:like |as if |to me )?(?:that )?"
    r"|i (?:think|believe|guess|suppose|assume|bet|hear|heard|doubt) (?:that )?"
    r"|\w+(?: \w+)? (?:claims|says|thinks|believes|told me) (?:that )?|please )+"
)
_TAG_VERB = r"(?:is|are|was|were|has|have|does|do|did|can|could|will)"
_TAIL = re.compile(
    r"[\s,]*\b(?:please|pls|thanks|thank you|for (?:me|us)|right now|at all|exactly|in total|altogether|"
    r"overall|roughly|"
    r"if possible|if you can|by any chance|in this \w+|in here|around here|over there|out there|would you say|"
    r"do you think|in your opinion|or not|yes or no|true or false|at the moment)\s*$|,\s*(?:right|correct|yes|"
    r"no|ok)\s*$"
    rf"|,\s*{_TAG_VERB}(?: ?n[o']t)? (?:it|there|they|that|you)(?: not)?\s*$|,\s*(?:isn't|aren't|hasn't|"
    rf"doesn't) (?:it|there|they)\s*$"
)
_LEADING = re.compile(
    r"^(?:as seen |seen |viewed |looking |starting |coming )?(?:from|relative to|compared (?:to|with)|of|out "
    r"of|among|between)\b(?!.*\b(?:is|are)\b)"
    r"|^(?:and )?(?:if (?:so|yes|any|it is|they are|you do|there (?:is|are)(?: any| some| one)?)|in that case)$"
)
_DOUBTS = re.compile(
    r"\b(?:if|whether|is it|am i|could it be|looks|seems|appears|think|believe|suppose|assume|claims|says|told)\b"
)
_ASKS = re.compile(rf"^(?:{_STARTS}|there\b|isn't|aren't|any\b|it\b|they\b|this\b|that\b)")
_TAG_ONLY = re.compile(
    rf"^(?:{_TAG_VERB}(?:n't| not)? (?:it|there|they|that|you)(?: not| so| right| correct| true)?|right|"
    rf"correct|true|yes|no|yes or no|or not)$"
)


def clauses_of(text: str) -> tuple[str, ...]:
    """Return the clauses of a question in lower case, without polite words around them."""
    found: list[str] = []
    for sentence in (part for whole in _END.split(text) for part in _topic_apart(whole)):
        condition = _CONDITION.match(_bare(sentence))
        if condition is not None:
            found.append(f"are there {condition['thing']}")
            sentence = f"if so, {_bare(sentence)[condition.end() :]}"
        for part in _COMMA.split(sentence):
            found += _AND.split(part)
    bare = [clause for clause in map(_bare, _led(found)) if clause]
    return tuple(clause for number, clause in enumerate(bare) if not number or not _TAG_ONLY.match(clause))


def _topic_apart(sentence: str) -> list[str]:
    """Cut "cranes: how many?" at its colon, but not "which of these is there: a dam or a lake?"."""
    before, *after = _COLON.split(sentence, maxsplit=1)
    return [before, *after] if after and things_of(before) else [sentence]


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
