"""Slips of the pen are corrected towards words of the field; whatever is right, or a name, stays."""

from __future__ import annotations

import pytest

from imagerag_assets.plans.spelling import correct


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("tankz", "tanks"), ("airplnes", "airplanes"), ("brigde", "bridge"), ("harbuor", "harbour"),
        ("runwya", "runway"), ("stadum", "stadium"), ("vesels", "vessels"), ("plnes", "planes"),
        ("tenis cort", "tennis court"), ("swiming pol", "swimming pool"), ("hwo many", "how many"),
        ("teh river", "the river"), ("helicoptor", "helicopter"), ("roundabot", "roundabout"),
    ],
)  # fmt: skip
def test_slips(written: str, read: str) -> None:
    found = correct(written)
    assert found.text == read
    assert found.notes


@pytest.mark.parametrize(
    "text",
    [
        "where are the ships", "the colour of the grey aeroplane near the harbor", "the color of the gray airplane",
        "a Boeing at Rotterdam", "S2B_T31UET_20240101", "an A380 at ZRH", "wharves and quays", "5 smoots",
        "hangars, silos, groynes and pylons", "a henge, a croft and a playa", "black and white cars", "Waar zijn de schepen? 12", "",
    ],
)  # fmt: skip
def test_what_is_right_or_a_name_stays(text: str) -> None:
    words = ("Waar", "zijn", "de", "schepen")
    found = correct(text, names=words)
    assert (found.text, found.notes) == (text, ())


def test_each_correction_is_told() -> None:
    assert correct("show the tankz").notes == ("'tankz' is read as 'tanks'",)


def test_names_of_the_knowledge_base_are_right() -> None:
    assert correct("where is the fluxolator", names=["Fluxolator"]).text == "where is the fluxolator"


def test_a_word_that_is_like_none_stays_and_is_told() -> None:
    found = correct("where is the zzqxjvkw")
    assert found.text == "where is the zzqxjvkw"
    assert found.unknown == ("zzqxjvkw",)


def test_a_long_text_of_unknown_words_ends() -> None:
    assert correct("qwxz " * 400).text.startswith("qwxz")


@pytest.mark.parametrize("text", ["Where are the pick ups?", "any lay bys", "two pick ups beside drop offs"])
def test_plurals_of_short_words_come_to_an_end(text: str) -> None:
    assert correct(text).text


def test_names_of_places_stay_as_they_are() -> None:
    assert correct("Is the bridge in Paris or in Olympia?").text == "Is the bridge in Paris or in Olympia?"
