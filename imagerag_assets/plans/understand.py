"""From the words of a question to its plan, by rules.

Spelling (`spelling.py`), clauses (`clauses.py`), regions (`areas.py`), things (`things.py`, with the thesaurus) and
what is asked about them (`operations.py`) are told apart one after the other.  The text stays data.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from imagerag_assets.plans import lexicon, refusals
from imagerag_assets.plans import plan as p
from imagerag_assets.plans.activities import said_as_things
from imagerag_assets.plans.areas import Place, box_of, leaves_part_out, place_of
from imagerag_assets.plans.chat import with_compass_words, written_out
from imagerag_assets.plans.clause import Clause
from imagerag_assets.plans.clauses import clauses_of
from imagerag_assets.plans.exceptions import without_exceptions
from imagerag_assets.plans.forms import read_form
from imagerag_assets.plans.noun_phrases import MAX_CHARACTERS, OF_CHOICES, clean, noun_phrases, shortened
from imagerag_assets.plans.numbers import LENGTHS
from imagerag_assets.plans.operations import asks_more, is_topic, parts_of
from imagerag_assets.plans.pair_operations import ranks_places
from imagerag_assets.plans.predicates import untold
from imagerag_assets.plans.reordering import nearest_of_all
from imagerag_assets.plans.rephrasing import plain_questions
from imagerag_assets.plans.roundabout import said_plainly
from imagerag_assets.plans.several_numbers import in_each_part, numbers_apart
from imagerag_assets.plans.sound_alikes import as_meant
from imagerag_assets.plans.spelling import Spelled, correct
from imagerag_assets.plans.thesaurus import singular
from imagerag_assets.plans.things import is_known, is_out_of_sight, thing_of, things_of, with_heads
from imagerag_assets.plans.unseen import is_unseen

_LONGEST = 40
"""Letters of the longest word that may be one."""
_REFERS = re.compile(r"\b(?:it|its|they|them|their|those|these|ones?|there|so|any)\b")
_OF_TOPIC = re.compile(r"^(?:is|are|do|does|can|has|have)\b.*\b(?:it|they|them|one|any|those|these)\b")
_MISSING = re.compile(r"\b(?:not|missing|absent|cannot|never|lacking|lacks)\b")
_STATES = re.compile(r"\b(?:is|are|was|were|there|has|have|lies?|can|does|do)\b")
_PRONOUN = re.compile(r"\b(?:it|they|them|those)\b(?! (?:true|possible|the case|like))")
_ONE_OF_THEM = re.compile(r"\bthe (?:(?:closest|nearest|farthest|furthest|other|others?) )?ones?\b(?! (?:to|from|near|that|which|in|on|at)\b)|"
                          r"\bthe (?:closest|nearest|farthest|furthest)(?: ones?)?(?= (?:from|to) )")  # fmt: skip
"""Stands for a thing of the clause before: "how far is the closest one from a pier?"."""
_HOW_FAR = re.compile(r"\bhow far\b|\bdistances?\b")
_HOW_MANY_THERE = re.compile(
    r"^(?:and )?how many (?:(?:of (?:them|those|these) )?(?:are|lie|is) )?(?=(?:near|close to|next to|within|outside|beside|far from|away from)\b)"
)
_BESIDE_IT = re.compile(
    r"^(?:and )?(?:what|anything|something)\b.*\b(?:next to|near|around|beside|close to|north of|south of|east of|west of|"
    r"left of|right of) (?:it|them)$"
)
_DATED = re.compile(
    r"\b(?:in|on|since|during|before|after|by|from|of|as of) (?:the year |summer |winter |spring |autumn |\d{1,2}(?:st|nd|rd|th)? )*"
    r"(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? (?:\d{1,2}(?:st|nd|rd|th)?,? )?)?(?:19|20)\d\d\b"
)
"""A date in words."""
_OF_SCENES = re.compile(rf"\bhow many {lexicon.OF_SCENES}")
_POINT = re.compile(
    r"(?:\b(?:with)?in (?:about )?\d[\d.,]* ?[a-z]+ of |\b(?:at|near|around|close to|by) )?(?:the point |coordinates? )?"
    r"[(\[]?-?\d{1,3}\.\d+ ?°? ?[ns]?\b ?[,;/ ] ?-?\d{1,3}\.\d+ ?°? ?[ew]?\b[)\]]?(?! ?[,;] ?-?\d)"
)
"""A point by its coordinates, which is no area."""
_OR_PLACES = re.compile(r"^(?:is|are|was|were|does|do) (?:it|they|the|this|that|these|those|my|our)\b.*\bor\b")
"""Asks in which of several parts of the scene one thing is: "is it in the north or in the south?"."""
_WHICH = re.compile(r"(?:which|what)\b")
"""Begins a question that is not answered by yes or no."""
_IF_SO = re.compile(
    r"^(?:and )?(?:if (?:so|yes|there (?:is|are)(?: any| some)?|any|you (?:do|can)|it is|they are)|in that "
    r"case)\b|\bif so\b"
)
_BARE_ASK = re.compile(
    r"^(?:and )?(?:if (?:so|yes|any|there (?:is|are)(?: any)?),? )?"
    r"(?:how (?:many|much|far|big|large|long|wide|tall)|where(?:abouts)?|(?:what|which) (?:colou?r|shape|size|"
    r"part|corner|side)s?|"
    r"(?:in|on) (?:what|which)|count|number|their (?:number|colou?r|position)s?|locations?|positions?)\b"
)
_ASKS = re.compile(r"\b(?:how many|where|what|which|is|are|show|find|count|list|describe|any)\b")
_ASK = refusals.nearest_question(())
_ASKS_WHETHER = re.compile(r"^(?:is|are|was|were|does|do|did|has|have|can|could)\b")
_ASKING = re.compile(
    r"\b(?:how many|where|which|show|find|count|list|describe)\b|^(?:is|are|what)\b|, (?:what|is|are)\b"
)
_TELLS = re.compile(
    r"^(?:i|we|he|she|they|my|our|his|her|the (?:plan|report|map|notice|council|client|ledger|file|owner|survey)|"
    r"someone|somebody|people|everyone|by (?:my|our))\b(?!.*\b(?:know|look|see|love|wonder|tell|need|want|'d like|would like|looking|after|whether|if|more|fewer)\b)"
)
_SUBJECT = re.compile(
    r"^(?:the|my|our|his|her|their|a|an) ([a-z]+) (?:\w+ly |never |also )?"
    r"(?:\w+ed|is|was|are|were|has|have|had|will|would|can|could|says|thinks|claims|mentions|needs|wants|told|never)\b"
)
_NO_TARGET = re.compile(
    r"\b(?:not|none|no|nothing|neither|both|all|unknown|unsure|cannot|can't|absent|yes|true|false|equal|same|"
    r"more|fewer|less)\b"
)


def understand(question: str, choices: Mapping[str, str], *, names: Collection[str] = ()) -> p.Plan:
    """Return what a question asks.

    Args:
        question: Any text.
        choices: Letter to text; things are taken from them where the question says "which of these" or names none.
        names: Names that are right as they are, e.g. of a knowledge base.

    Returns:
        The plan.  Nothing is raised: what cannot be planned is said in `unplanned`.
    """
    text, cut = shortened(with_compass_words(clean(question)))
    notes = list(cut)
    if not any(letter.isalpha() for letter in text):
        return _unplanned(f"There is no question in this; {_ASK}", notes)
    foreign = refusals.foreign(text, re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text.lower()))
    if foreign is not None:
        return _unplanned(foreign, notes)
    if refusals.is_order(text):
        text = refusals.without_orders(text)
        notes.append("A sentence that is no question about the imagery was left out")
        if not text:
            return _unplanned(f"This is no question about the imagery; {_ASK}", notes)
    spelled = correct(text, names)
    meant, alike = as_meant(spelled.text)
    spelled = replace(spelled, text=meant, notes=(*spelled.notes, *alike))
    asked, left_out = without_exceptions(spelled.text)
    nearest = nearest_of_all(asked)
    if nearest is not None:
        to, asked = nearest[0], nearest[1] or ""
        if not asked:
            return _unplanned(refusals.nearest_of_what(to), notes)
        left_out = (*left_out, "The nearest of all things is not computed: those nearby are listed")
    spelled = replace(spelled, text=asked)
    plan = _understood(text, spelled, choices, [*notes, *spelled.notes, *left_out])
    return plan.model_copy(
        update={"read_as": " ".join(spelled.text.lower().split()), "sure": plan.sure or nearest is not None}
    )


def _understood(text: str, spelled: Spelled, choices: Mapping[str, str], notes: list[str]) -> p.Plan:
    """Return what a question in English asks.

    Args:
        text: As it was asked, but for orders.
        spelled: The same, corrected.
        choices: See :func:`understand`.
        notes: Gets one line for each reading that may surprise.
    """
    form = None if choices else read_form(spelled.text.lower())
    plain = plain_questions(written_out(spelled.text.lower()))
    point = None if box_of(plain) is not None else _POINT.search(plain)
    if point is not None:
        notes.append(f"{point[0].strip()!r} does not limit the search: give an area with --bbox WEST,SOUTH,EAST,NORTH")
        plain = f"{plain[: point.start()]} {plain[point.end() :]}".strip()
    low = form or in_each_part(numbers_apart(plain))
    words = re.findall(r"[a-z]+", low)
    endless = any(len(word) > _LONGEST for word in words)
    if endless or len(spelled.unknown) > max(1, len(words) // 2) or _is_noise(spelled, low):
        return _unplanned(f"I do not understand {_quoted(spelled) or repr(text[:60])}; {_ASK}", notes, unsure=True)
    refused: dict[str, bool] = {}
    parts, unit = _parts(low, _offered(low, choices), notes, refused)
    if unit is not None:
        known = ", ".join(("metres", "kilometres", "miles", "feet", "yards"))
        return _unplanned(f"I do not know the unit {unit!r}: give the distance in {known}", notes)
    if not parts and choices and not refused:
        parts = _of_statements(choices, notes)
    first, for_a_word = next(iter(refused.items()), (None, False))
    if not parts and first is not None:
        return _unplanned(first, notes, for_a_word=for_a_word)
    if not parts:
        return _unplanned(f"I could not work out what to look for in {text[:80]!r}; {_ASK}", notes, unsure=True)
    dated = _DATED.search(low)
    if dated is not None and not any(isinstance(part, p.Change) for part in parts):
        notes.append(f"{dated[0]!r} does not limit the search: give dates with --datetime")
    if len(parts) > p.MAX_PARTS:
        notes.append(f"{len(parts)} things are asked; the first {p.MAX_PARTS} are answered")
    if text.endswith("?") and len(parts) == 1 and not refused and _only_named(low) and not _WHICH.match(low):
        parts = [p.Exists(thing=part.thing, region=part.region) for part in parts if isinstance(part, p.Where)] or parts
    return p.Plan(
        parts=tuple(parts[: p.MAX_PARTS]),
        by="rules",
        unplanned=first,
        notes=tuple(dict.fromkeys(notes)),
        for_a_word=for_a_word,
        sure=form is not None
        or _OF_SCENES.search(text.lower()) is not None
        or low != plain
        or any(map(leaves_part_out, clauses_of(low))),
    )


def _parts(
    text: str, offered: tuple[p.Thing, ...], notes: list[str], refused: dict[str, bool], *, told: bool = True
) -> tuple[list[p.Part], str | None]:
    """Return the parts of all clauses, and a unit of length that there is not.

    Args:
        text: In lower case.
        offered: Things that the choices name.
        notes: Gets one line for each reading that may surprise.
        refused: Gets one sentence for each clause that cannot be planned, and whether a word alone is the reason.
        told: Whether clauses that only tell something say what the others are about.
    """
    parts: list[p.Part] = []
    topic: tuple[p.Thing, ...] = ()
    region: p.Region | None = None
    carried: p.Region | None = None
    clauses = [said_plainly(said_as_things(with_heads(clause))) for clause in clauses_of(text)]
    named = [thing for clause in clauses for thing in things_of(clause)]
    seen = any(not is_out_of_sight(thing) for thing in named)
    known = any(is_known(thing) for thing in named)
    for number, clause in enumerate(clauses):
        clause = _with_topic(clause, topic)
        place = Place(None, clause) if ranks_places(clause) else place_of(clause, near=_near_is_region(clause))
        if place.unknown_unit is not None and place.unknown_unit not in LENGTHS:
            return parts, place.unknown_unit
        notes += place.notes
        things = tuple(thing for thing in things_of(place.rest) if not seen or not is_out_of_sight(thing))
        if told and (parts or number + 1 < len(clauses)) and _is_told(clause):
            about = things_of(clause.rpartition(" about ")[2]) if " about " in clause else ()
            landmarks = p.landmarks_of(place.region)
            things = about or tuple(filter(is_known, things)) or (() if any(map(is_known, landmarks)) else things)
            topic = things or landmarks or topic
            carried = carried if things else place.region or carried
            continue  # "we always had a ball field. Does this picture have one?"
        refers = not things and bool(topic) and (bool(_REFERS.search(clause)) or asks_more(clause))
        if refers:
            things = topic
        if place.region is not None and not re.search(r"[a-z]{3}", place.rest) and number + 1 < len(clauses):
            carried = place.region  # "in the south, are there ships?"
            continue
        if refers and things == p.landmarks_of(carried):
            carried = None  # "we meet at the quarry. Where is it?"
        own = place.region or carried or (region if refers else None)
        carried = None
        unmeasured = refusals.not_measured(clause, things)
        why = None if unmeasured else refusals.not_about_imagery(clause, things)
        if why is not None and place.region is not None and not things and number + 1 < len(clauses):
            carried = place.region
            continue
        if why is not None:
            refused[why] = True
            continue
        if unmeasured is not None:
            refused[unmeasured] = False
            parts += [p.Where(thing=thing, region=own) for thing in things]
            topic, region = things, own
            continue
        following = clauses[number + 1] if number + 1 < len(clauses) else ""
        more = asks_more(following) and not things_of(following) and not _ASKS_WHETHER.match(clause)
        bare = _BARE_ASK.match(following) and not things_of(place_of(following, near=True).rest)
        asks = more or bare or _OF_TOPIC.match(following)
        if asks and is_topic(Clause(place.rest, things, own)):
            topic, region = things, own
            continue  # "cranes: how many?"
        if OF_CHOICES.search(clause) and len(offered) > 1:
            landmark = own or (p.Around(thing=things[0], metres=500) if things and not refers else None)
            found: list[p.Part] = [p.Which(among=offered, region=landmark, negated=_MISSING.search(clause) is not None)]
        else:
            whole = Clause(place.rest, things, own)
            found = parts_of(whole)
            if not _sensible(found, things, alone=len(clauses) == 1):
                found = []
            if (lacking := untold(whole, clause, found)) is not None:
                refused[lacking[0]] = False
                parts += lacking[1]
                topic, region = things, own
                continue
            if parts and is_topic(whole):
                found = [_asked_on(part, parts[-1]) for part in found]
            if known and len(clauses) > 1 and is_topic(whole) and not any(map(is_known, things)):
                found = []  # "my rates team: how many pools are there?"
            if not things and offered and (not found or found[0].op in ("describe", "list")) and not parts:
                absent = _MISSING.search(clause) is not None
                found = [p.Which(among=offered, negated=absent)] if len(offered) > 1 else [p.Exists(thing=offered[0])]
        if place.others and _OR_PLACES.search(clause):
            found = [p.Where(thing=part.thing) if isinstance(part, p.Exists) else part for part in found]
        found = [each for part in found for each in _in_each(part, place)]
        former = next((part for part in parts if isinstance(part, p.Compare) and set(things) <= set(part.among)), None)
        if refers and former is not None:  # "trees or crops: which covers more ground?"
            parts[parts.index(former)] = next((part for part in found if isinstance(part, p.Compare)), former)
            continue
        if _IF_SO.search(clause) or (refers and parts and parts[-1].op == "exists"):
            condition = next((n for n in reversed(range(len(parts))) if isinstance(parts[n], p.Exists)), None)
            if condition is not None and (_IF_SO.search(clause) or set(parts[condition].things) & set(things)):
                found = [part.model_copy(update={"when": condition}) for part in found]
        if not found and not things and place.region is not None:
            carried = place.region  # "look within 1 km of the dam: any houses?"
        parts += found
        if len(found) == 1 and isinstance(found[0], p.Attribute):
            things = (found[0].thing,)  # not what it is asked to be: "is the runway grass or gravel?"
        topic = things or topic
        region = own
    if not parts and not refused and told and any(map(_is_told, clauses)):
        return _parts(text, offered, notes, refused, told=False)  # "we have no tennis courts, do we?"
    return _unique(parts), None


def _in_each(part: p.Part, place: Place) -> list[p.Part]:
    """Return a part for each part of the scene that its clause names."""
    if (
        not place.others
        or part.region != place.region
        or not isinstance(part, p.Exists | p.Count | p.Where | p.Share | p.ListThings)
    ):
        return [part]
    return [part, *(part.model_copy(update={"region": other}) for other in place.others)]


def _asked_on(part: p.Part, before: p.Part) -> p.Part:
    """Return what a name alone asks after another question: "is there a lake? And a river?"."""
    if not isinstance(part, p.Where) or not isinstance(before, p.Exists | p.Count):
        return part
    return type(before)(thing=part.thing, region=part.region)


def _with_topic(clause: str, topic: Sequence[p.Thing]) -> str:
    """Put the thing of the clause before in place of "it" where another thing is named: "is it west of the river?".

    "What is next to it?" names none, and asks for what is near the thing before.
    """
    if len(topic) == 1 and _BESIDE_IT.match(clause) and not things_of(clause):
        return _PRONOUN.sub(f"the {topic[0].name}", clause, count=1)
    if len(topic) == 1 and (bare := _HOW_MANY_THERE.match(clause)):
        return f"how many {topic[0].name} are {clause[bare.end() :]}"
    if len(topic) == 1 and _HOW_FAR.search(clause) and len(things_of(clause)) == 1:
        clause = _ONE_OF_THEM.sub(f"the {topic[0].name}", clause, count=1)
    if len(topic) != 1 or not _PRONOUN.search(clause) or len(things_of(clause)) != 1:
        return clause
    if not re.search(r"\b(?:of|from|to|near|by|at|in|inside|beside|than|above|below|under)\b", clause):
        return clause
    return _PRONOUN.sub(f"the {topic[0].name}", clause, count=1)


def _is_told(clause: str) -> bool:
    """Return whether a clause tells of something and asks nothing: "my neighbour has a boat"."""
    subject = _SUBJECT.match(clause)
    tells = _TELLS.match(clause) or (subject is not None and is_unseen(singular(subject[1])))
    return bool(tells) and not _ASKING.search(clause) and not asks_more(clause)


def _sensible(found: Sequence[p.Part], things: Sequence[p.Thing], *, alone: bool) -> bool:
    """Return whether a clause that only names things names at least one that is known."""
    bare = bool(found) and all(part.op == "where" for part in found)
    return not bare or any(is_known(thing) for thing in things) or (alone and len(things) == 1)


def _only_named(text: str) -> bool:
    """Return whether a question is nothing but a name: "woodland?"."""
    return len(clauses_of(text)) == 1 and is_topic(Clause(clauses_of(text)[0], things_of(text)))


def _is_noise(spelled: Spelled, text: str) -> bool:
    """Return whether a text that asks nothing was made of unknown words."""
    if len(spelled.notes) + len(spelled.unknown) < 2 or _ASKS.search(text):
        return False
    return bool(spelled.unknown) or not _known_word(text)


def _known_word(text: str) -> bool:
    """Return whether a text holds a word of questions, or a thing that is known."""
    return bool(_ASKS.search(text)) or any(is_known(thing) for thing in things_of(text))


def _of_statements(choices: Mapping[str, str], notes: list[str]) -> list[p.Part]:
    """Return what the choices say, where the question names nothing: "which statement is true?"."""
    found: list[p.Part] = []
    for choice in choices.values():
        low = written_out(clean(choice)[:MAX_CHARACTERS].lower())
        parts, _ = _parts(low, (), notes, {})
        parts = parts or [p.Where(thing=thing) for thing in things_of(low)]
        for part in parts:
            if isinstance(part, p.Exists | p.Relative):
                part = part.model_copy(update={"negated": False})
            found.append(part.model_copy(update={"when": None}))
    return _unique(found)


def _near_is_region(clause: str) -> bool:
    """Return whether "near the pier" limits a question ("are there cars near the pool?") and is not what it asks."""
    if re.search(
        r"\bhow (?:near|close|far)\b|\bnearest\b|\bclosest\b|\bdistance\b|\bdirection\b|\brelat\w+\b|"
        r"\brespect\b|\b(?:which|what) (?:way|side)\b",
        clause,
    ):
        return False
    return not re.match(r"(?:is|are|was|were) (?:the|that|this|those|these|it|they)\b", clause)


def _offered(text: str, choices: Mapping[str, str]) -> tuple[p.Thing, ...]:
    """Return the things that the choices name; places, numbers and refusals are none."""
    found: dict[str, p.Thing] = {}
    for choice in choices.values():
        low = clean(choice)[:MAX_CHARACTERS].lower()
        if _NO_TARGET.search(low) or _STATES.search(low):
            continue
        for phrase in noun_phrases(low)[:1]:
            thing = thing_of(phrase)
            found.setdefault(thing.phrase, thing)
    return tuple(found.values())[: p.MAX_THINGS]


def _unique(parts: Sequence[p.Part]) -> list[p.Part]:
    """Return parts without repetitions, so far as no condition counts on their order."""
    if any(part.when is not None for part in parts):
        return list(parts)
    return list(dict.fromkeys(parts))


def _unplanned(why: str, notes: Sequence[str], *, unsure: bool = False, for_a_word: bool = False) -> p.Plan:
    return p.Plan(parts=(), by="rules", unplanned=f"{why}.", notes=tuple(notes), unsure=unsure, for_a_word=for_a_word)


def _quoted(spelled: Spelled) -> str:
    return ", ".join(repr(word[:30]) for word in spelled.unknown[:5])
