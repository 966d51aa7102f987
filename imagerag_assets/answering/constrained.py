"""Make a `transformers` model write by a grammar, e.g. a JSON schema: tokens that it does not allow are ruled out."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import LogitsProcessor


def by_schema(schema: Mapping[str, Any]) -> str:
    """Return the grammar of the JSON that a schema describes, without white space that it need not have."""
    made: str = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides={"whitespace_flexible": False})
    return made


class OnlyByGrammar(LogitsProcessor):
    """Rule out the tokens that a grammar does not allow next, in one generation of one text.

    Args:
        tokenizer: Of the model, with a fast back end.
        grammar: In llguidance's form, or its form of Lark.
        read: Number of tokens of the prompt.
        tokens: Number of tokens that the model gives scores for; some pad their vocabulary.
    """

    def __init__(self, tokenizer: Any, grammar: str, read: int, tokens: int) -> None:
        self._matcher = LLMatcher(_tokens_of(tokenizer, tokens), grammar)
        self._read = read

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, (1, tokens), with minus infinity for what is ruled out."""
        new = input_ids[0, self._read :].tolist()
        self._read += len(new)
        self._matcher.consume_tokens(new)
        allowed = np.frombuffer(self._matcher.compute_logit_bias(), dtype=np.uint8) > 0
        if self._matcher.is_error():
            raise RuntimeError(f"constrained decoding failed: {self._matcher.get_error()}")
        return scores.masked_fill(~torch.from_numpy(allowed).to(scores.device)[None, : scores.shape[1]], -torch.inf)


_known: weakref.WeakKeyDictionary[Any, LLTokenizer] = weakref.WeakKeyDictionary()


def _tokens_of(tokenizer: Any, tokens: int) -> LLTokenizer:
    """Return a tokenizer as llguidance reads it, which takes a while to make."""
    if tokenizer not in _known:
        _known[tokenizer] = from_tokenizer(tokenizer, n_vocab=tokens)
    return _known[tokenizer]
