"""Which things have a size, and so a number of their own."""

from __future__ import annotations

import pytest

from imagerag_assets.retrieval.object_sizes import size_of


@pytest.mark.parametrize("phrase", ["storage tank", "white storage tank", "Airplane", "car", "tennis court"])
def test_objects_have_a_size(phrase: str) -> None:
    size = size_of(phrase)
    assert size is not None
    assert 0 < size[0] < size[1] < 1000


@pytest.mark.parametrize("phrase", ["beach", "golf course", "forest", "mobile home park", "car park", "unknown thing"])
def test_ground_and_areas_have_none(phrase: str) -> None:
    assert size_of(phrase) is None
