"""Clauses that ask in a roundabout way: "does the school have a pool?" asks for a pool at the school."""

from __future__ import annotations

import re

from imagerag_assets.plans.things import is_known, things_of

_IS_A = re.compile(
    r"^(?:is|was) (?:this|it|that)(?: whole| entire)? (?:(?:an?|the) )?[a-z' -]+? (?:with no|without(?: an?| "
    r"any)?|lacking(?: an?| any)?|missing(?: an?| any)?) "
)
_GROUND = re.compile(
    r"^is (?:the|this|that) (?:area|land|ground|space|region|strip) (near|close to|around|next to|by|along|"
    r"beside) (.+?) (?:free of|without|clear of|devoid of) (.+)"
)
_CALLED = re.compile(r"^(?:would|do|could) you (?:call|consider|describe|judge) (?=(?:the|this|these|those)\b)")
_SEEING = re.compile(
    r"^(?:are )?you(?: all| guys| folks)? (?:seeing|getting|finding|spotting|noticing) (?=an?\b|any\b|some\b|no\b)"
)
_SUPPOSED = re.compile(
    r"^(?:if|when|were|suppose|supposing|imagine) (?:i|we|you|one|someone)\b(?:(?!\b(?:from|at|in|on|of|to the|"
    r"past)\b)[^,])*, (?=(?:would|will|could|can|do|does|how|where|what|which|is|are|might)\b)"
)
_HAS = re.compile(
    r"^(?:does|do|has|have|did|would|will|can)(?:n't| not)? (?P<whose>the|this|that|our|my|your) (?P<subject>[\w' "
    r"-]+?) (?:have|has|had|got|contain|include|feature|boast|offer|possess|come with)\b (?P<rest>.+)"
)


def said_plainly(clause: str) -> str:
    """Read "does the school have a pool?" as a pool at the school, and "does this harbour have cranes?" as cranes."""
    supposed = _SUPPOSED.match(clause)
    if supposed is not None and not any(map(is_known, things_of(supposed[0]))):
        clause = clause[supposed.end() :]  # "if I drove through here, would I come to a bridge?"
    clause = _SEEING.sub("is there ", _CALLED.sub("is ", clause))
    clause = _IS_A.sub("is there no ", clause)
    clause = _GROUND.sub(r"is there no \3 \1 \2", clause)
    found = _HAS.match(clause)
    if found is None or not things_of(found["rest"]) or not things_of(found["subject"]):
        return clause
    place = "" if found["whose"] in ("this", "our", "my", "your", "that") else f" at the {found['subject']}"
    return (
        f"is there {found['rest']}{place}"
        if "n't" not in found[0] and " not " not in found[0]
        else f"is there no {found['rest']}{place}"
    )
