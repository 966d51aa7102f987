"""Versions of concepts in a folder: no change is lost, none is half there, and names are checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagerag_assets.concepts.crops import Crop
from imagerag_assets.concepts.store import (
    add_examples,
    list_concepts,
    load_concept,
    read_crop,
    remove_concept,
    versions_of,
)
from imagerag_assets.concepts.types import Origin, concept_name
from imagerag_assets.errors import ConceptError, StoreError
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.settings import load_settings


@dataclass
class _Kept:
    store: ObjectStore


@pytest.fixture
def kept(tmp_path: Path) -> _Kept:
    """A store in a folder."""
    return _Kept(open_store(load_settings(home=tmp_path, _env_file=None)))


def _crop(tone: int) -> Crop:
    return Crop(np.full((8, 8, 3), tone, dtype=np.uint8), Origin(kind="picture", file=f"{tone}.png"))


def test_a_change_that_meets_another_is_made_again(kept: _Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    add_examples(kept, "pump", [("positive", _crop(1))])
    create = ObjectStore.create_json

    def beaten_once(self: ObjectStore, key: str, value: Any) -> bool:
        monkeypatch.setattr(ObjectStore, "create_json", create)
        add_examples(kept, "pump", [("negative", _crop(2))])  # another process is faster
        return create(self, key, value)

    monkeypatch.setattr(ObjectStore, "create_json", beaten_once)
    made = add_examples(kept, "my:Pump", [("positive", _crop(3))])
    assert [each.sign for each in made.examples] == ["positive", "negative", "positive"]
    assert [each.version for each in versions_of(kept, "pump")] == [1, 2, 3]
    assert read_crop(kept, "pump", made.examples[2]).max() == 3
    assert load_concept(kept, "pumps") == made  # a plural

    remove_concept(kept, "pump")
    assert list_concepts(kept) == []
    with pytest.raises(ConceptError, match="was removed"):
        load_concept(kept, "pump")
    assert load_concept(kept, "pump", 3) == made
    assert add_examples(kept, "pump", [("positive", _crop(4))]).version == 5


def test_damage_is_said_and_names_are_checked(kept: _Kept) -> None:
    made = add_examples(kept, "pump", [("positive", _crop(1))])
    for key in kept.store.list("concepts/pump"):
        kept.store.write_bytes(key, b"{}")
    with pytest.raises(StoreError, match="damaged"):
        read_crop(kept, "pump", made.examples[0])
    with pytest.raises(StoreError, match="damaged: name"):
        load_concept(kept, "pump")
    assert concept_name(" my:Oil_Pump-2 ") == "oil_pump-2"
    for name in ("", "my:", "a b", "../a", "a/b", "ü", "-a", "a" * 41, "a\n"):
        if name != "a\n":
            with pytest.raises(ConceptError, match="cannot be the name"):
                concept_name(name)
    assert concept_name("a\n") == "a"
