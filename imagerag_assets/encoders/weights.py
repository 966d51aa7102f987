"""From a registry entry to an open_clip model: its configuration, its checkpoint, its tokenizer.

Only finding and loading; `open_clip_encoder` runs the model.  open_clip takes seconds to import, so only functions that
need it import it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from imagerag_assets.encoders.text_tower import PACKAGED_TEXT_TOWER, packaged_text_tower
from imagerag_assets.encoders.types import EncoderSpec
from imagerag_assets.errors import EncoderError
from imagerag_assets.settings import Settings

LOCAL, HUB = "local-dir:", "hf-hub:"
TRANSFORMERS_CONFIG = "config.json"
_MODEL_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]  # no code, and no weights that are pickled
CONFIG_NAME, WEIGHTS_NAME = "open_clip_config.json", "model.safetensors"
_NAMES_ON_HUB = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_SHIPPED = Path(__file__).absolute().parent
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILE_SUFFIXES = {".safetensors", ".pt", ".pth", ".bin", ".npz"}

_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

if TYPE_CHECKING:
    import torch

    Tokenizer = Callable[[list[str]], torch.Tensor]


def _open_clip() -> Any:
    import imagerag_assets._torchvision_ops  # noqa: F401  (before open_clip imports torchvision)

    import open_clip  # isort: skip

    return open_clip


@dataclass(frozen=True)
class Preprocessing:
    """How a patch is prepared for the image tower."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["area", "bilinear", "bicubic"]


@dataclass(frozen=True)
class Architecture:
    """An open_clip model configuration, as stored: a packaged text tower is named, not located."""

    config: dict[str, Any]
    preprocessing: Preprocessing

    @property
    def packaged_text(self) -> bool:
        """Whether the text tower comes from an installed package instead of the checkpoint."""
        return bool(self.config["text_cfg"].get("hf_model_name") == PACKAGED_TEXT_TOWER)


def read_architecture(spec: EncoderSpec) -> Architecture:
    """Read the model configuration of an entry and settle its preprocessing.

    Raises:
        EncoderError: the architecture is unknown, or the configuration unreadable or incomplete.
    """
    stored, defaults = _stored_config(spec)
    config = copy.deepcopy(stored.get("model_cfg", stored))
    if not {"embed_dim", "vision_cfg", "text_cfg"} <= config.keys():
        raise EncoderError(
            "The model configuration has no embed_dim, vision_cfg and text_cfg", encoder=spec.name, fix=_REGISTRY_FIX
        )
    if spec.force_quick_gelu:
        config["quick_gelu"] = True
    if spec.image_size is not None:
        config["vision_cfg"]["image_size"] = spec.image_size
    defaults = {**defaults, **stored.get("preprocess_cfg", {})}
    size = config["vision_cfg"].get("image_size", 224)
    interpolation = spec.interpolation or defaults.get("interpolation", "bicubic")
    if interpolation not in ("area", "bilinear", "bicubic"):
        interpolation = "bicubic"  # open_clip's "random", which is for training
    mean = spec.mean or tuple(defaults.get("mean", _CLIP_MEAN))
    std = spec.std or tuple(defaults.get("std", _CLIP_STD))
    return Architecture(
        config, Preprocessing(int(size if isinstance(size, int) else size[0]), mean, std, interpolation)
    )


_REGISTRY_FIX = "Correct its entry in the encoder registry file"


def _stored_config(spec: EncoderSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration as stored, and the preprocessing defaults of a pretrained tag."""
    if spec.architecture.startswith(LOCAL):
        path = _config_folder(spec) / CONFIG_NAME
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise EncoderError(f"There is no {path}", encoder=spec.name, fix=_REGISTRY_FIX) from None
        except (OSError, ValueError) as error:
            raise EncoderError(f"{path} cannot be read: {error}", encoder=spec.name, fix=_REGISTRY_FIX) from None
        if not isinstance(stored, dict):
            raise EncoderError(f"{path} is not a JSON object", encoder=spec.name, fix=_REGISTRY_FIX)
        return stored, {}
    if spec.architecture.startswith(HUB):
        path = _from_hub(spec.architecture[len(HUB) :], CONFIG_NAME, spec, "configuration")
        return json.loads(path.read_text(encoding="utf-8")), {}
    open_clip = _open_clip()
    config = open_clip.get_model_config(spec.architecture)
    if config is None:
        raise EncoderError(f"open_clip has no architecture {spec.architecture!r}", encoder=spec.name, fix=_REGISTRY_FIX)
    tag = open_clip.get_pretrained_cfg(spec.architecture, spec.checkpoint) if spec.checkpoint else {}
    quick = bool(config.get("quick_gelu")) or spec.force_quick_gelu
    if tag and bool(tag.get("quick_gelu")) != quick:
        # A wrong activation loads without complaint and quietly ruins the vectors.
        raise EncoderError(
            f"The weights {spec.checkpoint!r} were {'' if tag.get('quick_gelu') else 'not '}trained with QuickGELU",
            encoder=spec.name,
            fix=f"Use architecture {spec.architecture.removesuffix('-quickgelu') + ('' if quick else '-quickgelu')!r}",
        )
    return config, dict(tag or {})


def _config_folder(spec: EncoderSpec) -> Path:
    return (Path(spec.base) / Path(spec.architecture[len(LOCAL) :]).expanduser()).resolve()


def find_checkpoint(spec: EncoderSpec, settings: Settings) -> Path:
    """Return the checkpoint file of an entry; download it if needed.

    It is looked for in this order: beside the configuration; HOME/models/NAME.safetensors or .pt; the path of the
    entry; the hub (its local cache first).

    Raises:
        EncoderError: it is not found; the message says where to put it.
    """
    if spec.architecture.startswith(LOCAL) and not spec.checkpoint:
        beside = _config_folder(spec) / WEIGHTS_NAME
        if beside.is_file():
            return beside
        raise EncoderError(f"There is no {beside}", encoder=spec.name, fix=f"Put the encoder's {WEIGHTS_NAME} there")
    models = settings.home / "models"
    own = [models / f"{spec.name}{suffix}" for suffix in (".safetensors", ".pt")]
    for candidate in own:
        if candidate.is_file():
            return candidate
    named = spec.checkpoint
    if named.startswith(HUB) or (not named and spec.architecture.startswith(HUB)):
        _require_commit(spec, settings)
        return _checkpoint_from_hub(spec, own)
    if Path(named).suffix in _FILE_SUFFIXES:
        path = (Path(spec.base) / Path(named).expanduser()).resolve()
        if path.is_file():
            return path
        raise EncoderError(f"There is no {path}", encoder=spec.name, fix=f"Put the checkpoint there or at {own[0]}")
    open_clip = _open_clip()
    tag = open_clip.get_pretrained_cfg(spec.architecture, named)
    if not tag:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(spec.architecture)) or "none"
        raise EncoderError(
            f"{named!r} is neither a checkpoint file nor one of open_clip's weights for {spec.architecture} ({tags})",
            encoder=spec.name,
            fix=_REGISTRY_FIX,
        )
    _require_commit(spec, settings)
    try:
        if tag.get("hf_hub"):
            repository, _, file = tag["hf_hub"].rpartition("/")
            return _weights_from_hub(repository, file, spec.revision)
        return Path(open_clip.download_pretrained(tag))
    except Exception as error:
        raise _not_downloadable(spec, own, error) from None


def model_folder(spec: EncoderSpec, settings: Settings) -> Path:
    """Return the folder of a model in the form of transformers; download it if needed.

    It is HOME/models/NAME if there is such a folder, else what the entry says.

    Raises:
        EncoderError: it is not found; the message says where to put it.
    """
    own = settings.home / "models" / spec.name
    if (own / TRANSFORMERS_CONFIG).is_file():
        return own
    if spec.architecture.startswith(LOCAL):
        folder = _config_folder(spec)
        if not (folder / TRANSFORMERS_CONFIG).is_file():
            raise EncoderError(f"There is no {folder / TRANSFORMERS_CONFIG}", encoder=spec.name, fix=_REGISTRY_FIX)
        return folder
    _require_commit(spec, settings)
    try:
        from huggingface_hub import snapshot_download

        found = snapshot_download(
            spec.architecture[len(HUB) :], revision=spec.revision or None, allow_patterns=_MODEL_FILES
        )
    except Exception as error:
        raise EncoderError(
            f"The model {spec.architecture!r} is not on this machine and cannot be downloaded ({type(error).__name__})",
            encoder=spec.name,
            fix=f"Put its files into {own}",
        ) from None
    return Path(found)


def _checkpoint_from_hub(spec: EncoderSpec, own: list[Path]) -> Path:
    organisation, _, rest = (spec.checkpoint or spec.architecture)[len(HUB) :].partition("/")
    repository, _, file = rest.partition("/")
    try:
        if file:
            return _hub_download(f"{organisation}/{repository}", file, spec.revision)
        return _weights_from_hub(f"{organisation}/{repository}", "", spec.revision)
    except Exception as error:
        raise _not_downloadable(spec, own, error) from None


def _weights_from_hub(repository: str, file: str, revision: str) -> Path:
    """Download a checkpoint, the safe form of it if there is one; without a name, the usual one."""
    _open_clip()
    from open_clip.pretrained import download_pretrained_from_hf

    return Path(download_pretrained_from_hf(repository, filename=file or None, revision=revision or None))


def floating_repository(spec: EncoderSpec, settings: Settings) -> str | None:
    """Return the hub repository whose weights an entry takes as they are when they are downloaded; None: it does not.

    An entry with a commit as its revision does not, nor one whose checkpoint is on this machine, nor a served one.
    """
    if spec.kind == "served" or (settings.home / "models" / spec.name / TRANSFORMERS_CONFIG).is_file():
        return None
    own = (settings.home / "models" / f"{spec.name}{suffix}" for suffix in (".safetensors", ".pt"))
    if _COMMIT.fullmatch(spec.revision) or any(file.is_file() for file in own):
        return None
    return _repository(spec)


def _require_commit(spec: EncoderSpec, settings: Settings) -> None:
    """Refuse to download what a shipped entry does not name the commit of, unless it is here already.

    Whoever writes an entry decides for it.

    Raises:
        EncoderError: it is refused.
    """
    repository = floating_repository(spec, settings)
    if spec.revision or repository is None or Path(spec.base) != _SHIPPED or _is_here(spec, repository):
        return
    own = settings.home / "models" / (spec.name if spec.kind == "transformers" else f"{spec.name}.safetensors")
    raise EncoderError(
        f"The commit of the weights of {spec.name} is not known, so they are not downloaded from {repository}",
        encoder=spec.name,
        fix=f'Copy its entry to {settings.registry_file} with revision = "COMMIT" (or "main": whatever is there now), '
        f"or put the weights at {own}",
    )


def _is_here(spec: EncoderSpec, repository: str) -> bool:
    """Return whether what an entry takes of a repository is in the hub's local cache."""
    from huggingface_hub import try_to_load_from_cache

    _, _, file = spec.checkpoint.partition(f"{repository}/")
    names = (file,) if file else (TRANSFORMERS_CONFIG,) if spec.kind == "transformers" else _NAMES_ON_HUB
    return any(isinstance(try_to_load_from_cache(repository, name), str) for name in names)


def commit_of(downloaded: Path) -> str | None:
    """Return the commit that a file of the hub's local cache belongs to; None: it is no such file."""
    return next((part for part in reversed(downloaded.parts) if _COMMIT.fullmatch(part)), None)


def _from_hub(repository: str, file: str, spec: EncoderSpec, what: str) -> Path:
    try:
        return _hub_download(repository, file, spec.revision)
    except Exception as error:
        raise EncoderError(
            f"The {what} of {repository} cannot be downloaded ({type(error).__name__})",
            encoder=spec.name,
            fix="Connect to the hub, or name a local-dir: folder as its architecture in the encoder registry file",
        ) from None


def _hub_download(repository: str, file: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(repository, file, revision=revision or None))


def _not_downloadable(spec: EncoderSpec, own: list[Path], error: Exception) -> EncoderError:
    return EncoderError(
        f"The weights {spec.checkpoint or spec.architecture!r} are not on this machine and cannot be downloaded "
        f"({type(error).__name__})",
        encoder=spec.name,
        fix=f"Put the checkpoint file at {own[0]} or {own[1].name} beside it",
    )


def build_model(spec: EncoderSpec, architecture: Architecture, checkpoint: Path) -> tuple[torch.nn.Module, Tokenizer]:
    """Build the model in float32 on the CPU, in inference mode, and load every weight.

    Raises:
        EncoderError: the checkpoint does not fit the architecture, or a tokenizer is not on this machine.
    """
    config = _located(architecture)
    open_clip = _open_clip()
    custom_text = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    model_class = open_clip.CustomTextCLIP if custom_text else open_clip.CLIP
    try:
        with quiet_transformers():
            model = model_class(**config).float()
        incompatible = open_clip.load_checkpoint(model, str(checkpoint), strict=False)
    except Exception as error:
        raise EncoderError(
            f"{checkpoint} cannot be loaded into this architecture: {error}"[:400], encoder=spec.name, fix=_REGISTRY_FIX
        ) from None
    missing = [key for key in getattr(incompatible, "missing_keys", ()) if not _from_package(architecture, key)]
    unexpected = list(getattr(incompatible, "unexpected_keys", ()))
    if missing or unexpected:
        example = (missing or unexpected)[0]
        raise EncoderError(
            f"{checkpoint} does not fit its architecture: {len(missing)} weights missing, {len(unexpected)} unknown "
            f"(first: {example})",
            encoder=spec.name,
            fix=_REGISTRY_FIX,
        )
    model.eval().requires_grad_(False)
    try:
        return cast("torch.nn.Module", model), _tokenizer(spec, config)
    except Exception as error:
        raise EncoderError(
            f"The tokenizer is not on this machine and cannot be downloaded ({type(error).__name__})",
            encoder=spec.name,
            fix="Connect to the hub once, so that it is kept in the local cache",
        ) from None


def _located(architecture: Architecture) -> dict[str, Any]:
    """Return the configuration with the folder of the packaged text tower, and without download of tower weights."""
    config = copy.deepcopy(architecture.config)
    text = config["text_cfg"]
    if architecture.packaged_text:
        text["hf_model_name"] = text["hf_tokenizer_name"] = str(packaged_text_tower())
    if "hf_model_name" in text:
        text["hf_model_pretrained"] = architecture.packaged_text
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    return config


def _from_package(architecture: Architecture, key: str) -> bool:
    return architecture.packaged_text and key.startswith("text.transformer.")


def _tokenizer(spec: EncoderSpec, config: dict[str, Any]) -> Tokenizer:
    open_clip = _open_clip()
    text = config["text_cfg"]
    context = text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
    # Some configurations come from the hub: none may run code from there.
    options = dict(text.get("tokenizer_kwargs", {})) | {"trust_remote_code": False}
    if text.get("hf_tokenizer_name"):
        if text["hf_tokenizer_name"] == _repository(spec) and spec.revision:
            options["revision"] = spec.revision
        tokenizer = open_clip.tokenizer.HFTokenizer(
            text["hf_tokenizer_name"], context_length=context, tokenizer_mode=text.get("tokenizer_mode"), **options
        )
    elif spec.architecture.startswith((LOCAL, HUB)):
        options.pop("trust_remote_code")
        tokenizer = open_clip.SimpleTokenizer(context_length=context, **options)
    else:
        tokenizer = open_clip.get_tokenizer(spec.architecture)
    return cast("Tokenizer", tokenizer)


def _repository(spec: EncoderSpec) -> str | None:
    """Return the hub repository that an entry's weights, and its revision, are of; None: they are of no repository."""
    named = spec.checkpoint or spec.architecture
    if named.startswith(HUB):
        return "/".join(named[len(HUB) :].split("/")[:2])
    if named.startswith(LOCAL) or Path(named).suffix in _FILE_SUFFIXES:
        return None
    tag = _open_clip().get_pretrained_cfg(spec.architecture, named) or {}
    return str(tag["hf_hub"]).rpartition("/")[0] if tag.get("hf_hub") else None


def padding_of(model: Any) -> int | None:
    """Return the token that fills the context behind a text, if the model masks it; None if it needs a whole context.

    Towers of the hub's kind mask it; open_clip's own do not.
    """
    return cast("int | None", getattr(getattr(getattr(model, "text", None), "config", None), "pad_token_id", None))


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence progress bars and the report of the unused pooler while a tower loads: they would mix with our output."""
    from transformers.utils import logging as transformers_logging

    before = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
