"""Lessons for the demo's multimodal model: questions that need eyes, each with pictures and its right answer.

Which of several things a picture shows, whether something is in it, colours, more or fewer, two dates, descriptions,
whole scenes, and blank pictures, of which nothing can be said.  Numbers and places are not taught: they are computed
from the evidence.  Wording is in `lesson_words.py`; no file is read and no model is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from PIL import Image

from imagerag_assets.answering.findings import YES as YES_LETTER
from imagerag_assets.answering.findings import confirmation
from imagerag_assets.answering.prompts import FAMILIES, build_parts
from imagerag_assets.answering.types import CueView, Finding, Prompt
from imagerag_assets.demo.models import lesson_words as words
from imagerag_assets.demo.models.pictures import EUROSAT_CLASSES, Pictures
from imagerag_assets.demo.models.vocabulary import PHRASES

T = TypeVar("T")
DOT = Image.new("RGB", (1, 1))
LETTERS = "ABCDEFGH"
SHARES = {
    "which": 0.34,
    "is_there": 0.14,
    "confirm": 0.1,
    "colour": 0.12,
    "pair": 0.07,
    "dates": 0.07,
    "describe": 0.06,
    "scene": 0.05,
    "blank": 0.05,
}
_BY_LETTER, _AS_SCENE, _WITH_OVERVIEW, _WITH_FOUND = 0.2, 0.4, 0.08, 0.15


@dataclass(frozen=True)
class Lesson:
    """One question with its answer.

    pictures: indices of pictures, that of the overview first if there is one; reply: the text of the right choice, or
    words if there are no choices; in_words: the choice is named in words, not by letter.
    """

    kind: str
    prompt: Prompt
    pictures: tuple[int, ...]
    reply: str
    in_words: bool = True

    def said(self) -> str:
        """Return what the model is to say."""
        if self.in_words or not self.prompt.choices:
            return f" {self.reply}"
        return next(letter for letter, text in self.prompt.choices.items() if text == self.reply)


def render(lesson: Lesson, image: str) -> str:
    """Return the user's turn as the processor makes it; `image` stands for each picture."""
    parts = build_parts(lesson.prompt, FAMILIES["generic"], in_words=lesson.in_words)
    text = "".join(part if isinstance(part, str) else image for part in parts)
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


class LessonMaker:
    """Makes lessons about a set of pictures.

    Args:
        pictures: What they show.
    """

    def __init__(self, pictures: Pictures) -> None:
        self.shown = pictures.shown
        self._chips = pictures.of_kind("chip")
        self._drawn = pictures.of_kind("drawn")
        self._land = pictures.of_kind("land")
        self._dates = pictures.of_kind("dates")
        self._overviews = pictures.of_kind("overview")
        self._blanks = pictures.of_kind("blank")
        self._trees = pictures.of_kind("trees")
        self._coloured = [i for i in self._drawn if self.shown[i].colour]
        self._of: dict[str, list[int]] = {}
        for number in self._chips:
            self._of.setdefault(self.shown[number].names[0], []).append(number)
        self._scenes_of: dict[str, list[int]] = {}
        for number in self._overviews:
            self._scenes_of.setdefault(self.shown[number].names[0], []).append(number)
        self._real = sorted(self._of)
        self._objects = sorted({self.shown[i].names[0] for i in self._drawn} - set(words.GROUNDS))
        makers: dict[str, Callable[[np.random.Generator], Lesson]] = {
            "which": self._which,
            "is_there": self._is_there,
            "confirm": self._confirm,
            "colour": self._colour,
            "pair": self._pair,
            "dates": self._two_dates,
            "describe": self._describe,
            "scene": self._scene,
            "blank": self._blank,
        }
        pools = {"colour": self._coloured, "dates": self._dates, "blank": self._blanks}
        pools["scene"] = self._overviews + self._land
        self._makers = {kind: make for kind, make in makers.items() if pools.get(kind, True)}
        shares = np.asarray([SHARES[kind] for kind in self._makers])
        self._shares = shares / shares.sum()

    def make(self, rng: np.random.Generator, kind: str | None = None) -> Lesson:
        """Return one lesson, of any kind that there are pictures for unless `kind` is given."""
        kind = kind or str(rng.choice(list(self._makers), p=self._shares))
        return self._makers[kind](rng)

    def _which(self, rng: np.random.Generator) -> Lesson:
        chance = rng.random()
        pool = self._chips if chance < 0.68 else self._drawn if chance < 0.88 or not self._land else self._land
        index = _pick(pool, rng)
        name = self.shown[index].names[0]
        question = _pick(words.WHICH, rng).format(p=_pick(words.PICTURE, rng))
        if rng.random() < 0.15:
            return self._ask("which", question, (), _say(name, rng, plain=True), [index], rng)
        wrong = self._wrong(index, int(rng.integers(1, 6)), rng)
        plain = bool(rng.random() < 0.4)
        right = _say(name, rng, plain=plain)
        choices = [right, *(_say(other, rng, plain=plain) for other in wrong)]
        if rng.random() < 0.12:  # none of them, which is right where the thing itself is not among them
            none = _pick(("none of these", "something else", "none of the above"), rng)
            choices = [none, *choices[1:], right][: len(choices) + int(rng.random() < 0.5)]
            right = right if right in choices else none
        return self._ask("which", question, choices, right, [index], rng)

    def _is_there(self, rng: np.random.Generator) -> Lesson:
        index = _pick(self._chips if rng.random() < 0.7 else self._drawn, rng)
        there = bool(rng.random() < 0.5)
        name = self.shown[index].names[0] if there else self._wrong(index, 1, rng, strictly=True)[0]
        thing = _with_article(_say(name, rng))
        question = _agreeing(_pick(words.IS_THERE, rng).format(x=thing, p=_pick(words.PICTURE, rng)), thing)
        number = int(rng.integers(3))
        yes, no = words.YES[number], words.NO[number]
        right = yes if there else no
        if rng.random() < 0.25:
            return self._ask("is_there", question, (), "yes" if there else "no", [index], rng)
        choices = [yes, no]
        if rng.random() < 0.2:
            choices.append(_pick(words.NOTHING, rng))
        return self._ask("is_there", question, choices, right, [index], rng)

    def _confirm(self, rng: np.random.Generator) -> Lesson:
        """The question that the platform asks about a cue, with what it was found for."""
        index = _pick(self._chips if rng.random() < 0.65 else self._drawn, rng)
        there = bool(rng.random() < 0.5)
        name = self.shown[index].names[0] if there else self._wrong(index, 1, rng, strictly=True)[0]
        cue = CueView(DOT, _box(rng), _say(name, rng), _confidence(rng))
        prompt = confirmation(cue)
        reply = next(text for letter, text in prompt.choices.items() if (letter == YES_LETTER) == there)
        return Lesson("confirm", prompt, (index,), reply, bool(rng.random() > _BY_LETTER))

    def _colour(self, rng: np.random.Generator) -> Lesson:
        index = _pick(self._coloured, rng)
        shown = self.shown[index]
        assert shown.colour
        thing = _pick((shown.names[0], shown.names[0], "object", "thing in the middle"), rng)
        question = _pick(words.COLOUR, rng).format(x=thing)
        if rng.random() < 0.25:
            return self._ask("colour", question, (), shown.colour, [index], rng, phrase=shown.names[0])
        wrong = [colour for colour in words.COLOURS if colour != shown.colour]
        some = [str(colour) for colour in rng.choice(wrong, int(rng.integers(1, 5)), replace=False)]
        return self._ask("colour", question, [shown.colour, *some], shown.colour, [index], rng, phrase=shown.names[0])

    def _pair(self, rng: np.random.Generator) -> Lesson:
        """Two cues: which of them shows something, or more of it."""
        form = int(rng.integers(4))
        names = ("cue 1", "cue 2") if form else ("the first", "the second")
        chance = rng.random()
        if chance < 0.5:
            name = _pick(self._real, rng)
            one = _pick(self._of[name], rng)
            other = _pick([i for i in self._chips if not self._may_show(i, name)], rng)
            thing = _with_article(_say(name, rng))
            question = _agreeing(_pick(words.WHICH_CUE, rng).format(x=thing), thing)
            first = True
        elif chance < 0.75 and self._trees:
            one, other = self._more_trees(rng)
            first = bool(rng.random() < 0.7)
            question = _pick(words.MORE if first else words.FEWER, rng).format(x="trees")
        else:
            thing = _pick(list(words.MUCH), rng)
            many, few = words.MUCH[thing]
            one, other = (_pick([i for name in group for i in self._of[name]], rng) for group in (many, few))
            first = bool(rng.random() < 0.7)
            question = _pick(words.MORE if first else words.FEWER, rng).format(x=thing)
        right, wrong = (one, other) if first else (other, one)
        order = [right, wrong] if rng.random() < 0.5 else [wrong, right]
        return self._ask("pair", question, list(names), names[order.index(right)], order, rng, neutral=True)

    def _more_trees(self, rng: np.random.Generator) -> tuple[int, int]:
        while True:
            one, other = _pick(self._trees, rng), _pick(self._trees, rng)
            if (self.shown[one].count or 0) > 2 * (self.shown[other].count or 0) + 4:
                return one, other

    def _two_dates(self, rng: np.random.Generator) -> Lesson:
        index = _pick(self._dates, rng)
        names = self.shown[index].names
        changed = len(names) == 2
        if rng.random() < 0.4:
            question = _pick(words.SAME, rng)
            choices = ["yes", "no"] if rng.random() < 0.6 else ["it changed", "nothing changed"]
            return self._ask("dates", question, choices, choices[not changed], [index], rng, phrase="change")
        question = _pick(words.DATES, rng)
        reply = f"from {words.SAID[names[0]]} to {words.SAID[names[1]]}" if changed else "nothing changed"
        if rng.random() < 0.4:
            return self._ask("dates", question, (), reply, [index], rng, phrase="change")
        others = self._wrong(index, 2, rng)
        choices = ["nothing changed", f"from {words.SAID[names[0]]} to {words.SAID[others[0]]}", reply]
        if changed and rng.random() < 0.5:
            choices.append(f"from {words.SAID[names[1]]} to {words.SAID[names[0]]}")
        return self._ask("dates", question, list(dict.fromkeys(choices)), reply, [index], rng, phrase="change")

    def _describe(self, rng: np.random.Generator) -> Lesson:
        index = _pick(self._chips if rng.random() < 0.7 else self._drawn, rng)
        shown = self.shown[index]
        reply = words.LOOKS[shown.names[0]]
        if shown.colour:
            article, _, rest = reply.partition(" ")
            reply = f"{article} {shown.colour} {rest}" if article in ("a", "an") else f"{shown.colour} {reply}"
            reply = reply.replace("an ", "a ", 1) if reply.startswith("an ") else reply
        question = _pick(words.DESCRIBE, rng).format(p=_pick(words.PICTURE, rng))
        return self._ask("describe", question, (), reply, [index], rng)

    def _scene(self, rng: np.random.Generator) -> Lesson:
        """An overview that belongs to its scene: what most of the scene is."""
        pool = _pick([some for some in (self._overviews, self._land) if some], rng)
        index = _pick(pool, rng)
        name = self.shown[index].names[0]
        choices = [_said(name), *(_said(other) for other in self._wrong(index, int(rng.integers(1, 5)), rng))]
        question = _pick(words.SCENE, rng)
        return self._ask("scene", question, choices, choices[0], [index], rng, as_scene=True)

    def _blank(self, rng: np.random.Generator) -> Lesson:
        other = self.make(rng, _pick(("which", "is_there", "colour", "describe"), rng))
        prompt = replace(other.prompt, choices={})
        reply = words.UNSEEN
        if other.prompt.choices and len(other.prompt.choices) < len(LETTERS):
            nothing = _pick(words.NOTHING, rng)
            texts = [text for text in other.prompt.choices.values() if text not in words.NOTHING]
            prompt, reply = replace(prompt, choices=_lettered([*texts, nothing], rng)), nothing
        blanks = tuple(_pick(self._blanks, rng) for _ in other.pictures)
        return Lesson("blank", prompt, blanks, reply, other.in_words)

    def _ask(
        self,
        kind: str,
        question: str,
        choices: Sequence[str],
        reply: str,
        pictures: Sequence[int],
        rng: np.random.Generator,
        *,
        phrase: str | None = None,
        neutral: bool = False,
        as_scene: bool | None = None,
    ) -> Lesson:
        """Put a question together: the pictures as cues, or one of them as the scene."""
        in_words = bool(rng.random() > _BY_LETTER)
        lettered = _lettered(choices, rng)
        if as_scene if as_scene is not None else len(pictures) == 1 and rng.random() < _AS_SCENE:
            return Lesson(kind, Prompt(question, lettered, DOT), tuple(pictures), reply, in_words)
        told = [self._phrase(index, phrase, neutral, rng) for index in pictures]
        cues = tuple(CueView(DOT, _box(rng), each, _confidence(rng)) for each in told)
        found: tuple[Finding, ...] = ()
        if rng.random() < _WITH_FOUND:
            found = tuple(Finding(each, (_place(rng),)) for each in dict.fromkeys(told))
        overviews = self._scenes_of.get(self.shown[pictures[0]].names[0]) if self.shown[pictures[0]].names else None
        if overviews and rng.random() < _WITH_OVERVIEW:
            prompt = Prompt(question, lettered, DOT, cues, found)
            return Lesson(kind, prompt, (_pick(overviews, rng), *pictures), reply, in_words)
        return Lesson(kind, Prompt(question, lettered, None, cues, found), tuple(pictures), reply, in_words)

    def _phrase(self, index: int, phrase: str | None, neutral: bool, rng: np.random.Generator) -> str:
        """What a cue was found for: mostly nothing that helps, sometimes the truth, as often something false."""
        chance = rng.random()
        if neutral or chance < 0.55:
            return _pick(words.NEUTRAL, rng)
        if phrase is not None:
            return phrase
        if chance < 0.78:
            return _say(self.shown[index].names[0], rng)
        return _say(self._wrong(index, 1, rng)[0], rng)

    def _wrong(self, index: int, count: int, rng: np.random.Generator, *, strictly: bool = False) -> list[str]:
        """Return classes that a picture does not show; those that look alike are likelier."""
        shown = self.shown[index]
        name = shown.names[0]
        if shown.kind == "land":
            pool = [other for other in EUROSAT_CLASSES.values() if other != name]
        elif shown.kind == "drawn":
            pool = [other for other in self._objects if other != name]
            pool += [] if name in self._objects else [other for other in words.GROUNDS if other != name and strictly]
        else:
            pool = [other for other in (*self._real, *self._objects) if not self._may_show(index, other)]
            if not strictly:
                pool += [other for other in self._real if other not in pool and other not in shown.names + shown.also]
        pool = list(dict.fromkeys(pool))
        alike = {other for group in words.ALIKE if name in group for other in group}
        weights = np.asarray([3.0 if other in alike else 1.0 for other in pool])
        count = min(count, len(pool))
        return [str(other) for other in rng.choice(pool, count, replace=False, p=weights / weights.sum())]

    def _may_show(self, index: int, name: str) -> bool:
        shown = self.shown[index]
        return any(name == other or name in words.TOGETHER.get(other, ()) for other in (*shown.names, *shown.also))


def _pick(pool: Sequence[T], rng: np.random.Generator) -> T:
    return pool[int(rng.integers(len(pool)))]


def _said(name: str) -> str:
    return words.SAID.get(name, name)


def _say(name: str, rng: np.random.Generator, *, plain: bool = False) -> str:
    """Return a class in some words of it; `plain`: as answers name it."""
    if plain or name not in PHRASES:
        return _said(name)
    return _pick([phrase for phrase in PHRASES[name] if len(phrase.split()) <= 5], rng)


def _with_article(phrase: str) -> str:
    """Return a phrase as the object of a sentence: bare singular nouns get an article."""
    first, last = phrase.split()[0], phrase.split()[-1]
    if first in ("a", "an", "the") or last.endswith("s") or len(phrase.split()) > 3:
        return phrase
    return f"{'an' if first[0] in 'aeiou' else 'a'} {phrase}"


def _agreeing(question: str, thing: str) -> str:
    """Return a question with its verb in the plural where the thing is: "Are boats visible?"."""
    if thing.split()[0] in ("a", "an", "the") or not thing.split(" with ")[0].split(" in ")[0].endswith("s"):
        return question
    for singular, plural in (
        ("Is there", "Are there"),
        (f"Is {thing}", f"Are {thing}"),
        (f"is {thing}", f"are {thing}"),
    ):
        question = question.replace(singular, plural)
    return question


def _lettered(choices: Sequence[str], rng: np.random.Generator) -> dict[str, str]:
    texts = list(dict.fromkeys(choices))
    return {LETTERS[place]: texts[int(number)] for place, number in enumerate(rng.permutation(len(texts)))}


def _box(rng: np.random.Generator) -> tuple[int, int, int, int]:
    side = int(rng.integers(30, 400))
    x, y = (int(v) for v in rng.integers(0, 1000 - side, 2))
    return x, y, x + side, y + side


def _confidence(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.3, 1.0))


def _place(rng: np.random.Generator) -> str:
    return f"{_pick(('upper', 'lower'), rng)} {_pick(('left', 'right'), rng)}"
