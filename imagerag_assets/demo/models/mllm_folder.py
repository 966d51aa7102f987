"""Build the folder of the demo's multimodal model for `from_pretrained`: tokenizer, processor and a small InternVL.

`train_mllm.py` trains the model.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import copy
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    PreTrainedTokenizerFast,
)

TILE = 96  # px
PATCH = 12  # px, so 8 x 8 tokens, joined to 2 x 2
DOWNSAMPLE = 0.25
IMAGE_TOKENS = 4
START, END, CONTEXT, VIDEO = "<img>", "</img>", "<IMG_CONTEXT>", "<video>"
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def build_tokenizer(corpus: Sequence[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE with tokens for the demo's words and every number up to 1000; it can spell the rest."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", START, END, CONTEXT, VIDEO]
    trainer = trainers.BpeTrainer(
        vocab_size=1100,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(corpus, trainer)
    # The token of a number includes the space before it, which saves four tokens per box.
    inner.add_tokens([AddedToken(str(n), lstrip=True, normalized=False) for n in range(10, 1001)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        extra_special_tokens={
            "start_image_token": START,
            "end_image_token": END,
            "context_image_token": CONTEXT,
            "video_token": VIDEO,
        },
    )


def build_processor(tokenizer: PreTrainedTokenizerFast) -> InternVLProcessor:
    images = GotOcr2ImageProcessor(
        size={"height": TILE, "width": TILE}, crop_to_patches=True, min_patches=1, max_patches=4
    )
    return InternVLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        image_seq_length=IMAGE_TOKENS,
        chat_template=CHAT,
        video_processor=InternVLVideoProcessor(size={"height": TILE, "width": TILE}),
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> InternVLForConditionalGeneration:
    width = 192
    config = InternVLConfig(
        vision_config={
            "hidden_size": 192,
            "num_hidden_layers": 6,
            "num_attention_heads": 6,
            "intermediate_size": 640,
            "image_size": (TILE, TILE),
            "patch_size": (PATCH, PATCH),
            "layer_scale_init_value": 1.0,
        },
        text_config={
            "model_type": "qwen2",
            "hidden_size": width,
            "num_hidden_layers": 6,
            "num_attention_heads": 6,
            "num_key_value_heads": 6,
            "intermediate_size": 512,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 1024,
            "tie_word_embeddings": True,
            "rms_norm_eps": 1e-6,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        image_token_id=tokenizer.encode(CONTEXT)[0],
        image_seq_length=IMAGE_TOKENS,
        downsample_ratio=DOWNSAMPLE,
        tie_word_embeddings=True,
    )
    model = InternVLForConditionalGeneration(config)
    embedding = model.get_input_embeddings().weight
    assert isinstance(embedding, torch.Tensor)
    _order_numbers(embedding.data, tokenizer)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def _order_numbers(embedding: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> None:
    """Initialise the embeddings of numbers by their size, so that near numbers are near each other."""
    half = embedding.shape[1] // 2
    waves = torch.exp(torch.linspace(math.log(1.0), math.log(60.0), half))
    for number in range(1001):
        token = tokenizer.convert_tokens_to_ids(str(number))
        if token is not None and token != tokenizer.unk_token_id:
            angle = number / 1000 * waves
            embedding[token] = 0.03 * torch.cat([angle.sin(), angle.cos()])


def write_folder(model: InternVLForConditionalGeneration, processor: InternVLProcessor, out: Path) -> None:
    """Write the model folder as `from_pretrained` reads it, with weights in fp16."""
    copy.deepcopy(model).half().save_pretrained(out)
    processor.save_pretrained(out)
    # The model learned to say the right choice in words: for so small a model, that is easier than to find its letter.
    (out / "imagerag.json").write_text('{"choices": "words"}\n', encoding="utf-8")
