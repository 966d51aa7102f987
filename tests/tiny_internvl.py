"""An InternVL with random weights and its own processor, as a folder that `from_pretrained` reads."""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import json
from pathlib import Path

import torch
from transformers import (
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
)

from tests.byte_tokenizer import byte_tokenizer

_TILE, _PATCH, _TOKENS = 96, 12, 4
_START, _END, _CONTEXT, _VIDEO = "<img>", "</img>", "<IMG_CONTEXT>", "<video>"
_CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write_tiny_internvl(folder: Path, *, context: int = 4096, seed: int = 0) -> Path:
    """Write a model of some 0.3 M parameters that cuts pictures into tiles and names choices in words."""
    own = {"start_image": _START, "end_image": _END, "context_image": _CONTEXT, "video": _VIDEO}
    tokenizer = byte_tokenizer(
        own.values(),
        padding_side="left",
        extra_special_tokens={f"{name}_token": token for name, token in own.items()},
    )
    images = GotOcr2ImageProcessor(
        size={"height": _TILE, "width": _TILE}, crop_to_patches=True, min_patches=1, max_patches=4
    )
    processor = InternVLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        image_seq_length=_TOKENS,
        chat_template=_CHAT,
        video_processor=InternVLVideoProcessor(size={"height": _TILE, "width": _TILE}),
    )
    torch.manual_seed(seed)
    config = InternVLConfig(
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "image_size": (_TILE, _TILE),
            "patch_size": (_PATCH, _PATCH),
        },
        text_config={
            "model_type": "qwen2",
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "intermediate_size": 128,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": context,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        image_token_id=tokenizer.encode(_CONTEXT)[0],
        image_seq_length=_TOKENS,
        downsample_ratio=0.25,
        tie_word_embeddings=True,
    )
    model = InternVLForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "imagerag.json").write_text(json.dumps({"choices": "words"}), encoding="utf-8")
    return folder
