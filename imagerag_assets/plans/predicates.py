"""What a clause asks of a thing beyond that it is there: "is the bridge closed?", "how many cars are electric?".

Such a question is about more than presence and number, so that neither answers it: the answer says that it cannot tell,
and where the thing is, or how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagerag_assets.plans import lexicon
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.clause import Clause
from imagerag_assets.plans.scene_parts import COMPASS
from imagerag_assets.plans.thesaurus import has_verb, look_up, singular
from imagerag_assets.plans.things import things_of

_WAY = rf"(?:{COMPASS}|left|right|top|bottom|upper|lower)"
_DEFINITE = r"(?:(?:all|any|most|some|none|each|one) of )?(?:the|this|that|these|those|our|my)"
_AUXILIARY = r"(?P<aux>is|are|was|were|does|do|did|has|have|had)(?P<not>n't| not)?"
_OF_ONE = re.compile(rf"^{_AUXILIARY} (?P<which>{_DEFINITE}) (?P<rest>.+)$")
_MAY = re.compile(
    r"^(?P<aux>can|could|may|might|will|would|should|must) "
    r"(?:(?P<who>i|we|one|they|people|somebody|someone) |(?P<which>an?|the|this|that|these|those|my|our) )(?P<rest>.+)$"
)
_WITHOUT = re.compile(r"^where (?:is|are) (?:there )?(?:no|not any)\b")
_OF_MANY = re.compile(
    r"\bhow many (?:of )?(?:the |these |those )?(?P<rest>.+)$"
    r"|\b(?:what|which) (?:percentage|proportion|fraction|share) of (?:the |these |those |all )*(?P<part>.+)$"
)
_IS = re.compile(r"(?:is|are|was|were|look|looks|seem|seems|appear|appears) (?P<said>.+)$")
_COURSE = re.compile(rf"\bfrom (?:the )?{_WAY}\b.*\bto (?:the )?{_WAY}\b")
"""Says how something runs, "from the lower left to the upper right", which a part of the scene does not."""
_SEEING = lexicon.words(
    "see find spot locate count show tell identify detect make recognise recognize notice observe be have exist look "
    "say give point list name describe check confirm verify get use come run lie help report explain mark"
)
_LINKS = frozenset(("and", "or", ",", "with", "without"))
_PARTS = lexicon.words("lane lanes carriageway carriageways track tracks")
"""What a search finds as the whole that has so many of them."""
_PREPOSITIONS = lexicon.words("in on at near by within inside along from to around beside between next outside there")
"""Begin what says where things are."""
_PRESENT = lexicon.words(
    "visible present absent missing there here seen found shown located situated sight captured depicted pictured "
    "happen happens contain contains include includes show shows exist exists appear appears lie lies have has "
    "got anyway ground today now"
    " altogether currently quarter quarters"
)
_SAYS_LITTLE = (
    lexicon.FUNCTION | lexicon.META | lexicon.POSITION | lexicon.NUMBERS | lexicon.PARTICIPLES | _PRESENT
) - lexicon.words("same similar different present apparent")
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*|,")


def untold(clause: Clause, asked: str, found: Sequence[p.Part]) -> tuple[str, list[p.Part]] | None:
    """Return what a clause asks and no part of a plan answers, as a sentence, with the parts that are left.

    Args:
        clause: The clause without its region.
        asked: The same with its region.
        found: What the rules read in it.

    Returns:
        None: the parts answer what is asked.
    """
    text = clause.text.strip()
    if not found:
        return None
    if all(isinstance(part, p.Exists) for part in found):
        name = _of_one(text) or (_of_one(asked) if _COURSE.search(asked) else None)
        if name is not None or _is_possibility(text):
            things = things_of(name or text)[:1]
            region = None if _COURSE.search(asked) else clause.region
            why = f"I cannot tell whether {_turned(asked, text)}"
            return why, [p.Where(thing=thing, region=region) for thing in things]
    if all(isinstance(part, p.Count | p.Share) for part in found) and (named := _of_many(text)) is not None:
        things = things_of(named)[:1]
        question = asked[asked.find("how many") :] if "how many" in asked else asked
        return f"I cannot tell {question}", [p.Count(thing=thing, region=clause.region) for thing in things]
    if all(isinstance(part, p.Where) for part in found) and _WITHOUT.match(text):
        return f"I cannot tell {asked}", list(found)
    return None


def _of_one(text: str) -> str | None:
    """Return the name of what "is the bridge closed?" says more of than that it is there."""
    found = _OF_ONE.match(text)
    if found is None:
        return None
    name, rest = _name_first(found["rest"])
    if not name or (rest[:1] and rest[0] in _LINKS):
        return None
    acts = found["aux"] in ("does", "do", "did") and bool(rest) and has_verb(rest[0]) and rest[0] not in _SEEING
    return name if acts or _says_much(rest) or _COURSE.search(text) else None


def _of_many(text: str) -> str | None:
    """Return the name of what "how many of the cars are electric?" says more of than its number."""
    found = _OF_MANY.search(text)
    if found is None:
        return None
    name, rest = _name_first(found["rest"] or found["part"])
    if rest and rest[0] in ("does", "do") and len(rest) > 2:
        whole = _name_first(" ".join(rest[2:]))[0]  # lanes are found as the road that has them
        same = things_of(name) and {each.phrase for each in things_of(name)} == {
            each.phrase for each in things_of(whole)
        }
        return whole if same or name in _PARTS else None
    said = _IS.match(" ".join(rest))
    words = _WORD.findall(said["said"]) if said is not None else []
    return name if name and words and words[0] not in _PREPOSITIONS and _says_much(words) else None


def _is_possibility(text: str) -> bool:
    """Return whether a clause asks what may be done or may happen: "could a plane land here?"."""
    found = _MAY.match(text)
    if found is None:
        return False
    words = _name_first(found["rest"])[1] if found["which"] else _WORD.findall(found["rest"])
    return bool(words) and has_verb(words[0]) and words[0] not in _SEEING


def _name_first(text: str) -> tuple[str, list[str]]:
    """Return the known name that a text begins with, in the text's own words, and the words behind it."""
    words = _WORD.findall(text)
    for length in range(min(6, len(words)), 0, -1):
        name = words[:length]
        if any(word in lexicon.FUNCTION or word == "," for word in name) or name[-1] in lexicon.META:
            continue
        if any(look_up(" ".join([*name[at:-1], singular(name[-1])])).known for at in range(length)):
            return " ".join(name), words[length:]
    return "", []


def _says_much(words: Sequence[str]) -> bool:
    """Return whether words behind a name say something of it, and name no thing that it could be."""
    if words and words[0] in ("a", "an", "the", "of"):
        return False  # "is the building a church?"
    return any(word not in _SAYS_LITTLE and not word.endswith("ly") and word != "," for word in words)


def _turned(asked: str, text: str) -> str:
    """Return a question as a clause of a sentence: "the bridge in the north is closed".

    Args:
        asked: The question.
        text: The same without its region, which belongs to the name.
    """
    found, plain = _OF_ONE.match(asked), _OF_ONE.match(text)
    if found is not None and plain is not None:
        words, said = _WORD.findall(found["rest"]), _name_first(plain["rest"])[1]
        if not said or words[-len(said) :] != said:
            said = _name_first(found["rest"])[1]
        subject = words[: len(words) - len(said)]
        return " ".join(filter(None, (found["which"], *subject, found["aux"], "not" if found["not"] else "", *said)))
    found = _MAY.match(asked)
    if found is None:
        return asked
    if found["who"]:
        return f"{'you' if found['who'] == 'i' else found['who']} {found['aux']} {found['rest']}"
    name, rest = _name_first(found["rest"])
    return " ".join((found["which"], name, found["aux"], *rest))
