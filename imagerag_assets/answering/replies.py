"""Read what a server's model said: the one choice that a reply names, its probability, and refusals.

A reply counts only if all of it names exactly one choice.  Nothing is guessed: any other reply is an error that quotes
it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from imagerag_assets.json_text import read_json

_EDGES = " \t\r\n.,:;!()[]{}*_\"'`"
_REFUSAL = re.compile(
    r"(i['’]m|i am) sorry,? (but )?i (can['’]?t|cannot|can not|am unable to|won['’]t) (assist|help|comply|answer|do)",
    re.IGNORECASE,
)


class _Reported(BaseModel):
    """The fields of a server's reply that we read; servers add more."""

    model_config = ConfigDict(extra="ignore")


class Alternative(_Reported):
    """A token that the model could have chosen instead."""

    token: str
    logprob: float


class Token(Alternative):
    """One token of a reply."""

    top_logprobs: list[Alternative] = []


class _Probabilities(_Reported):
    content: list[Token] | None = None


class _Message(_Reported):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None


class _Choice(_Reported):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Probabilities | None = None


class _Usage(_Reported):
    prompt_tokens: int | None = None


class Completion(_Reported):
    """The fields of a chat completion that we read; pydantic rejects anything else."""

    choices: list[_Choice]
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None

    @property
    def tokens(self) -> Sequence[Token]:
        """The tokens of the reply with their probabilities; empty: the server reports none."""
        found = self.choices[0].logprobs
        return (found.content if found is not None else None) or ()


def refusal_of(completion: Completion) -> str | None:
    """Return what a model said when it refused to answer; None: it did not refuse."""
    first = completion.choices[0]
    if first.message.refusal:
        return first.message.refusal
    text = first.message.content or ""
    if first.finish_reason == "content_filter":
        return text or "stopped by the content filter"
    return text if _REFUSAL.match(text.strip()) else None


def choice_format(choices: Mapping[str, str], *, in_words: bool) -> dict[str, Any]:
    """Return the `response_format` that restricts a reply to one choice, as vLLM and hosted servers take it."""
    names = list(dict.fromkeys(choices.values())) if in_words else list(choices)
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": names}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}


def read_choice(text: str, choices: Mapping[str, str], *, in_words: bool = False) -> str | None:
    """Return the letter of the one choice that a reply names; None: it names none, or more than one.

    Accepted are a letter, a choice's text, or both ("B", "(B).", "lower left", "B. lower left"), and the JSON of
    :func:`choice_format`.

    Args:
        in_words: If a reply could be a text or a letter, it is a text.

    Raises:
        ValueError: the reply is JSON that is broken or has no choice.
    """
    said = _unfenced(text)
    if said.startswith("{"):
        said = _json_choice(said)
    letters: list[Callable[[str, str], str]] = [lambda letter, _: letter]
    texts: list[Callable[[str, str], str]] = [lambda _, words: words]
    both = [lambda letter, words, mark=mark: f"{letter}{mark} {words}" for mark in ("", ".", ":", ")")]
    for clean in (_folded, _bare):
        for forms in (texts, letters, both) if in_words else (letters, texts, both):
            named = {
                letter
                for letter, words in choices.items()
                if clean(said) in {clean(form(letter, words)) for form in forms}
            }
            if named:
                return named.pop() if len(named) == 1 else None
    return None


def choice_scores(
    tokens: Sequence[Token], choices: Mapping[str, str], chosen: str, *, in_words: bool = False
) -> tuple[dict[str, float], float | None]:
    """Return the probabilities of the choices, and of the chosen one; ({}, p) if only that of the reply is known.

    Args:
        tokens: The reply's tokens with their alternatives.
        chosen: The letter that the reply names.
    """
    if not tokens:
        return {}, None
    text = "".join(token.token for token in tokens)
    value = re.search(r'"choice"\s*:\s*"', text)
    start, at = (value.end() if value else len(text) - len(text.lstrip(_EDGES))), 0
    number = -1
    while at <= start and number + 1 < len(tokens):  # up to the token in which the answer begins
        number += 1
        at += len(tokens[number].token)
    token = tokens[number]
    scores = dict.fromkeys(choices, 0.0)
    for each in {alternative.token: alternative for alternative in (*token.top_logprobs, token)}.values():
        letter = _begun(each.token, choices, in_words=in_words)
        if letter is not None:
            scores[letter] += math.exp(each.logprob)
    if scores[chosen] > 0:
        total = sum(scores.values())
        scores = {letter: score / total for letter, score in scores.items()}
        return scores, scores[chosen]
    return {}, math.exp(sum(token.logprob for token in tokens[number:]))


def mean_probability(tokens: Sequence[Token]) -> float | None:
    """Return the geometric mean of the tokens' probabilities; None: they are not known."""
    return math.exp(sum(token.logprob for token in tokens) / len(tokens)) if tokens else None


def _begun(token: str, choices: Mapping[str, str], *, in_words: bool) -> str | None:
    """Return the only choice that a reply beginning with this token can name; None: there are more, or none."""
    begun = _bare(token.rpartition(':"')[2])
    if not begun:
        return None
    if not in_words:
        named = [letter for letter in choices if _folded(letter) == begun]
    else:
        named = [letter for letter, text in choices.items() if _bare(text).startswith(begun)]
    return named[0] if len(named) == 1 else None


def _json_choice(text: str) -> str:
    try:
        found = read_json(text)
    except ValueError as error:
        raise ValueError(f"invalid JSON ({error})") from None
    if not isinstance(found, dict) or not isinstance(found.get("choice"), str):
        raise ValueError("JSON without a choice")
    return str(found["choice"])


def _unfenced(text: str) -> str:
    fenced = re.fullmatch(r"```\w*\n(.*?)\n?```", text.strip(), re.DOTALL)
    return (fenced.group(1) if fenced else text).strip()


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _bare(text: str) -> str:
    return _folded(text.strip(_EDGES))
