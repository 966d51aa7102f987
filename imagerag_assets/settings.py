"""Every setting, each an IMAGERAG_* environment variable (or a line of `.env`).

Only values and their derivation live here; nothing is opened, created or contacted.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from imagerag_assets.errors import SettingsError

DivisionName = Literal["pyramid", "vit", "cc", "grid"]


class Settings(BaseSettings):
    """Settings of one installation. Construct with :func:`load_settings` to get one-line errors."""

    model_config = SettingsConfigDict(
        env_prefix="IMAGERAG_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    # Where state lives
    home: Path = Field(Path(".imagerag"), description="Folder of all local state")
    store: str | None = Field(None, description="Object store: a path or s3://bucket/prefix; default HOME/objects")
    milvus_uri: str | None = Field(
        None, description="Milvus: a .db path (Lite) or a server URL; default HOME/milvus.db"
    )
    milvus_token: str | None = Field(None, description="Token (user:password) of the Milvus server", repr=False)
    s3_endpoint_url: str | None = Field(
        None, description="S3 endpoint if it is not AWS; keys come from AWS_* variables or ~/.aws"
    )
    s3_anonymous: bool = Field(False, description="Read public buckets without credentials")

    # Sources and imagery
    sources_file: Path | None = Field(None, description="TOML file of watched sources; default HOME/sources.toml")
    asset_keys: tuple[str, ...] = Field((), description="Asset keys to take imagery from, in order; default: found")
    band_names: tuple[str, ...] = Field((), description="Three band or common names shown as red, green, blue")
    stretch_percentiles: tuple[float, float] = Field((2.0, 98.0), description="Display limits of non-uint8 imagery")

    # Operation
    webhook_url: str | None = Field(None, description="Where events (failed runs, ...) are POSTed as JSON", repr=False)

    # Division
    division: DivisionName = Field("pyramid", description="How scenes are cut into patches")
    patch_px: int = Field(256, ge=32, le=4096, description="Side of a pyramid patch, in pixels of its level")
    patch_overlap: float = Field(0.5, ge=0.0, lt=0.95, description="Overlap of neighbouring pyramid patches")
    min_valid_fraction: float = Field(0.5, ge=0.0, le=1.0, description="Patches with less valid area are not embedded")
    supertile_px: int = Field(3584, ge=512, le=16384, description="Side of one read, in pixels of its level")

    # Encoder
    encoder: str | None = Field(None, description="Registry name of the encoder; default: the one in use, else 'demo'")
    encoders_file: Path | None = Field(None, description="TOML file with further encoders; default HOME/encoders.toml")
    device: str = Field("auto", description="Torch device: auto, cpu, cuda, cuda:1, mps")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="auto: bfloat16 where it is fast")
    batch_size: int = Field(64, ge=1, le=4096, description="Patches an encoder sees at once")
    dask_workers: int = Field(2, ge=1, le=256, description="Threads that read super-tiles")
    dask_scheduler: str | None = Field(None, description="Address of a dask.distributed scheduler; default: threads")

    benchmark: Path | None = Field(
        None, description="Question file with regions (JSONL) that a new encoder is measured by before it takes over"
    )

    # Knowledge
    knowledge_labels: str | None = Field(None, description="Folder of labelled chips (one sub-folder a label)")
    knowledge_captions: str | None = Field(None, description="JSONL with image and caption (or captions) fields")

    # Questions
    top_k: int = Field(3, ge=1, le=50, description="Cues given for a question about one thing")
    min_confidence: float | None = Field(None, ge=0, le=1, description="Cue threshold; default: the calibration's")
    second_look: int = Field(
        432, ge=0, le=10_000, description="Patches encoded anew per question to check the best candidates; 0: none"
    )
    max_phrases: int = Field(5, ge=1, le=16, description="Phrases looked for at most")
    mllm: str = Field("demo", description="Multimodal LLM: 'demo', a folder, a hub id, or a server: http://HOST/v1")
    mllm_revision: str | None = Field(None, description="Pinned revision of a hub id")
    mllm_adapter: str | None = Field(None, description="Folder of a LoRA adapter, by `imagerag train lora`")
    mllm_name: str | None = Field(None, description="Model asked for at a server; default: the only one it lists")
    mllm_family: Literal["auto", "internvl", "qwen", "generic"] = Field(
        "auto", description="How the model writes boxes; auto: from its type, or from its name at a server"
    )
    mllm_choices: Literal["auto", "letters", "words"] = Field(
        "auto", description="How the model names a choice; auto: as its folder says, otherwise by letter"
    )
    mllm_dtype: Literal["auto", "float32", "bfloat16", "float16", "4bit"] = Field(
        "auto", description="Weights; auto: as stored (float32 on a CPU); 4bit: needs bitsandbytes and a CUDA device"
    )
    mllm_context: int | None = Field(None, ge=128, description="Most tokens of prompt and reply; default: the model's")
    mllm_max_new_tokens: int = Field(64, ge=1, le=4096, description="Longest generated answer")
    mllm_timeout_s: float = Field(120.0, gt=0, le=3600, description="Longest wait for a server's reply, each try")
    mllm_retries: int = Field(3, ge=0, le=10, description="Further tries at a server that is down, slow or overloaded")
    chain_of_thought: bool = Field(False, description="The model reasons in words before it answers")
    reasoning_max_tokens: int = Field(256, ge=16, le=8192, description="Longest chain of thought")
    ask_without_cues: bool = Field(
        False, description="The model is asked a free question although nothing that it names was found"
    )
    confirm_cues: bool = Field(True, description="The model confirms each cue of a count, comparison or presence")
    overview_px: int = Field(1024, ge=64, le=8192, description="Longest side of the overview picture")

    @field_validator("mllm")
    @classmethod
    def _no_key_in_address(cls, value: str) -> str:
        """Answers record the model's address; a key or password in it would be kept with each of them."""
        if is_server(value) and "@" in urlsplit(value).netloc:
            raise ValueError("the address has a name or password in it; put the key into OPENAI_API_KEY")
        return value

    @cached_property
    def store_url(self) -> str:
        return self.store or str(self.home / "objects")

    @cached_property
    def milvus(self) -> str:
        return self.milvus_uri or str(self.home / "milvus.db")

    @property
    def milvus_is_lite(self) -> bool:
        return "://" not in self.milvus

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def registry_file(self) -> Path:
        return self.encoders_file or self.home / "encoders.toml"

    @property
    def watched_sources_file(self) -> Path:
        return self.sources_file or self.home / "sources.toml"

    @property
    def active_encoder_file(self) -> Path:
        return self.home / "encoder.txt"

    @property
    def active_encoder(self) -> str:
        """Name of the encoder in use: IMAGERAG_ENCODER, else what `imagerag encoders use` wrote, else 'demo'."""
        if self.encoder:
            return self.encoder
        try:
            return self.active_encoder_file.read_text(encoding="utf-8").strip() or "demo"
        except FileNotFoundError:
            return "demo"


def is_server(mllm: str) -> bool:
    """Whether IMAGERAG_MLLM is the address of a server."""
    return mllm.startswith(("http://", "https://"))


def load_settings(**overrides: object) -> Settings:
    """Read the settings, turning pydantic's report into one line.

    Raises:
        SettingsError: a variable has no valid value; the message names the variable.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "IMAGERAG_" + "_".join(str(part) for part in first["loc"][:1]).upper()
        raise SettingsError(f"{name} is not valid: {first['msg']}", fix=f"Set or unset {name}") from None
