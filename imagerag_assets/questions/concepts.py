"""Concepts in a question: which it names, in which versions, and how patches are scored for them.

Rules and models read words, so a concept's name is a plain noun while they do; the plan then has its name again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagerag_assets.concepts.store import load_concept
from imagerag_assets.concepts.types import PREFIX, Concept, concept_name
from imagerag_assets.concepts.vectors import vectors_of_concept
from imagerag_assets.errors import QuestionError
from imagerag_assets.installation.serving import Serving
from imagerag_assets.plans.plan import Plan
from imagerag_assets.questions.question import Question
from imagerag_assets.retrieval.background import background_vectors
from imagerag_assets.retrieval.by_example import Sought, sought_by
from imagerag_assets.retrieval.collection_sample import collection_sample
from imagerag_assets.retrieval.recognition import recognition

_NAMED = re.compile(r"(?<![\w:/.@])my:[^\s?!,;:()\"“”'’]+", re.IGNORECASE)
_STAND_INS = ("windmill", "lighthouse", "silo", "greenhouse", "quarry", "stadium", "hangar", "glacier")
"""Nouns that rules and models read without doubt, for as long as a question is read."""


@dataclass(frozen=True)
class UsedConcept:
    """A concept that a question names."""

    concept: Concept
    sought: Sought
    sample: str
    """Digest of the patches that say what is usual."""
    with_word: bool
    """Whether the encoder tells its word from others, so that it counts."""

    def to_lineage(self) -> dict[str, Any]:
        """Return what an answer's lineage keeps."""
        return {
            "version": self.concept.version,
            "digest": self.concept.digest,
            "calibration": self.sought.calibration,
            "sample": self.sample,
            "with_word": self.with_word,
        }


class StandIns:
    """Put plain nouns in the place of concepts' names, and the names back into plans."""

    def __init__(self, texts: Iterable[str], choices: Mapping[str, str]) -> None:
        said = [*texts, *choices.values()]
        names = _names_in(said)
        words = " ".join(said).lower()
        free = [word for word in _STAND_INS if word[:5] not in words]
        if len(names) > len(free):
            raise QuestionError(f"The question names {len(names)} concepts", fix=f"Name at most {len(free)}")
        self._words = dict(zip(names, free, strict=False))

    def hidden(self, text: str) -> str:
        """Return a text with nouns in the place of names."""
        return _NAMED.sub(lambda found: self._words.get(phrase_of(found[0]), found[0]) + _after(found[0]), text)

    def shown(self, plan: Plan) -> Plan:
        """Return a plan with the names in the place of nouns."""
        return Plan.model_validate(self._named(plan.model_dump())) if self._words else plan

    def _named(self, value: Any) -> Any:
        if isinstance(value, dict):
            if {"name", "look_for"} <= value.keys():
                return self._thing(value)
            return {key: self._named(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._named(each) for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _thing(self, thing: dict[str, Any]) -> dict[str, Any]:
        for phrase, word in self._words.items():
            if word in f"{thing['name']} {thing['look_for']}".lower():
                return thing | {"name": self._text(thing["name"]), "look_for": phrase}
        return thing

    def _text(self, text: str) -> str:
        for phrase, word in self._words.items():
            text = re.sub(rf"\b{word}s?\b", phrase, text, flags=re.IGNORECASE)
        return text


def phrase_of(text: str) -> str:
    """Return a concept in a question as phrases name it: "My:PumpJack." is "my:pumpjack"; of a version "my:x@3".

    Raises:
        ConceptError: it cannot be a concept's name.
    """
    name, at, version = text.rstrip(".").partition("@")
    if at and not version.isdecimal():
        concept_name(f"{name}@{version}")
    return f"{PREFIX}{concept_name(name)}{at}{version}"


def named_in(question: Question) -> tuple[str, ...]:
    """Return the concepts that the text and the choices of a question name, as phrases."""
    return tuple(_names_in((question.question, *question.choices.values())))


def _names_in(texts: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(phrase_of(found[0]) for text in texts for found in _NAMED.finditer(text))


def load_concepts(
    serving: Serving, question: Question, phrases: Collection[str], versions: Mapping[str, int] | None = None
) -> dict[str, UsedConcept]:
    """Return the concepts among phrases, and how patches are scored for them.

    Args:
        serving: The collection, and the installation with its encoder.
        question: What is asked.
        phrases: What is looked for; only what begins with "my:" is a concept.
        versions: Of concepts by name, where the ones in use are not meant.

    Raises:
        ConceptError: there is no such concept; the nearest names are offered.
        QuestionError: the retrieval that is asked for knows no concepts.
        StoreError: a crop or shard cannot be read.
        EncoderError: a crop cannot be embedded.
    """
    wanted = {each: _load(serving, each, versions or {}) for each in _concepts_of(question, phrases)}
    if wanted and question.retrieval == "paper":
        raise QuestionError("The paper's retrieval knows no concepts", fix="Leave --retrieval paper out")
    if not wanted or question.mode != "imagerag" or question.path == "none":
        return {}
    platform = serving.platform
    usual = collection_sample(platform, serving.target)
    sample = hashlib.sha256(usual.vectors.tobytes()).hexdigest()[:16]
    words = {phrase: concept.said for phrase, concept in wanted.items()}
    judged = recognition(platform, list(dict.fromkeys(words.values())))
    found = {}
    for phrase, concept in wanted.items():
        known = judged[words[phrase]].known and judged[words[phrase]].by in ("pictures", "likeness")
        sought = sought_by(
            vectors_of_concept(platform, concept, "positive"),
            vectors_of_concept(platform, concept, "negative"),
            usual,
            word=platform.encoder.encode_texts([words[phrase]])[0] if known else None,
            words=background_vectors(platform.encoder) if known else None,
        )
        found[phrase] = UsedConcept(concept, sought, sample, known)
    return found


def _concepts_of(question: Question, phrases: Collection[str]) -> dict[str, None]:
    planned = (phrase_of(phrase) for phrase in phrases if phrase.lower().startswith(PREFIX))
    return dict.fromkeys([*named_in(question), *planned])


def _load(serving: Serving, phrase: str, versions: Mapping[str, int]) -> Concept:
    name, _, version = phrase.removeprefix(PREFIX).partition("@")
    return load_concept(serving.platform, name, int(version) if version else versions.get(name))


def _after(text: str) -> str:
    return "." if text.endswith(".") else ""
