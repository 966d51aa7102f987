"""What counts as an answer: a reply that names one choice and nothing else."""

from __future__ import annotations

import math

import pytest

from imagerag_assets.answering.replies import Completion, Token, choice_format, choice_scores, read_choice, refusal_of
from tests.bad_mllm_server import chat, probabilities

PLACES = {"A": "upper left", "B": "lower right", "C": "This image does not feature it"}
SIGNED = {"A": "-5", "B": "5"}


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B).", "B"),
        ("**B**", "B"),
        ("B. lower right", "B"),
        ("B) Lower right.", "B"),
        ("Lower  right.", "B"),
        ("This image does not feature it.", "C"),
        ('{"choice": "B"}', "B"),
        ('```json\n{"choice": "lower right"}\n```', "B"),
    ],
)
def test_a_reply_that_is_a_choice_is_taken(reply: str, letter: str) -> None:
    assert read_choice(reply, PLACES) == letter


@pytest.mark.parametrize(
    "reply",
    [
        "D",
        "",
        "AB",
        "A or B",
        "A. lower right",
        "The answer is B",
        "lower",
        "upper left or lower right",
        "I see B.",
        "?",
    ],
)
def test_any_other_reply_is_none(reply: str) -> None:
    assert read_choice(reply, PLACES) is None


@pytest.mark.parametrize("reply", ['{"choice": "B"', '{"answer": "B"}', '{"choice": 2}'])
def test_json_that_is_broken_or_says_something_else_is_told(reply: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        read_choice(reply, PLACES)


def test_signs_are_not_lost() -> None:
    assert (read_choice("-5", SIGNED), read_choice("5", SIGNED), read_choice("5.", SIGNED)) == ("A", "B", "B")


def test_letters_go_before_texts_unless_words_were_asked_for() -> None:
    crossed = {"A": "B", "B": "A"}
    assert read_choice("A", crossed) == "A"
    assert read_choice("A", crossed, in_words=True) == "B"


def test_two_choices_of_one_text_are_not_told_apart_by_it() -> None:
    assert read_choice("two", {"A": "two", "B": "two"}) is None


def test_the_format_allows_letters_or_texts() -> None:
    letters = choice_format(PLACES, in_words=False)["json_schema"]["schema"]["properties"]["choice"]["enum"]
    assert letters == ["A", "B", "C"]
    same = choice_format({"A": "two", "B": "two"}, in_words=True)
    assert same["json_schema"]["schema"]["properties"]["choice"]["enum"] == ["two"]


def tokens(*given: tuple[str, dict[str, float]]) -> list[Token]:
    described = probabilities([(token, {t: math.log(p) for t, p in others.items()}) for token, others in given])
    return [Token.model_validate(each) for each in described["content"]]


def test_scores_are_the_probabilities_of_the_letters_among_them() -> None:
    scores, confidence = choice_scores(tokens(("B", {"B": 0.6, " A": 0.2, "Z": 0.2})), PLACES, "B")
    assert scores == pytest.approx({"A": 0.25, "B": 0.75, "C": 0.0})
    assert confidence == pytest.approx(0.75)


@pytest.mark.parametrize("opening", [('{"', "choice", '":', ' "'), ('{"choice":"',)])
def test_the_letter_is_found_inside_json(opening: tuple[str, ...]) -> None:
    start = [(token, {token: 1.0}) for token in opening]
    scores, confidence = choice_scores(tokens(*start, ("B", {"B": 0.9, "A": 0.1}), ('"}', {'"}': 1.0})), PLACES, "B")
    assert scores == pytest.approx({"A": 0.1, "B": 0.9, "C": 0.0})
    assert confidence == pytest.approx(0.9)


def test_words_are_scored_where_their_first_token_tells_them_apart() -> None:
    scores, _ = choice_scores(tokens((" lower", {" lower": 0.8, " upper": 0.2})), PLACES, "B", in_words=True)
    assert scores == pytest.approx({"A": 0.2, "B": 0.8, "C": 0.0})


def test_without_telling_tokens_the_reply_has_its_own_probability() -> None:
    same = {"A": "upper left", "B": "upper right"}
    found = choice_scores(tokens((" upper", {" upper": 0.8}), (" left", {" left": 0.5})), same, "A", in_words=True)
    assert found == ({}, pytest.approx(0.4))
    assert choice_scores([], same, "A") == ({}, None)


@pytest.mark.parametrize(
    "body",
    [
        chat(None, refusal="I will not"),
        chat("", finish_reason="content_filter"),
        chat("I'm sorry, but I can't assist with that."),
    ],
)
def test_refusals_are_known(body: dict[str, object]) -> None:
    assert refusal_of(Completion.model_validate(body))


def test_not_seeing_something_is_no_refusal() -> None:
    assert refusal_of(Completion.model_validate(chat("I cannot see a harbour in the imagery."))) is None
