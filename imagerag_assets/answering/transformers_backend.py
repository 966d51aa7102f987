"""A multimodal LLM through `transformers`: the packaged demo model and public checkpoints take the same path.

`transformers_loading.py` loads the model, `prompts.py` builds prompts, `budget.py` decides what is left out of one that
does not fit, and `__init__.py` which model is used.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from PIL import Image
from transformers import LogitsProcessorList

from imagerag_assets.answering.budget import Budget, TooLargeError, answer_with_less, smaller
from imagerag_assets.answering.choosing import choose
from imagerag_assets.answering.constrained import OnlyByGrammar, by_schema
from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.answering.prompts import FAMILIES, Part, break_tokens, build_parts, family_of, transcript
from imagerag_assets.answering.thinking import asking_for_thoughts, closing, split_thoughts
from imagerag_assets.answering.transformers_loading import first_line, load, out_of_memory
from imagerag_assets.answering.types import MOST_JSON, Prompt, Reply
from imagerag_assets.errors import ModelError

_LEAST_OVERVIEW = 448  # px, for models that take pictures of any size
_CLOSING = 32  # tokens around the reasoning
_log = logging.getLogger(__name__)

Turn = tuple[str, Sequence[Part]]


class TransformersMllm:
    """A model from a local folder or a hub id.

    Args:
        model: Folder or hub id.
        options: How it is loaded and asked.
        name: Its name in the answer record.

    Raises:
        ModelError: the model is missing, unusable, or not an image-text-to-text model.
    """

    def __init__(self, model: str, options: MllmOptions | None = None, *, name: str | None = None) -> None:
        options = options or MllmOptions()
        loaded = load(model, options)
        self.name, self.revision = name or model, loaded.revision
        self.denial_odds = loaded.denial_odds
        self.model, self.processor = loaded.model, loaded.processor
        self._device = loaded.device
        self._options, self._in_words = options, loaded.in_words
        self._family = family_of(loaded.config.model_type) if options.family == "auto" else FAMILIES[options.family]
        self._tokenizer = loaded.processor.tokenizer
        self._control = tuple({*self._tokenizer.all_special_tokens, *self._tokenizer.get_added_vocab()})
        self._image_token = getattr(loaded.config, "image_token_id", -1)
        own = int(getattr(loaded.config.get_text_config(), "max_position_embeddings", 4096))
        self._context = min(own, options.context or own)
        self._tile = _tile_side(loaded.processor)
        self._lock = threading.Lock()  # one question at a time: generation keeps state

    def answer(self, prompt: Prompt) -> Reply:
        """See `Mllm.answer`.

        If the prompt does not fit the context or the memory, the overview is reduced first; then the least confident
        cues are left out.  A note says so.
        """
        with self._lock, torch.inference_mode():
            return answer_with_less(prompt, self._answer, self._tile or _LEAST_OVERVIEW)

    def complete(self, prompt: str, schema: Mapping[str, Any]) -> str:
        """Return a text that is valid by a JSON schema, or its beginning where `MOST_JSON` tokens are too few for it.

        Args:
            prompt: What the model is asked, without pictures; special tokens in it are broken up.
            schema: The JSON schema.

        Raises:
            ModelError: the model failed, or the prompt exceeds its context.
        """
        with self._lock, torch.inference_mode():
            turn = ("user", [break_tokens(prompt, self._control)])
            try:
                inputs, _ = self._encode([turn], Prompt(""), MOST_JSON)
                scored = self.model.get_output_embeddings().weight.shape[0]
                only = OnlyByGrammar(self._tokenizer, by_schema(schema), inputs["input_ids"].shape[1], scored)
                out = self.model.generate(
                    **inputs, max_new_tokens=MOST_JSON, do_sample=False, logits_processor=LogitsProcessorList([only])
                )
            except (RuntimeError, MemoryError) as error:
                raise self._failed(error) from error
        new = out[0, inputs["input_ids"].shape[1] :]
        return str(self._tokenizer.decode(new, skip_special_tokens=True))

    def lesson(self, prompt: Prompt, answer: str) -> tuple[dict[str, Any], list[int]]:
        """Return what training shows the model: the inputs of a prompt, and the tokens of the right reply.

        Args:
            answer: The letter of the right choice, or words if there are no choices.

        Raises:
            TooLargeError: not even the question alone fits the context.
        """
        replies = self._replies(prompt.choices)
        tokens = replies[answer] if replies else self._tokens(f" {answer}" if self._in_words else answer)
        end = self._tokenizer.eos_token_id
        tokens = tokens if tokens[-1] == end else [*tokens, end]
        while True:
            try:
                return dict(self._encode([("user", self._parts(prompt))], prompt, len(tokens))[0]), tokens
            except TooLargeError as error:
                less = smaller(prompt, self._tile or _LEAST_OVERVIEW, error.budget)
                if less is None:
                    raise
                prompt = less

    def _answer(self, prompt: Prompt) -> Reply:
        try:
            return self._ask(prompt)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise self._failed(error) from error
        # Raised after the error is gone: its traceback would keep what was allocated, and less has to fit beside it.
        fix = "Use a smaller model, IMAGERAG_MLLM_DTYPE=4bit or another IMAGERAG_DEVICE"
        raise TooLargeError("the multimodal LLM ran out of memory", what="the memory", fix=fix, model=self.name)

    def _failed(self, error: Exception) -> ModelError:
        fix = "Use another model or another IMAGERAG_DEVICE"
        return ModelError(f"the multimodal LLM failed: {first_line(error)}", model=self.name, fix=fix)

    def _ask(self, prompt: Prompt) -> Reply:
        parts = self._parts(prompt)
        replies = self._replies(prompt.choices)
        room = max(map(len, replies.values()), default=self._options.max_new_tokens)
        thoughts = None
        if prompt.think:
            parts = asking_for_thoughts(parts)
            most = self._options.reasoning_max_tokens
            inputs, budget = self._encode([("user", parts)], prompt, most + _CLOSING + room)
            thoughts, _ = self._generate(inputs, most)
            thoughts = self._within(break_tokens(thoughts, self._control), most)
            end = closing(prompt.choices, in_words=self._in_words)
            inputs, _ = self._encode([("user", parts), ("assistant", [thoughts]), ("user", [end])], prompt, room)
        else:
            inputs, budget = self._encode([("user", parts)], prompt, room)
        _log.info("%s", budget)
        given: dict[str, Any] = {
            "cues_shown": len(prompt.cues),
            "prompt": transcript(parts),
            "tokens": budget.to_dict(),
        }
        if replies:
            scores = choose(self.model, inputs, replies, self._tokenizer.eos_token_id)
            choice = max(scores, key=lambda letter: scores[letter])
            return Reply(prompt.choices[choice], choice, scores, scores[choice], reasoning=thoughts, **given)
        text, confidence = self._generate(inputs, self._options.max_new_tokens)
        own, text = split_thoughts(text)
        if not text:
            raise ModelError(
                "the multimodal LLM gave an empty reply", model=self.name, fix="Ask again, or in other words"
            )
        return Reply(text, None, {}, confidence, reasoning=thoughts or own, **given)

    def _parts(self, prompt: Prompt) -> list[Part]:
        # A cue is one tile: the processor tiles whatever is larger than its own tile.
        cues = tuple(replace(cue, picture=self._fit(cue.picture)) for cue in prompt.cues)
        return build_parts(replace(prompt, cues=cues), self._family, self._control, in_words=self._in_words)

    def _fit(self, picture: Image.Image) -> Image.Image:
        side = self._tile
        return picture.resize((side, side), Image.Resampling.BICUBIC) if side else picture

    def _encode(self, turns: Sequence[Turn], prompt: Prompt, reply: int) -> tuple[Any, Budget]:
        """Return the model's inputs and their cost with `reply` tokens to come.

        Raises:
            TooLargeError: the cost exceeds the context.
        """
        messages = [
            {
                "role": role,
                "content": [
                    {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "image": part}
                    for part in parts
                ],
            }
            for role, parts in turns
        ]
        inputs = self.processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        budget = self._budget(inputs["input_ids"][0], prompt, reply)
        if budget.over:
            fix = "Shorten the question, use another model, or raise IMAGERAG_MLLM_CONTEXT if it is set"
            message = f"the question does not fit the model's context ({budget})"
            what = f"the context of {self._context} tokens"
            raise TooLargeError(message, what=what, budget=budget, fix=fix, model=self.name)
        return inputs.to(self._device, dtype=self.model.dtype), budget

    def _budget(self, ids: torch.Tensor, prompt: Prompt, reply: int) -> Budget:
        """Return the cost of each part, by the runs of the token for pictures, which other tokens separate."""
        values, lengths = torch.unique_consecutive(ids == self._image_token, return_counts=True)
        starts = (lengths.cumsum(0) - lengths)[values].tolist()
        pictures: list[int] = lengths[values].tolist()
        if len(pictures) != len(prompt.cues) + (prompt.overview is not None):  # a model that separates none
            return Budget(sum(pictures), (), len(ids) - sum(pictures), reply, self._context)
        overview = pictures.pop(0) if prompt.overview is not None else 0
        starts = starts[-len(pictures) :]
        # From one cue to the next.  The question follows the last cue, so its line is counted like the one before.
        cues = [after - start for start, after in pairwise(starts)]
        cues += [pictures[-1] + (cues[-1] - pictures[-2] if cues else 0)] if pictures else []
        return Budget(overview, tuple(cues), len(ids) - overview - sum(cues), reply, self._context)

    def _replies(self, choices: Mapping[str, str]) -> dict[str, list[int]]:
        """Return the tokens of each choice as the model would say it, by letter."""
        if not self._in_words:
            return {letter: self._tokens(letter) for letter in choices}
        end = self._tokenizer.eos_token_id
        # After a space, a word has the same token as inside the prompt.
        return {letter: [*self._tokens(f" {text}"), end] for letter, text in choices.items()}

    def _tokens(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return found

    def _within(self, text: str, most: int) -> str:
        """Cut a text to at most so many tokens: what a model wrote may be more tokens when read again."""
        while (count := len(self._tokens(text))) > most:
            text = text[: len(text) * most // count]
        return text

    def _generate(self, inputs: Any, max_new_tokens: int) -> tuple[str, float]:
        """Generate the model's own words; return them with the mean probability of their tokens."""
        out = self.model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
        new = out.sequences[0, inputs["input_ids"].shape[1] :]
        text = self._tokenizer.decode(new, skip_special_tokens=True).strip()
        picked = [step[0].float().softmax(-1)[token] for step, token in zip(out.logits, new, strict=True)]
        return text, float(torch.stack(picked).log().mean().exp())


def _tile_side(processor: Any) -> int | None:
    """Return the side of the tiles that a processor cuts pictures into; None if it takes pictures of any size."""
    images: Any = processor.image_processor
    if not hasattr(images, "crop_to_patches"):
        return None
    return int(images.size["height"])
