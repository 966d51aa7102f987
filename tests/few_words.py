"""A short list of words for `imagerag calibrate`: embedding hundreds takes seconds."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from unittest import mock

from imagerag_assets.retrieval.word_reach import nonsense_words


def few_words() -> AbstractContextManager[object]:
    """Look for three things and five nonsense words as long as this lasts."""
    stack = ExitStack()
    some = {"ship": (), "forest": (), "tennis court": ()}
    stack.enter_context(mock.patch("imagerag_assets.evaluation.calibrate_imagery.things", return_value=some))
    nonsense = nonsense_words(5)
    stack.enter_context(mock.patch("imagerag_assets.retrieval.word_reach.nonsense_words", return_value=nonsense))
    return stack
