"""The words of labels: a person's own, the packaged glossary's, and which apply."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from imagerag_assets.demo.models.vocabulary import CHIP_CLASSES, PHRASES
from imagerag_assets.knowledge.glossary import MAX_LABEL, Words, parse_glossary, texts_of


@pytest.fixture
def packaged() -> dict[str, Words]:
    return parse_glossary(resources.files("imagerag_assets.knowledge").joinpath("glossary.json").read_bytes())


@pytest.mark.parametrize(("name", "label"), [("tenniscourt", "tennis court"), ("Storage_Tanks", "storage tank"),
                                             ("fish_ponds", "fish ponds"), ("ship/nested", "ship nested")])  # fmt: skip
def test_a_folders_name_becomes_the_label(name: str, label: str) -> None:
    assert texts_of(name, {})[0] == label


def test_own_words_replace_the_packaged_ones() -> None:
    own = parse_glossary(b'{"tenniscourt": {"also": ["racket  place"]}, "t2": "tennis court", "t3": {"also": []}}')
    assert texts_of("tenniscourt", own) == ("tennis court", "racket place")
    assert "hard court" in texts_of("t2", own)
    assert texts_of("t3", own) == ("t3",)


def test_unusable_labels_have_no_texts() -> None:
    assert texts_of("_", {}) == ()
    assert texts_of("x" * (MAX_LABEL + 1), {}) == ()


@pytest.mark.parametrize(
    "bad", ["[]", "x", '{"a": 1}', '{"a": {"label": 1}}', '{"a": {"also": [1]}}', '{"a": {"als": []}}']
)
def test_what_is_no_glossary_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_glossary(bad.encode())


def test_the_packaged_glossary_is_jargon_for_every_class(packaged: dict[str, Words]) -> None:
    trained = {phrase for phrases in PHRASES.values() for phrase in phrases}
    names = [name for words in packaged.values() for name in words.also or ()]
    assert set(CHIP_CLASSES.values()) <= set(packaged) <= set(PHRASES)
    assert all(3 <= len(words.also or ()) <= 8 and words.means for words in packaged.values())
    assert len(names) == len({name.casefold() for name in names})
    assert not trained & set(names)
    assert {"tank farm", "aerodrome apron", "marina berth", "caravan park"} <= set(names)
    assert json.dumps(names).isascii()
