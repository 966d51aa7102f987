"""The probability of each of several replies, as constrained decoding would choose among them.

After the prompt, and after each beginning that several replies share, only the tokens that continue one of them are
allowed, and their probabilities sum to one.  So the number of a reply's tokens does not matter, and a model reads
further than the prompt only where replies begin alike.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch


def choose(model: Any, inputs: Mapping[str, Any], replies: Mapping[str, Sequence[int]], end: int) -> dict[str, float]:
    """Return the probability of each reply among them.

    Args:
        model: A causal language model of `transformers`.
        inputs: The prompt, for the model; one text.
        replies: Tokens of each reply, by its letter; equal ones share their probability.
        end: The token that ends a reply which others continue.
    """
    takes = inspect.signature(model.forward).parameters
    # Scores of all positions of a long prompt are many, and only the last ones are wanted.
    last = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
    read = model(**inputs, use_cache=True, **last)
    logs = _Reader(model, read.past_key_values, end, named="cache" if "cache" in takes else "past_key_values").among(
        read.logits[0, -1], replies, 0
    )
    return {letter: math.exp(logs[letter]) for letter in replies}


class _Reader:
    """Reads beginnings of replies after a prompt that was read."""

    def __init__(self, model: Any, cache: Any, end: int, *, named: str) -> None:
        self._model, self._cache, self._end = model, cache, end
        self._given = {named: cache}  # newer releases of transformers have another name for it

    def among(self, logits: torch.Tensor, replies: Mapping[str, Sequence[int]], at: int) -> dict[str, float]:
        """Return the log-probabilities of replies that are alike up to their token `at`, whose `logits` are given."""
        groups: dict[int, dict[str, Sequence[int]]] = {}
        for letter, reply in replies.items():
            groups.setdefault(reply[at] if at < len(reply) else self._end, {})[letter] = reply
        allowed = logits[list(groups)].float().log_softmax(-1).tolist()
        found: dict[str, float] = {}
        for log, group in zip(allowed, groups.values(), strict=True):
            if len({tuple(reply) for reply in group.values()}) == 1:
                found |= dict.fromkeys(group, log - math.log(len(group)))
            else:
                found |= {letter: log + further for letter, further in self._further(group, at).items()}
        return found

    def _further(self, replies: Mapping[str, Sequence[int]], at: int) -> dict[str, float]:
        """Return the log-probabilities of replies of which several begin with the same token at `at`."""
        first = next(iter(replies.values()))
        alike = at + 1
        while all(alike < len(reply) and reply[alike] == first[alike] for reply in replies.values()):
            alike += 1
        said = torch.tensor([first[at:alike]], device=self._model.device)
        # Without a mask, because nothing is padded: from a mask, the Qwen-VL models compute positions for all of it.
        after = self._model(input_ids=said, use_cache=True, **self._given)
        found = self.among(after.logits[0, -1], replies, alike)
        self._cache.crop(-said.shape[1])
        return found
