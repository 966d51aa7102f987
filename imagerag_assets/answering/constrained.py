"""Make a `transformers` model write JSON that is valid by a schema: each token that would not be is ruled out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from transformers import LogitsProcessor


class JsonOnly(LogitsProcessor):
    """Rule out the tokens that a JSON schema does not allow next, in one generation of one text.

    Args:
        tokenizer: Of the model, with a fast back end.
        schema: The JSON schema.
        read: Number of tokens of the prompt.
        tokens: Number of tokens that the model gives scores for; some pad their vocabulary.
    """

    def __init__(self, tokenizer: Any, schema: Mapping[str, Any], read: int, tokens: int) -> None:
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides={"whitespace_flexible": False})
        self._matcher = LLMatcher(from_tokenizer(tokenizer, n_vocab=tokens), grammar)
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
