"""A multimodal LLM through `transformers`: the packaged demo model and public checkpoints take the same path.

Prompts are built in `prompts.py`; which model is used is decided in `__init__.py`.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from imagerag_assets.answering.prompts import Part, build_parts, family_of, transcript
from imagerag_assets.answering.types import Prompt, Reply
from imagerag_assets.errors import ModelError

_ROOM_FOR_REPLY = 16


class TransformersMllm:
    """Loads a local folder or a hub id.

    Args:
        model: Folder or hub id.
        name: What the answer record calls it.
        revision: Pinned revision of a hub id.
        device: Torch device, or "auto".
        max_new_tokens: Longest generated answer.

    Raises:
        ModelError: nothing usable is there, or it is no image-text-to-text model.
    """

    def __init__(
        self,
        model: str,
        *,
        name: str | None = None,
        revision: str | None = None,
        device: str = "auto",
        max_new_tokens: int = 64,
    ) -> None:
        self.name = name or model
        try:
            config = AutoConfig.from_pretrained(model, revision=revision)
            self._processor = AutoProcessor.from_pretrained(model, revision=revision)
            # Typed loosely: the classes behind the auto class share no useful type.
            self._model: Any = AutoModelForImageTextToText.from_pretrained(model, revision=revision, dtype="auto")
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise ModelError(
                f"the multimodal LLM cannot be loaded: {str(error).splitlines()[0]}",
                fix="Set IMAGERAG_MLLM to a model folder with its processor, or to a hub id that can be reached",
                model=model,
            ) from error
        self.revision = revision or str(getattr(config, "_commit_hash", None) or _folder_revision(model))
        self._device = _device(device)
        if self._device.type == "cpu":
            self._model = self._model.float()
        self._model = self._model.to(self._device).eval()
        self._family = family_of(config.model_type)
        self._max_new_tokens = max_new_tokens
        self._tokenizer = getattr(self._processor, "tokenizer", self._processor)
        self._control = tuple({*self._tokenizer.all_special_tokens, *self._tokenizer.get_added_vocab()})
        text_config = config.get_text_config()
        self._in_words = _folder_notes(model).get("choices") == "words"
        self._context = int(getattr(text_config, "max_position_embeddings", 4096))
        self._tile = _tile_side(self._processor)
        self._lock = threading.Lock()  # one question at a time: generation keeps state

    def answer(self, prompt: Prompt) -> Reply:
        """See `Mllm.answer`. The least confident cues are left out, with a note, when they do not fit the context."""
        notes: tuple[str, ...] = ()
        shown = prompt
        with self._lock, torch.inference_mode():
            try:
                parts, inputs = self._encode(shown)
                while inputs["input_ids"].shape[1] + self._reserve(prompt) > self._context:
                    if not shown.cues:
                        raise ModelError(
                            "the question does not fit into the model's context",
                            model=self.name,
                            fix=f"Shorten it: the context is {self._context} tokens",
                        )
                    shown = replace(shown, cues=shown.cues[:-1])
                    parts, inputs = self._encode(shown)
                    notes = (
                        f"{len(prompt.cues) - len(shown.cues)} of {len(prompt.cues)} cues did not fit the context",
                    )
                text, scores, confidence = (
                    self._choose(inputs, prompt.choices) if prompt.choices else self._generate(inputs)
                )
            except (RuntimeError, torch.OutOfMemoryError) as error:
                raise ModelError(
                    f"the multimodal LLM failed: {str(error).splitlines()[0]}",
                    model=self.name,
                    fix="Use a smaller model, fewer cues, or another device",
                ) from error
        choice = text if prompt.choices else None
        words = prompt.choices[text] if prompt.choices else text
        return Reply(words, choice, scores, confidence, len(shown.cues), transcript(parts), notes)

    def _reserve(self, prompt: Prompt) -> int:
        return _ROOM_FOR_REPLY if prompt.choices else self._max_new_tokens

    def _encode(self, prompt: Prompt) -> tuple[list[Part], Any]:
        # A cue is one tile: the processor tiles whatever is larger than its own tile.
        cues = tuple(type(c)(self._fit(c.picture), c.box, c.phrase, c.confidence) for c in prompt.cues)
        parts = build_parts(
            replace(prompt, cues=cues),
            self._family,
            self._control,
            in_words=self._in_words,
        )
        content = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image", "image": p} for p in parts]
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        return parts, inputs.to(self._device, dtype=self._model.dtype)

    def _fit(self, picture: Image.Image) -> Image.Image:
        side = self._tile
        return picture.resize((side, side), Image.Resampling.BICUBIC) if side else picture

    def _choose(self, inputs: Any, choices: Mapping[str, str]) -> tuple[str, dict[str, float], float]:
        """Score every choice as the reply, by its letter or in words; nothing is parsed."""
        if self._in_words:
            end = [self._tokenizer.eos_token_id]
            # A word after a space is the token that it is inside the prompt.
            replies = [[*self._tokens(f" {text}"), *end] for text in choices.values()]
        else:
            replies = [self._tokens(letter) for letter in choices]
        if all(len(reply) == 1 for reply in replies):
            logits = self._model(**inputs).logits[0, -1].float()
            raw = torch.stack([logits[reply[0]] for reply in replies])
        else:
            raw = torch.stack([self._sequence_score(inputs, reply) for reply in replies])
        scores = dict(zip(choices, raw.softmax(0).tolist(), strict=True))
        best = max(scores, key=lambda letter: scores[letter])
        return best, scores, scores[best]

    def _tokens(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return found

    def _sequence_score(self, inputs: Any, tokens: list[int]) -> torch.Tensor:
        """Log-probability of a reply of several tokens."""
        tail = torch.tensor([tokens], device=self._device)
        ids = torch.cat([inputs["input_ids"], tail], 1)
        mask = torch.ones_like(ids)
        logits = self._model(**{**inputs, "input_ids": ids, "attention_mask": mask}).logits[0, -len(tokens) - 1 : -1]
        return logits.float().log_softmax(-1).gather(1, tail[0, :, None]).sum()

    def _generate(self, inputs: Any) -> tuple[str, dict[str, float], float]:
        out = self._model.generate(
            **inputs,
            max_new_tokens=self._max_new_tokens,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
        new = out.sequences[0, inputs["input_ids"].shape[1] :]
        text = self._tokenizer.decode(new, skip_special_tokens=True).strip()
        if not text:
            raise ModelError(
                "the multimodal LLM gave an empty reply", model=self.name, fix="Ask again, or in other words"
            )
        picked = [step[0].float().softmax(-1)[token] for step, token in zip(out.logits, new, strict=True)]
        return text, {}, float(torch.stack(picked).log().mean().exp())


def _device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _tile_side(processor: Any) -> int | None:
    """Side of the picture tiles of a processor that cuts pictures into tiles; None for one that takes any size."""
    images: Any = getattr(processor, "image_processor", None)
    if not hasattr(images, "crop_to_patches"):
        return None
    return int(images.size["height"])


def _folder_notes(model: str) -> dict[str, Any]:
    """What a model folder says about its use here, in `imagerag.json`: ``{"choices": "words"}`` of a model that names
    its choice in words instead of by letter.
    """
    try:
        notes: dict[str, Any] = json.loads((Path(model) / "imagerag.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes


def _folder_revision(model: str) -> str:
    """The digest of a local folder's weights; `unknown` where there are none."""
    weights = sorted(Path(model).glob("*.safetensors")) if Path(model).is_dir() else []
    total = hashlib.sha256()
    for path in weights:
        with path.open("rb") as stream:
            while block := stream.read(1 << 22):
                total.update(block)
    return total.hexdigest()[:16] if weights else "unknown"
