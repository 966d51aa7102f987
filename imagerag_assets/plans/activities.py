"""What people want to do, read as the thing that they need for it: "somewhere to moor a boat" names a harbor."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources

from lemminflect import getAllLemmas

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.thesaurus import known_run, look_up, singular
from imagerag_assets.plans.unseen import is_unseen

_REACH = 6
"""Words between a verb and its object at most."""
_BEFORE_VERBS = lexicon.words(
    "to can could would should might may will must i we you they he she one people folk folks somebody someone anybody "
    "anyone everybody kids kid children child family families locals residents do does did and go"
)
_DETERMINERS = lexicon.words("a an the my our your his her their some")
_MODALS = lexicon.words("can could may might will would should")
_DOERS = _DETERMINERS | lexicon.words(
    "to and i we you they he she one people folk folks somebody someone anybody anyone everybody kids kid children "
    "child family families locals residents"
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def said_as_things(text: str) -> str:
    """Return a clause in lower case with the thing in place of what one does with it."""
    words = list(_WORD.finditer(text))
    plain = [word[0] for word in words]
    within = _within_names(plain)
    best: tuple[int, int, int, str] | None = None
    for at, word in enumerate(plain):
        if within[at]:
            continue
        for first, last, thing in _activities(plain, at, word):
            if best is None or last - first > best[1] - best[0]:
                best = first, last, at, thing
    if best is None:
        return text
    first, last, verb, thing = best
    first = _subject(plain, first)
    if last == verb:
        last = _object(plain, last)
    rest = text[: words[first].start()] + text[words[last].end() :]
    if thing in {look_up(name).look_for for name in _names(rest)}:
        return text  # "do planes land on the runway?" names it
    return f"{text[: words[first].start()]}a {thing} {text[words[last].end() :]}".strip()


def _subject(plain: Sequence[str], first: int) -> int:
    """Return where the words of who does it begin: "could [the kids play] tennis"."""
    while first and (plain[first - 1] in _DOERS or is_unseen(singular(plain[first - 1]))):
        first -= 1
    if first > 1 and plain[first - 1] in _MODALS and plain[first - 2] in _DOERS:
        return _subject(plain, first - 2)  # "a spot where people could swim"
    return first


def _object(plain: Sequence[str], verb: int) -> int:
    """Return the last word of what a verb is done to: "moor a boat"."""
    last = verb
    if verb + 1 < len(plain) and plain[verb + 1] in _DETERMINERS:
        last = verb + 1
        while last + 1 < len(plain) and last < verb + 4 and not lexicon.is_known(plain[last + 1]):
            last += 1
    return last if last > verb + 1 else verb


def _activities(plain: Sequence[str], at: int, word: str) -> Iterator[tuple[int, int, str]]:
    """Yield the first and the last word, and the thing, of what begins with a verb at `at`."""
    for base in getAllLemmas(word).get("VERB", ()):
        for verb, following, thing in _by_verb().get(base, ()):
            end = at + len(verb)
            if tuple(plain[at + 1 : end]) != verb[1:] or not _is_verb(plain, at, base, bare=not following):
                continue
            if not following:
                done_to = plain[_object(plain, end - 1)]
                if done_to == plain[end - 1] or not look_up(singular(done_to)).known:
                    yield at, end - 1, thing
                continue
            after = [n for n in range(end, min(end + _REACH, len(plain))) if singular(plain[n]) == following]
            before = [n for n in range(max(0, at - _REACH), at) if singular(plain[n]) == following]
            if after:
                yield at, after[0], thing
            elif before and word != base and not look_up(following).known:
                yield before[-1], end - 1, thing  # "where is the fuel stored?"


def _is_verb(plain: Sequence[str], at: int, base: str, *, bare: bool) -> bool:
    before = plain[at - 1] if at else ""
    if plain[at].endswith("ing") and plain[at] != base:
        return not bare or before in ("for", "go", "do", "like", "fancy")
    if plain[at] != base:
        if bare and any(look_up(singular(word)).known for word in plain[:at]):
            return False  # "are planes parked here?"
        return any(
            word in ("is", "are", "be", "being", "was", "were", "they", "have") for word in plain[max(0, at - 5) : at]
        )
    return before in _BEFORE_VERBS or before.endswith("ly") or is_unseen(singular(before))


def _within_names(plain: Sequence[str]) -> list[bool]:
    within = [False] * len(plain)
    for at in range(len(plain)):
        for index in range(at, at + known_run(plain, at)):
            within[index] = True
    return within


def _names(text: str) -> list[str]:
    plain = _WORD.findall(text)
    runs = [" ".join(plain[at : at + known_run(plain, at)]) for at in range(len(plain))]
    return [name for name in (*runs, *plain) if name]


@cache
def _by_verb() -> dict[str, list[tuple[tuple[str, ...], str, str]]]:
    """Return verb phrases, what follows them and the thing, by the verb."""
    text = resources.files("imagerag_assets.plans").joinpath("activities.toml").read_text(encoding="utf-8")
    found: dict[str, list[tuple[tuple[str, ...], str, str]]] = {}
    for thing, activities in tomllib.loads(text).items():
        for activity in activities:
            verb, _, following = activity.partition(" ")
            words = tuple(verb.split("_"))
            found.setdefault(words[0], []).append((words, following, thing))
    return found
