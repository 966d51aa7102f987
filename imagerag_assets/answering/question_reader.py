"""The language model that reads questions: SmolLM2-135M-Instruct with an adapter that ships, which writes plans.

It writes one line by a grammar, e.g. "count: ship @ north".  What the lines mean is `plans/notation.py`'s, and when
the model is asked `plans/from_reader.py`'s.  How the adapter was trained is in `demo/models/train_reader.py`.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import hashlib
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, LogitsProcessorList

from imagerag_assets.answering import small_language_model as small
from imagerag_assets.answering.constrained import OnlyByGrammar
from imagerag_assets.answering.demo_model import WEIGHTS
from imagerag_assets.encoders.one_at_a_time import LOADING
from imagerag_assets.encoders.weights import quiet_transformers
from imagerag_assets.errors import ModelError
from imagerag_assets.objects.aside import folder_aside

PARTS = WEIGHTS / "question-reader"
TRAINED = "adapter.safetensors"
_LAYOUT = 1
"""Version of what :func:`save` writes; raise it when that changes."""
_LONGEST = 160
"""Tokens of a line at most."""
_KEPT = 128
"""What the model wrote and scored last is not asked again: standing questions, other rows of a measurement."""


class QuestionReader:
    """The model at work.  Safe to share between threads.

    Args:
        folder: What :func:`save` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self._model, self._tokenizer = load(folder)
        self._lock = threading.Lock()  # generation keeps state
        self._written = lru_cache(_KEPT)(self._write)
        self._scored = lru_cache(_KEPT)(self._score)

    def write(self, question: str, grammar: str) -> str:
        """Write the line of a question's plan; what is too long ends in the middle.

        Args:
            question: In lower case.
            grammar: Of such lines, in llguidance's form of Lark.

        Raises:
            ModelError: the model failed, or the grammar is none.
        """
        return self._written(question, grammar)

    def _write(self, question: str, grammar: str) -> str:
        ids = torch.tensor([self._ids(prompt_of(question))])
        try:
            with self._lock, torch.inference_mode():
                only = OnlyByGrammar(self._tokenizer, grammar, ids.shape[1], self._model.config.vocab_size)
                out = self._model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=_LONGEST,
                    do_sample=False,
                    logits_processor=LogitsProcessorList([only]),
                    pad_token_id=self._tokenizer.pad_token_id,
                )
        except (RuntimeError, MemoryError) as error:
            raise ModelError(f"the reader of questions failed: {error}", fix="Set IMAGERAG_PLANNER=rules") from error
        return str(self._tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))

    def likelihood(self, question: str, lines: Sequence[str]) -> list[float]:
        """Return the natural logarithm of each line's probability after a question.

        Args:
            question: In lower case.
            lines: At least one.
        """
        return list(self._scored(question, tuple(lines)))

    def _score(self, question: str, lines: tuple[str, ...]) -> list[float]:
        prompt = self._ids(prompt_of(question))
        replies = [[*self._ids(line), self._tokenizer.eos_token_id] for line in lines]
        longest = max(map(len, replies))
        ids = torch.full((len(lines), len(prompt) + longest), self._tokenizer.pad_token_id)
        for row, reply in enumerate(replies):
            ids[row, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
        with self._lock, torch.inference_mode():
            # Padding comes last and is seen by nothing that counts, so no mask is needed.
            logits = self._model(ids, logits_to_keep=longest + 1).logits.float().log_softmax(-1)
        return [
            float(logits[row, torch.arange(len(reply)), torch.tensor(reply)].sum()) for row, reply in enumerate(replies)
        ]

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return found


def prompt_of(question: str) -> str:
    """Return what the model reads before it writes the plan of a question in lower case."""
    return f"{question}\n=>"


def is_installed() -> bool:
    """Return whether the language model and the adapter are there."""
    return (PARTS / TRAINED).is_file() and small.is_installed()


def open_reader(cache: Path) -> QuestionReader:
    """Load the reader, once a process.

    Args:
        cache: Folder that the model's own folder (270 MB) lies in; it is put together the first time.

    Raises:
        ModelError: a part is missing, or is not the one that the adapter belongs to.
        StoreError: the disk is full.
    """
    with LOADING:
        return _opened(cache)


@lru_cache(maxsize=1)
def _opened(cache: Path) -> QuestionReader:
    return QuestionReader(assemble(cache))


def assemble(cache: Path, parts: Path = PARTS) -> Path:
    """Return the model's folder in `cache`, which is made the first time.

    Raises:
        As :func:`open_reader`.
    """
    file = parts / TRAINED
    if not file.is_file():
        raise ModelError("the reader of questions is not installed", fix="Set IMAGERAG_PLANNER=rules", path=file)
    digest = hashlib.sha256(f"{_LAYOUT} {small.SHA256} {small.sha256(file)}".encode()).hexdigest()[:16]
    folder = cache / f"question-reader-{digest}"
    if folder.is_dir():
        return folder
    small.checked_base_file()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with folder_aside(folder) as aside:
            save(load_file(file), aside)
    except OSError as error:
        raise ModelError(
            f"the reader of questions cannot be written: {error}",
            fix="Correct IMAGERAG_HOME or IMAGERAG_MLLM_CACHE",
            path=folder,
        ) from error
    return folder


def save(trained: Mapping[str, torch.Tensor], out: Path) -> None:
    """Write the language model with an adapter merged into it as `from_pretrained` reads it, weights in float16.

    Args:
        trained: For each adapted layer `LAYER.lora_A` (rank, in) and `LAYER.lora_B` (out, rank); empty: none.

    Raises:
        ModelError: the package that carries the language model is not installed.
    """
    language, (tokenizer, _) = small.read_base(), small.read_tokenizer()
    state = language.state_dict()
    small.add_adapter(state, trained, "model.")
    with torch.device("meta"):  # nothing to initialise: every weight is given
        model: Any = LlamaForCausalLM(LlamaConfig.from_dict(small.plain_config(language.config)))
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    tokenizer.save_pretrained(out)
    model.half().save_pretrained(out)


def load(folder: Path) -> tuple[Any, Any]:
    """Load what :func:`save` wrote: the model in bfloat16, and its tokenizer."""
    with quiet_transformers():
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)  # nosec B615 # a folder
        # In torch's default format first: any other would be the default of all threads while it is built.
        model: Any = AutoModelForCausalLM.from_pretrained(  # nosec B615 # a folder
            folder, dtype=torch.float32, attn_implementation="sdpa"
        )
        model = model.to(torch.bfloat16)
    tokenizer.pad_token = tokenizer.pad_token or "<|endoftext|>"
    return model.eval(), tokenizer
