"""Phrases, kinds and hard input of question analysis."""

from __future__ import annotations

import pytest

from imagerag_assets.encoders.sentence import sentence_encoder
from imagerag_assets.errors import QuestionError
from imagerag_assets.plans.lexicon import singular
from imagerag_assets.plans.noun_phrases import MAX_CHARACTERS
from imagerag_assets.retrieval.phrases import Analysis, analyse_question

PLACES = {"A": "upper left", "B": "upper right", "C": "lower left", "D": "This image does not feature it"}


def analyse(question: str, choices: dict[str, str] | None = None, max_phrases: int = 5) -> Analysis:
    return analyse_question(question, choices or {}, max_phrases=max_phrases, sentences=sentence_encoder())


@pytest.mark.parametrize(
    ("question", "phrases", "kind"),
    [
        ("In which part of the image is the large building?", ("large building",), "position"),
        ("How many separate sites with a mobile home park are there in the image?", ("mobile home park",), "count"),
        ("What is the colour of the airplane next to the runway?", ("airplane", "runway"), "colour"),
        ("What's the color of the roof of the biggest building in the bottom right?", ("building",), "colour"),
        ("Is there a ship parked at the harbor?", ("ship", "harbor"), "presence"),
        ("Where is the warehouse with a red roof?", ("warehouse with red roof",), "position"),
        ("Where is the RED ship?", ("red ship",), "position"),
        ("How many red and white ships are there?", ("red and white ship",), "count"),
        ("How many parked cars are in the parking lot?", ("parked car", "parking lot"), "count"),
        ("Where is the harbor full of boats?", ("harbor full of boats",), "position"),
        ("Is there a body of water near the crop fields?", ("body of water", "crop field"), "presence"),
        ("Which is larger, the stadium or the golf course?", ("stadium", "golf course"), "compare"),
        ("Does the residential area on the left have pools?", ("residential area", "pool"), "presence"),
        ("What is the airport's longest runway?", ("airport", "runway"), "other"),
        ("tennis court", ("tennis court",), "other"),
        ("rows of solar panels", ("solar panel",), "other"),
        ("What is the theme of this picture?", (), "describe"),
        ("Describe the scene.", (), "describe"),
        ("Where is it?", (), "position"),
    ],
)
def test_question(question: str, phrases: tuple[str, ...], kind: str) -> None:
    found = analyse(question)
    assert (found.phrases, found.kind) == (phrases, kind)


def test_only_counting_and_all_questions_want_all() -> None:
    assert analyse("How many ships are there?").wants_all
    assert analyse("List all the ships").wants_all
    assert not analyse("Where is the ship?").wants_all


def test_choices_are_looked_for_when_the_question_names_nothing() -> None:
    choices = {**PLACES, "A": "golf course", "B": "Storage tanks.", "E": "3"}
    assert analyse("Which of these can be seen in the image?", choices).phrases == ("golf course", "storage tank")


def test_choices_come_before_a_landmark_of_the_question() -> None:
    found = analyse("Which of the following is near the river?", {"A": "a bridge", "B": "a pier"})
    assert found.phrases == ("bridge", "pier", "river")


def test_choices_that_are_answers_are_not_looked_for() -> None:
    assert analyse("In which part of the image is the beach?", PLACES).phrases == ("beach",)
    colours = {"A": "red", "B": "dark blue"}
    assert analyse("What does the ship look like?", colours) == Analysis(
        "What does the ship look like?", ("ship",), "colour", False
    )


@pytest.mark.parametrize("blank", ["", "  \n\t ", "\x00\u200b"])
def test_blank_question_is_refused(blank: str) -> None:
    with pytest.raises(QuestionError, match="question is empty"):
        analyse(blank)


def test_punctuation_only_looks_for_nothing() -> None:
    assert analyse("???!").phrases == ()


@pytest.mark.parametrize("question", ["Где находится самолёт?", "飞机在哪里？", "أين الطائرة؟"])
def test_other_alphabets_are_kept_whole(question: str) -> None:
    (phrase,) = analyse(question).phrases
    assert phrase == question.rstrip("?？؟").lower()


def test_modifiers_alone_go_to_the_sentence_encoder() -> None:
    assert analyse("What is red?").phrases == ("red",)


def test_a_long_question_is_cut_and_says_so() -> None:
    found = analyse("Where is the tennis court? " + "lorem ipsum dolor " * 600)
    assert found.phrases[0] == "tennis court"
    assert str(MAX_CHARACTERS) in found.notes[0]
    assert all(len(phrase) <= 120 for phrase in found.phrases)


def test_one_endless_word() -> None:
    (phrase,) = analyse("a" * 10_000).phrases
    assert len(phrase) <= 120


def test_too_many_phrases_keep_diverse_ones_in_order() -> None:
    question = "Find ships, boats, vessels, tennis courts, and storage tanks near the freeway"
    found = analyse(question, max_phrases=3)
    everything = analyse(question, max_phrases=16).phrases
    assert len(found.phrases) == 3
    assert "3 most telling" in found.notes[-1]
    assert list(found.phrases) == [phrase for phrase in everything if phrase in found.phrases]
    assert len({"ship", "boat", "vessel"} & set(found.phrases)) < 3


def test_text_that_looks_like_code_stays_text() -> None:
    question = 'Where is the "ship" {phrase} %s or scene_key != ""?'
    assert analyse(question).question == question
    assert "ship" in analyse(question).phrases


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("ships", "ship"), ("houses", "house"), ("churches", "church"), ("bridges", "bridge"),
        ("factories", "factory"), ("buses", "bus"), ("courses", "course"), ("tennis", "tennis"), ("grass", "grass"),
        ("wharves", "wharf"), ("boxes", "box"), ("canoes", "canoe"), ("aircraft", "aircraft"), ("gas", "gas"),
        ("campus", "campus"),
    ],
)  # fmt: skip
def test_singular(plural: str, one: str) -> None:
    assert singular(plural) == one
