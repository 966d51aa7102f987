"""Choices matched to the evidence by what they mean, and the evidence's scores joined with a model's.

Neither the order of the choices nor their wording counts: each is read by `choice_meaning.py` and weighed by
`choice_evidence.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from imagerag_assets.plans.choice_evidence import Evidence
from imagerag_assets.plans.choice_meaning import Claim, Meaning, meaning
from imagerag_assets.plans.directions import Frame
from imagerag_assets.plans.numbers import quantities
from imagerag_assets.plans.plan import Compare, Plan
from imagerag_assets.plans.result import Result
from imagerag_assets.plans.same_things import SameThing, same_thing

SILENT = 0.02
"""What choices keep together that the evidence does not speak of, where it speaks for another one."""
TIE = 1.25
"""Scores of evidence that are closer than this say nothing about which of two choices is right."""
_SHORT: tuple[dict[str, str], ...] = (
    {"y": "yes", "n": "no"},
    {"t": "true", "f": "false"},
    {"right": "true", "wrong": "false"},
)
"""Pairs that mean yes and no beside each other only; "N" alone is north."""
_FLOOR = 0.002
"""Least probability that choices have together, so that those which all fit badly are not told apart by rounding."""
SEEN = 0.5
"""How far a model's choice is taken for seen, where it has no cue of the thing; the rest is taken for a guess."""


@dataclass(frozen=True)
class Match:
    """How the evidence scores choices."""

    scores: dict[str, float] | None
    """Letter to score, summing to 1; None: the evidence says nothing about the choices."""
    why: str
    """What the scores stand on, in one line."""
    silent: tuple[str, ...] = ()
    """Letters of choices that the evidence does not speak of; they share what the others leave."""
    weak: bool = False
    """Whether it stands on something that was not found."""


def match(
    choices: Mapping[str, str],
    plan: Plan,
    results: Sequence[Result],
    *,
    scenes: Mapping[str, str] | None = None,
    same_thing: SameThing = same_thing,
) -> Match:
    """Score choices by the evidence.

    Args:
        choices: Letter to text.
        plan: What was asked.
        results: One for each part, in their order.
        scenes: Scene key to the title that a person sees, for choices that name a scene.
        same_thing: How surely two names mean the same thing, 0 to 1.
    """
    unread = Evidence(plan, results, Frame(()))
    letters = {text.strip(" .()").lower() for text in choices.values()}
    short = next((pair for pair in _SHORT if set(pair) == letters), {})
    in_words = {letter: _of_two(text, plan) for letter, text in choices.items()}
    meanings = {
        letter: meaning(short.get(text.strip(" .()").lower(), text), unread.things, same_thing)
        for letter, text in in_words.items()
    }
    meanings = _none_of_the_things(_apart(meanings))
    frame = Frame(place for each in meanings.values() for claim in each.claims for place in claim.places)
    evidence = Evidence(plan, results, frame)
    in_order = sorted(meanings, key=lambda letter: choices[letter])  # that of the letters means nothing
    probable = {letter: _probable(meanings[letter], evidence) for letter in in_order}
    for letter, inside in _in_scenes(choices, results, scenes or {}).items():
        said = probable[letter]
        probable[letter] = inside if said is None else said * inside
        evidence.grounds.add("by the scenes in which it lies")
    known = {letter: each for letter, each in probable.items() if each is not None}
    if known and _sets(meanings):
        known = {letter: each * _unnamed(meanings[letter], evidence) for letter, each in known.items()}
    if not known and any(each.none_of_these for each in meanings.values()):
        known = _nowhere(meanings, evidence)
    if not known:
        return Match(None, "the evidence says nothing about these choices", tuple(choices))
    fits = dict(known)
    unsure = sum(each.unknown for each in meanings.values())
    known = _shared_out(known, meanings, all_known=len(known) + unsure == len(choices))
    for letter, each in meanings.items():
        if each.none_of_these:
            known[letter] = _none_of(fits, evidence, meanings)
        elif each.unknown:
            known[letter] = 0.15 if evidence.grounds.weak else 0.02
    scores, silent = _scores(known, sorted(set(choices) - set(known)))
    top = max(sorted(scores), key=lambda letter: scores[letter])
    why = f"{'; '.join(evidence.grounds.notes) or 'by what was found'}: {choices[top]!r} fits best"
    return Match({letter: scores[letter] for letter in choices}, " ".join(why.split()), silent, evidence.grounds.weak)


def combine(found: Match, model_scores: Mapping[str, float] | None) -> dict[str, float]:
    """Join the scores of the evidence and of a model; the result sums to 1.

    Numbers, places and comparisons that were computed are not for a model to overrule: where the evidence is not weak,
    the model decides only between choices that the evidence holds for equally good (within `TIE`), and among those that
    it does not speak of.  Where it is weak (not found, rejected), both are factors, the model as far as it may have
    seen what nobody showed it (`SEEN`).
    """
    if found.scores is None:
        return _normalised(model_scores or {})
    if not model_scores:
        return dict(found.scores)
    model = {letter: max(1e-6, model_scores.get(letter, 0.0)) for letter in found.scores}
    silent = set(found.silent)
    left = math.fsum(found.scores[letter] for letter in found.scores if letter in silent)
    said = math.fsum(model[letter] for letter in sorted(silent))
    own = {
        letter: left * model[letter] / said if letter in silent else max(score, 1e-9)
        for letter, score in found.scores.items()
    }
    if found.weak:
        average = {letter: left / len(silent) if letter in silent else own[letter] for letter in own}
        total = math.fsum(model.values())
        seen = {letter: SEEN * model[letter] / total + (1 - SEEN) / len(model) for letter in model}
        return _normalised({letter: average[letter] * seen[letter] for letter in own})
    # A factor between 1 and TIE for each choice: it orders ties, and nothing else.
    most = max(model.values())
    return _normalised(
        {letter: score * (1 if letter in silent else TIE ** (model[letter] / most)) for letter, score in own.items()}
    )


def _of_two(text: str, plan: Plan) -> str:
    """Return what a choice says where two things are compared: "neither" has more, and "2:1" is twice as many."""
    compared = next((part for part in plan.parts if isinstance(part, Compare)), None)
    if compared is None or len(compared.among) != 2:
        return text
    low = text.strip(" .()").lower()
    if re.fullmatch(
        r"neither(?: (?:of (?:them|these|those|the two)|one|has more|is more \w+))?|both(?: the same)?", low
    ):
        return "the same number"
    if re.search(r"\bas (?:many|much) (?:of )?(?:the )?one as (?:of )?the other\b", low):
        return "the same number"
    if (
        lead := re.fullmatch(r"([a-z' -]+?) (?:wins? |leads? |ahead )?by [\w ]+", low)
    ) is not None and compared.measure is None:
        return f"more {lead[1]}"
    ratio = re.fullmatch(r"([\d.]+|[a-z]+)\s*(?::|to|/|against)\s*([\d.]+|[a-z]+)", low)
    if compared.measure != "ratio" or ratio is None:
        return text
    one, other = (quantities(each) for each in ratio.groups())
    return f"{one[0].low / other[0].low:.3f}" if one and other and other[0].low > 0 else text


def _none_of_the_things(meanings: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """Return meanings in which "it is not there", beside the names of several things, is said of all of them."""
    named = sum(bool(each.claims) and all(claim.only for claim in each.claims) for each in meanings.values())
    if named < 2:
        return dict(meanings)
    return {
        letter: Meaning((), none_of_these=True)
        if each.claims and all(claim.absent and not claim.things for claim in each.claims)
        else each
        for letter, each in meanings.items()
    }


def _nowhere(meanings: Mapping[str, Meaning], evidence: Evidence) -> dict[str, float]:
    """Return what is left of the choices that name a place or a number, where nothing was found that has one."""
    present = evidence.present(None)
    told = [letter for letter, each in meanings.items() if any(claim.places or claim.quantity for claim in each.claims)]
    return {} if present is None else dict.fromkeys(told, present / len(told)) if told else {}


def _apart(meanings: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """Return meanings in which a range leaves out the numbers of other choices: "as many as four", beside "three"."""
    named = [claim.quantity for each in meanings.values() for claim in each.claims if claim.quantity is not None]
    exact = {each.low for each in named if each.low == each.high and not each.unit and not each.vague}
    if any(each.none_of_these or any(claim.absent for claim in each.claims) for each in meanings.values()):
        exact.add(0.0)
    return {
        letter: replace(each, claims=tuple(_left_over(claim, exact) for claim in each.claims))
        for letter, each in meanings.items()
    }


def _left_over(claim: Claim, exact: Collection[float]) -> Claim:
    quantity = claim.quantity
    if quantity is None or not quantity.vague or quantity.unit:
        return claim
    low, high = quantity.low, quantity.high
    while low in exact and low < high:
        low += 1
    while high in exact and high > low:
        high -= 1
    return replace(claim, quantity=replace(quantity, low=low, high=high)) if low not in exact else claim


def _in_scenes(choices: Mapping[str, str], results: Sequence[Result], scenes: Mapping[str, str]) -> dict[str, float]:
    """Return the share of what was found that lies in the scene which a choice names."""
    names = {name.lower(): key for key, title in scenes.items() for name in (key, title)}
    named: dict[str, str] = {}
    for letter, text in choices.items():
        within = [name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text.lower())]
        if within:
            named[letter] = names[max(within, key=len)]
    found = [place.scene for result in results for place in getattr(result, "places", ())]
    if len(set(named.values())) < 2 or not found:
        return {}
    return {letter: found.count(scene) / len(found) for letter, scene in named.items()}


def _probable(each: Meaning, evidence: Evidence) -> float | None:
    told = [(claim, evidence.claim(claim)) for claim in each.claims]
    known = [(claim, probable) for claim, probable in told if probable is not None]
    # "Yes, there are 2": what follows says all that the yes says, and the same is not weighed twice.
    more = [probable for claim, probable in known if claim.answer is None]
    return math.prod(more or [probable for _, probable in known]) if known else None


def _shared_out(known: Mapping[str, float], meanings: Mapping[str, Meaning], *, all_known: bool) -> dict[str, float]:
    """Return probabilities where numbers and places share what absence leaves.

    Of a thing that was found, one of the numbers or places must be right however badly it fits; a choice that it is
    not there must not win by the others' misfit.
    """
    floor = _FLOOR / len(known)
    raised = {letter: each + floor for letter, each in known.items()}
    denied = {letter for letter in known if any(claim.absent for claim in meanings[letter].claims)}
    measured = {
        letter
        for letter in known
        if letter not in denied and any(claim.quantity or claim.places for claim in meanings[letter].claims)
    }
    if not denied or not measured or not all_known or len(denied | measured) < len(known):
        return raised
    left = max(0.0, 1 - math.fsum(raised[letter] for letter in denied))
    scale = left / math.fsum(raised[letter] for letter in measured)
    return {letter: each * scale if letter in measured else each for letter, each in raised.items()}


def _sets(meanings: Mapping[str, Meaning]) -> bool:
    """Return whether choices are lists of things, "ship and bridge", of which a shorter one then is another answer."""
    return any(sum(claim.only for claim in each.claims) > 1 for each in meanings.values())


def _unnamed(each: Meaning, evidence: Evidence) -> float:
    """Return how probable it is that the things which a list leaves out are not there."""
    if not any(claim.only for claim in each.claims):
        return 1.0
    named = {thing for claim in each.claims for thing in claim.things}
    others = [evidence.present(thing) for thing in evidence.things if thing not in named]
    return math.prod(1 - other for other in others if other is not None)


def _none_of(known: Mapping[str, float], evidence: Evidence, meanings: Mapping[str, Meaning]) -> float:
    """Return how probable it is that no other choice is right."""
    named = [thing for each in meanings.values() for claim in each.claims if claim.only for thing in claim.things]
    if named:
        absent = evidence.none_present(named)
        return absent if absent is not None else SILENT
    best = max(known.values(), default=0.0)
    present = evidence.present(None)
    absent = 1 - present if present is not None else 0.1
    return absent + (1 - absent) * 0.5 * max(0.0, 1 - 3 * best)


def _scores(known: Mapping[str, float], silent: Sequence[str]) -> tuple[dict[str, float], tuple[str, ...]]:
    total = math.fsum(known.values())
    left = max(SILENT, 1 - total) if silent else 0.0
    scale = (1 - left) / total if total > 0 else 0.0
    scores = {letter: each * scale for letter, each in known.items()}
    scores |= dict.fromkeys(silent, left / len(silent) if silent else 0.0)
    return _normalised(scores), tuple(silent)


def _normalised(scores: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(scores.values())
    if total <= 0:
        return dict.fromkeys(scores, 1 / len(scores)) if scores else {}
    return {letter: score / total for letter, score in scores.items()}
