"""Lessons for the model that reads questions: templates, written by us, filled with things from the thesaurus.

A template is `{"q": "Any {As} about?", "plan": ["exists: A"]}`: `{A}` a thing in the singular, `{As}` in the plural,
`{a A}` with its article; `{B}`, `{C}`, `{D}` further things; `{N}` a distance.  Plans are in the notation of
`plans/notation.py` with slots in place of things.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lemminflect import getAllLemmas, getInflection

from imagerag_assets.plans.spelling import english_words
from imagerag_assets.plans.thesaurus import names_known

Template = dict[str, list[str] | str]
TEMPLATES = Path(__file__).parent / "reading"
_SLOT = re.compile(r"\{(?P<a>a )?(?P<name>[A-DN])(?P<plural>s)?\}")
_UNKNOWN = 0.15
"""Share of things that are any noun of English, so that the model copies what it does not know."""
_METRES = re.compile(r"\{N\} ?(?:metres|meters|metre|meter|m)\b")
_OTHER_UNITS = {"ft": ("feet", "ft"), "yd": ("yards",), "mi": ("miles",)}
_TURNED = (
    {"north": "south", "south": "north", "n": "s", "s": "n"},
    {"east": "west", "west": "east"},
    {"upper": "lower", "lower": "upper", "top": "bottom", "bottom": "top", "above": "below", "below": "above"},
    {"left": "right", "right": "left"},
)
_DIRECTION = re.compile(r"(north|south|east|west|upper|lower|top|bottom|above|below|left|right)")
_CORNER = re.compile(r"\b([ns])([ew])\b")


@dataclass(frozen=True)
class Lesson:
    """A question in lower case, and the line of its plan."""

    question: str
    line: str


def read_templates(files: Iterable[Path]) -> list[Template]:
    """Read the templates of files."""
    return [
        json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
    ]


def fill(template: Template, rng: random.Random) -> Lesson:
    """Put things in the slots of a template, and turn its directions round in half of the cases."""
    question, parts = str(template["q"]).lower().replace("{a a}", "{a A}"), "; ".join(template["plan"])
    parts = re.sub(r"@ (above|below) (?!of )", r"@ \1 of ", parts)
    question = re.sub(r"\{(a )?([a-dn])(s?)\}", lambda m: f"{{{m[1] or ''}{m[2].upper()}{m[3]}}}", question)
    for turned in _TURNED:
        if rng.random() < 0.5:
            question, parts = _turn(question, parts, turned)
    chosen = {name: rng.choice(_things()) if rng.random() > _UNKNOWN else rng.choice(_nouns()) for name in "ABCD"}
    question, parts = _with_distance(question, parts, rng)

    def said(slot: re.Match[str]) -> str:
        one, several = chosen[slot["name"]]
        if slot["plural"]:
            return several
        return f"{'an' if one[0] in 'aeiou' else 'a'} {one}" if slot["a"] else one

    line = re.sub(r"\b([ABCD])\b", lambda name: chosen[name[1]][0], parts)
    question = _SLOT.sub(said, question)
    if rng.random() < 0.15:
        question = question.rstrip("?.! ")
    return Lesson(" ".join(question.split()), line)


def _turn(question: str, parts: str, turned: dict[str, str]) -> tuple[str, str]:
    """Exchange two directions in a question and its plan, so far as both hold the same ones."""
    words = [word for word in turned if len(word) > 1]
    in_plan = [word for word in words if word in _DIRECTION.findall(parts)]
    in_question = [word for word in words if word in _DIRECTION.findall(question)]
    if not in_plan:
        return question, parts
    if "left" in words and len(re.findall(r"\b(?:left|right)", question)) != len(in_plan):
        return question, parts  # "..., right?"
    if "upper" in words and not in_question:
        return question, parts
    swap = re.compile("|".join(sorted(words, key=len, reverse=True)))
    question = swap.sub(lambda each: turned[each[0]], question)
    if "n" in turned:
        question = _CORNER.sub(lambda each: turned[each[1]] + each[2], question)
    if "east" in turned:
        question = _CORNER.sub(lambda each: each[1] + {"e": "w", "w": "e"}[each[2]], question)
    return question, swap.sub(lambda each: turned[each[0]], parts)


def _with_distance(question: str, parts: str, rng: random.Random) -> tuple[str, str]:
    if "{N}" not in question:
        return question, parts
    far = "{N}km" in parts
    number = str(
        rng.choice((1, 2, 3, 5, 10, 1.5, 20))
        if far
        else rng.choice((20, 50, 100, 150, 200, 250, 300, 400, 500, 800, 1000, 75, 120))
    )
    if not far and rng.random() < 0.25 and _METRES.search(question):
        unit, names = rng.choice(list(_OTHER_UNITS.items()))
        question = _METRES.sub(f"{{N}} {rng.choice(names)}", question)
        parts = parts.replace("{N}", f"{{N}}{unit}")
        number = rng.choice(("1", "2", "3", "5")) if unit == "mi" else number
    return question.replace("{N}", number), parts.replace("{N}", number)


@cache
def _things() -> Sequence[tuple[str, str]]:
    """Return singular and plural of every name of the thesaurus that has both."""
    return [(name, several) for name in names_known() if (several := _plural(name)) is not None]


@cache
def _nouns() -> Sequence[tuple[str, str]]:
    """Return singular and plural of English nouns."""
    found: list[tuple[str, str]] = []
    for word in english_words():
        if len(word) > 3 and getAllLemmas(word).get("NOUN") == (word,) and len(getAllLemmas(word)) == 1:
            several = _plural(word)
            if several is not None:
                found.append((word, several))
    return found


def _plural(name: str) -> str | None:
    words = name.split()
    head = next((at - 1 for at, word in enumerate(words) if at and word in ("of", "for", "with")), len(words) - 1)
    forms = getInflection(words[head], "NNS")
    if not forms or forms[0] == words[head]:
        return None
    return " ".join([*words[:head], forms[0], *words[head + 1 :]])


def endless(templates: Sequence[Template], seed: int) -> Iterator[Lesson]:
    """Give lessons without end: each round has every template once, in another order."""
    rng = random.Random(seed)
    while True:
        for template in rng.sample(list(templates), len(templates)):
            yield fill(template, rng)
