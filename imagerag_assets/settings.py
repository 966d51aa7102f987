"""Every setting, each an IMAGERAG_* environment variable or a line of `.env`.

Only values and what follows from them live here; nothing is opened, created or contacted.  Each field's docstring is
its line in docs/settings.md.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from imagerag_assets.errors import SettingsError
from imagerag_assets.masking import note_secrets
from imagerag_assets.signatures import unsigned

PREFIX = "IMAGERAG_"
NOT_SETTINGS: frozenset[str] = frozenset()
"""Names that begin like a setting's and belong to something else: they are no typing errors."""
_CLOSE = 0.8  # the common prefix makes any two names rather alike
DivisionName = Literal["pyramid", "vit", "cc", "grid"]
Metres = Annotated[float, Field(ge=1, le=100_000, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Settings of one installation.  Load them with :func:`load_settings`, whose errors are one line."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    # Where state lives
    home: Path = Path(".imagerag")
    """Folder of everything this installation keeps on this machine."""
    store: str | None = None
    """Where scenes' records, embeddings and answers are stored: a path or s3://bucket/prefix; default: HOME/objects."""
    milvus_uri: str | None = None
    """Vector index: the path of a Milvus Lite file (.db) or the URL of a Milvus server; default: HOME/milvus.db."""
    cache: Path | None = None
    """Folder of what can be made again: fingerprints, vectors of fixed texts, tiles of layers; default: HOME/cache."""
    milvus_token: SecretStr | None = None
    """Token of the Milvus server, often user:password."""
    s3_endpoint_url: str | None = None
    """Address of an S3 server other than AWS. Keys come from the AWS_* variables or ~/.aws."""
    s3_anonymous: bool = False
    """Read public buckets without credentials."""
    settings_file: Path | None = None
    """TOML file of [storage.NAME] tables, which say how certain buckets are reached; default: HOME/settings.toml."""

    # Sources and imagery
    sources_file: Path | None = None
    """TOML file that lists the watched sources; default: HOME/sources.toml."""
    removals_at_most: float = Field(0.2, ge=0, le=1)
    """Largest share of a watched source's scenes that may be marked as removed at once; more needs a person's yes."""
    asset_keys: tuple[str, ...] = ()
    """Keys of the assets to take imagery from, in order; default: chosen from each item's description."""
    alternates: tuple[str, ...] = ()
    """Which of an asset's alternate addresses to read first, by name or scheme, such as s3; the others if it fails."""
    band_names: tuple[str, ...] = ()
    """Names or common names of the three bands to show as red, green and blue; one name shows that band in grey."""
    modality: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]{0,31}$")
    """What imagery is whose item and file do not say so, e.g. sar: radar is shown in decibels, with less speckle."""
    polarisations: Literal["one", "two"] = "one"
    """Polarisations of radar to show: one in grey, or two and their ratio in false colours where there are two."""
    layer_pixels: int = Field(100_000_000, ge=65_536, le=4_000_000_000)
    """Largest number of pixels of an online layer that is fetched as one scene."""
    stretch_percentiles: tuple[float, float] = (2.0, 98.0)
    """Percentiles of a scene's values that are shown as black and white. Imagery of 8 bits is shown as it is."""
    collars: Literal["keep", "exclude"] = "keep"
    """Whether a frame of a constant value at a scene's border that nothing declares as missing counts as pixels."""

    milvus_timeout_s: float = Field(600.0, ge=1, le=86_400)
    """Seconds to wait for Milvus, for each call."""

    # What documents may refer to
    allowed_schemes: tuple[Literal["http", "https", "s3"], ...] = ("http", "https", "s3")
    """Kinds of addresses that documents may name."""
    allowed_hosts: tuple[str, ...] = ("*",)
    """Hosts that documents may name, as `host`, `host:port`, `*.domain` or 10.0.0.0/8; * is every public host."""
    allowed_ports: tuple[int, ...] = ()
    """Ports of http(s) that documents may name; default: any."""
    allowed_buckets: tuple[str, ...] = ("*",)
    """Buckets that documents may name; * is every one for documents here and for those of the same storage."""
    allowed_roots: tuple[str, ...] = ("/",)
    """Folders of this machine that documents of this machine may name files in."""
    trusted_proxies: tuple[str, ...] = ()
    """Proxies (HTTPS_PROXY), as host or host:port, that see to it that names lead to nothing inner; others do not."""

    # Who may use Dagster's UI, and what its jobs may open
    ui_token: SecretStr | None = None
    """What whoever opens the UI must know; default: nothing on this machine, else what `imagerag dev` prints."""
    ui_hosts: tuple[str, ...] = ()
    """Further host names under which the UI is reached, e.g. that of a proxy in front of it."""
    job_roots: tuple[str, ...] = ()
    """Folders that jobs started in the UI may open files in; default: the folder it works in, and to read, HOME."""

    # One process for many questions
    resident: Literal["off", "use", "auto"] = "use"
    """Whether commands and runs ask the process of `imagerag serve` where it runs; auto also starts one."""
    resident_idle_s: float = Field(900.0, ge=1, le=1_000_000)
    """Seconds without a question after which such a process ends by itself, unless it listens on a port."""
    serve_token: SecretStr | None = None
    """What requests to `imagerag serve` must know; without it, it listens on this machine only."""
    serve_ask_token: SecretStr | None = None
    """A token of `imagerag serve` for those who may ask and read, and change nothing else."""
    serve_read_token: SecretStr | None = None
    """A token of `imagerag serve` for those who may only read: scenes, answers, imagery, status and metrics."""
    serve_questions_per_minute: int = Field(120, ge=1, le=100_000)
    """Largest number of questions and examples a minute that `imagerag serve` takes of one client."""
    serve_requests_per_minute: int = Field(6000, ge=1, le=10_000_000)
    """Largest number of requests a minute, tiles of imagery among them, that `imagerag serve` takes of one client."""
    serve_hosts: tuple[str, ...] = ()
    """Further host names under which `imagerag serve` is reached, e.g. that of a proxy in front of it."""
    serve_at_once: int = Field(4, ge=1, le=256)
    """Questions that `imagerag serve` works on at the same time; the others wait."""
    serve_in_flight: int = Field(64, ge=1, le=10_000)
    """Largest number of questions that `imagerag serve` works on or lets wait; further ones are refused with 503."""

    # Limits
    limit_request_bytes: int = Field(2**20, ge=2**10)
    """Largest body of a request to `imagerag serve`, in bytes."""
    limit_request_s: float = Field(30.0, gt=0, le=1_000_000)
    """Longest time for a request to `imagerag serve` or Dagster's UI, and until its answer is read on, in seconds."""
    limit_connections: int = Field(256, ge=1, le=100_000)
    """Largest number of connections that `imagerag serve`, its socket for commands, and Dagster's UI have open each."""
    limit_pixels: int = Field(40_000_000_000, ge=4)
    """Largest number of pixels of a raster, width times height."""
    limit_bands: int = Field(4096, ge=1)
    """Largest number of bands of a raster."""
    limit_block_bytes: int = Field(512 * 2**20, ge=2**10)
    """Largest block (tile or strip) of a raster, in bytes once decoded, by the size and bands that it declares."""
    limit_patches: int = Field(5_000_000, ge=1)
    """Largest number of patches that a scene is cut into."""
    limit_open_s: float = Field(120.0, gt=0, le=1_000_000)
    """Longest time to open a raster, in seconds."""
    limit_read_s: float = Field(600.0, gt=0, le=1_000_000)
    """Longest time to read a window of a raster, such as a super-tile, in seconds."""
    limit_stall_s: int = Field(30, ge=1, le=600)
    """Longest time without an answer, or a part of it, after which a request for imagery has failed, in seconds."""
    limit_overviews_s: float = Field(4 * 3600.0, gt=0, le=1_000_000)
    """Longest time to build the overviews that a raster lacks, in seconds."""
    limit_read_bytes: int = Field(2 * 2**30, ge=64 * 2**20)
    """Most memory that each process that reads rasters may take besides its own, in bytes (on Linux)."""
    read_apart: bool = True
    """Read rasters in processes of their own, where a crash or a hang costs one scene; false: in this process."""
    limit_document_bytes: int = Field(64 * 2**20, ge=2**10)
    """Largest JSON document or picture of the knowledge base, in bytes, also once unzipped."""
    limit_document_s: float = Field(120.0, gt=0, le=1_000_000)
    """Longest time to read a document, with all further tries, in seconds."""
    limit_document_depth: int = Field(400, ge=4, le=500)
    """Largest number of levels to which objects and lists of a document are nested."""
    limit_document_values: int = Field(5_000_000, ge=100)
    """Largest number of values of a document, each of which takes far more memory than bytes."""
    limit_links: int = Field(100_000, ge=1)
    """Largest number of links of a document."""
    limit_catalogs: int = Field(10_000, ge=1)
    """Largest number of catalogs and collections of a source."""
    limit_pages: int = Field(10_000, ge=1)
    """Largest number of pages of a search or of a collection of items."""
    limit_items: int = Field(1_000_000, ge=1)
    """Largest number of items, files or objects of a listing."""
    limit_listing_s: float = Field(600.0, gt=0, le=1_000_000)
    """Longest time to list a prefix, in seconds."""
    limit_source_s: float = Field(6 * 3600.0, gt=0, le=1_000_000)
    """Longest time to read a source (catalogs, pages, items), in seconds. What came counts; a watch goes on later."""
    limit_lookup_s: float = Field(15.0, gt=0, le=1_000)
    """Longest time to look up the name of a host, in seconds."""
    limit_disk_s: float = Field(30.0, gt=0, le=1_000_000)
    """Longest time for a disk, which may be far away, to say what a file is and to open it, in seconds."""
    limit_question_chars: int = Field(20_000, ge=10)
    """Longest question or choice, in characters."""
    limit_question_values: int = Field(1000, ge=1)
    """Largest number of scenes, of choices and of regions (`roi`) that a question names."""
    limit_batch_lines: int = Field(100_000, ge=1)
    """Largest number of questions of a file."""

    # Operation
    webhook_url: SecretStr | None = None
    """Address that receives events, such as a failed run, as JSON by POST. All of it is kept secret."""

    log: Literal["text", "json"] = "text"
    """Form of warnings and errors on standard error: lines for a person, or a JSON object each for a log collector."""
    log_level: Literal["error", "warning", "info", "debug"] = "warning"
    """What of the program's own messages is shown, and all that is graver."""

    smtp_host: str | None = None
    """Mail server that tells of changed answers of standing questions; default: no mail."""
    smtp_port: int = Field(587, ge=1, le=65_535)
    """Port of the mail server; often 465 where IMAGERAG_SMTP_SECURITY is tls."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection to the mail server is encrypted; with none, a password goes to this machine only."""
    smtp_user: str | None = None
    """Name to log in to the mail server with; default: no login."""
    smtp_password: SecretStr | None = None
    """Password to log in to the mail server with."""
    mail_to: tuple[str, ...] = ()
    """Addresses that mails go to."""
    mail_from: str | None = None
    """Address that mails come from; default: the first one that they go to."""
    digest: Literal["off", "daily", "weekly"] = "off"
    """Send one mail with all changes of a day or a week, not one for each."""
    feed_file: Path | None = None
    """File to write an Atom feed of changed answers to, for feed readers; default: no feed."""
    feed_entries: int = Field(50, ge=1, le=500)
    """Largest number of answers in the feed, the newest."""

    # Division
    division: DivisionName = "pyramid"
    """How scenes are cut into patches. The others are the divisions of the ImageRAG paper."""
    patch_px: int = Field(256, ge=32, le=4096)
    """Side of a pyramid patch, in pixels of its level."""
    patch_m: Literal["encoder", "pixels"] | Metres = "encoder"
    """Side in metres of the smallest patch; encoder: as taught, unless IMAGERAG_PATCH_PX alone is set; pixels: that."""
    finer_patches: int = Field(200_000, ge=1)
    """Largest number of patches of a scene whose smallest ones have fewer than IMAGERAG_PATCH_PX pixels a side."""
    patch_overlap: float = Field(0.5, ge=0.0, lt=0.95)
    """Share of its side by which a pyramid patch overlaps the next one."""
    min_valid_fraction: float = Field(0.5, ge=0.0, le=1.0)
    """Smallest share of valid pixels that a patch needs to be embedded."""
    supertile_px: int = Field(3584, ge=512, le=16384)
    """Side of the area that is read at once and cut into patches, in pixels of its level."""

    # Encoder
    encoder: str | None = None
    """Registry name of the encoder; default: the one chosen with `imagerag encoders use`, else demo."""
    encoders_file: Path | None = None
    """TOML file with further encoders; default: HOME/encoders.toml."""
    device: str = "auto"
    """Device that models run on: auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format the encoder computes in; auto picks bfloat16 on devices where that is fast."""
    batch_size: int = Field(64, ge=1, le=4096)
    """Number of patches that are encoded at once."""
    dask_workers: int = Field(2, ge=1, le=256)
    """Number of threads that read super-tiles."""
    dask_scheduler: str | None = None
    """Address of a dask.distributed scheduler that shares the work; default: threads of this process."""
    limit_workers_s: float = Field(120.0, gt=0, le=1_000_000)
    """Longest time to wait for a first or another worker where the dask scheduler has none, in seconds."""

    benchmark: Path | None = None
    """Question file with regions (JSONL) on which a new encoder must do well enough before it takes over."""

    # Knowledge
    knowledge_labels: str | None = None
    """Folder of labelled chips, with one sub-folder per label."""
    knowledge_captions: str | None = None
    """JSONL file whose lines have the fields image and caption (or captions)."""

    # Questions
    top_k: int = Field(3, ge=1, le=50)
    """Number of cues for a question about one thing."""
    min_confidence: float | None = Field(None, ge=0, le=1)
    """Lowest confidence of a cue; default: the threshold of the encoder's calibration."""
    second_look: int = Field(432, ge=0, le=10_000)
    """Number of patches that are read and encoded again per question to check the best candidates; 0 checks none."""
    max_phrases: int = Field(5, ge=1, le=16)
    """Largest number of phrases to look for per question."""
    mllm: str = "demo"
    """Multimodal LLM that answers: demo, a folder, a Hugging Face Hub id, or the URL of a server (http://HOST/v1)."""
    mllm_cache: Path | None = None
    """Folder in which the demo's multimodal LLM is put together, once (280 MB); default: HOME/models."""
    mllm_revision: str | None = None
    """Commit of a Hub id to stay at; without it, `imagerag doctor` says which one is here."""
    mllm_adapter: str | None = None
    """Folder of a LoRA adapter made by `imagerag train lora`."""
    mllm_name: str | None = None
    """Name of the model at a server; default: the only one that the server lists."""
    mllm_family: Literal["auto", "internvl", "qwen", "generic"] = "auto"
    """How the model writes boxes; auto goes by its type, or by its name at a server."""
    mllm_choices: Literal["auto", "letters", "words"] = "auto"
    """How the model names a choice; auto does what its folder says, otherwise letters."""
    mllm_dtype: Literal["auto", "float32", "bfloat16", "float16", "4bit"] = "auto"
    """Number format of the weights; auto: as stored, or bfloat16 where a CPU is fast with it; 4bit needs CUDA."""
    mllm_context: int | None = Field(None, ge=128)
    """Largest number of tokens of prompt and reply together; default: the model's own limit."""
    mllm_max_new_tokens: int = Field(64, ge=1, le=4096)
    """Largest number of tokens in an answer."""
    mllm_timeout_s: float = Field(120.0, gt=0, le=3600)
    """Seconds to wait for a server's reply, each time."""
    mllm_retries: int = Field(3, ge=0, le=10)
    """Number of further tries at a server that is down, slow or overloaded."""
    planner: Literal["auto", "rules", "model"] = "auto"
    """What reads questions: rules alone; with a small language model that ships; and the multimodal LLM, too."""
    chain_of_thought: bool = False
    """Let the model reason in words before it answers."""
    reasoning_max_tokens: int = Field(256, ge=16, le=8192)
    """Largest number of tokens of such reasoning."""
    ask_without_cues: bool = False
    """Ask the model a free question even if nothing that the question names was found."""
    confirm_cues: bool = True
    """Let the model confirm each cue of a question about number, comparison or presence."""
    looks: int = Field(1, ge=0, le=10)
    """Further searches at most for what was not found or not confirmed, each outside what was seen already."""
    count_budget: int = Field(6_000, ge=0, le=100_000)
    """Patches encoded at most to count objects within patches (a small scene takes some 1500); 0: cues are counted."""
    overview_px: int = Field(1024, ge=64, le=8192)
    """Longest side of the overview picture that the model sees, in pixels."""

    @field_validator("mllm")
    @classmethod
    def _no_key_in_address(cls, value: str) -> str:
        """Refuse a name or password in the model's address, which every answer records."""
        if is_server(value) and unsigned(value) != value:
            raise ValueError("the address has a password or key in it; put the key into OPENAI_API_KEY")
        return value

    @field_validator("milvus_uri", "s3_endpoint_url", "dask_scheduler", "store")
    @classmethod
    def _no_login_in_address(cls, value: str | None, about: ValidationInfo) -> str | None:
        """Refuse a name or password in an address that messages and `imagerag doctor` name."""
        if value is not None and "://" in value and "@" in urlsplit(value).netloc:
            where = {"milvus_uri": "; put it into IMAGERAG_MILVUS_TOKEN", "dask_scheduler": ""}
            raise ValueError(
                "the address has a name or password in it"
                + where.get(about.field_name or "", "; put them into the AWS_* variables or a [storage.NAME] table")
            )
        return value

    @field_validator("mail_to", "mail_from")
    @classmethod
    def _is_address(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        """Refuse what is no plain address: in a header it could become another one."""
        for address in [value] if isinstance(value, str) else value or ():
            if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+", address):
                raise ValueError(f"{address[:80]!r} is not an address like name@host")
        return value

    @model_validator(mode="after")
    def _note_secrets(self) -> Settings:
        """Let no text show what is secret here: servers repeat what they are sent."""
        if self.milvus_token is not None:
            token = self.milvus_token.get_secret_value()
            note_secrets(token, token.partition(":")[2])
        for own in (self.ui_token, self.serve_token, self.serve_ask_token, self.serve_read_token):
            if own is not None:
                note_secrets(own.get_secret_value())
        if self.smtp_password is not None:
            note_secrets(self.smtp_password.get_secret_value())
        if self.webhook_url is not None:
            address = self.webhook_url.get_secret_value()
            parts = urlsplit(address)
            note_secrets(address, parts.path.strip("/"), parts.query)
        return self

    @cached_property
    def store_url(self) -> str:
        """Path or address of the object store."""
        return self.store or str(self.home / "objects")

    @cached_property
    def milvus(self) -> str:
        """Path of the Milvus Lite file, or URL of the server."""
        return self.milvus_uri or str(self.home / "milvus.db")

    @property
    def milvus_is_lite(self) -> bool:
        """Whether Milvus is a file of this machine."""
        return "://" not in self.milvus

    @property
    def dagster_home(self) -> Path:
        """Dagster's folder."""
        return self.home / "dagster"

    @property
    def cache_folder(self) -> Path:
        """Folder of what can be made again."""
        return self.cache or self.home / "cache"

    @property
    def mllm_cache_folder(self) -> Path:
        """Folder in which the demo's multimodal LLM is put together."""
        return self.mllm_cache or self.home / "models"

    @property
    def registry_file(self) -> Path:
        """TOML file with further encoders."""
        return self.encoders_file or self.home / "encoders.toml"

    @property
    def watched_sources_file(self) -> Path:
        """TOML file of the watched sources."""
        return self.sources_file or self.home / "sources.toml"

    @property
    def storage_file(self) -> Path:
        """TOML file of the storage tables."""
        return self.settings_file or self.home / "settings.toml"

    @property
    def active_encoder_file(self) -> Path:
        """File that holds the name chosen with `imagerag encoders use`."""
        return self.home / "encoder.txt"

    @property
    def active_encoder(self) -> str:
        """Name of the chosen encoder: IMAGERAG_ENCODER, else what `imagerag encoders use` wrote, else 'demo'."""
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
    """Read the settings from the environment and `.env`.

    Args:
        overrides: Values that win over both, by field.

    Raises:
        SettingsError: a variable has no valid value; the message names it.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(str(part) for part in first["loc"][:1]).upper()
        raise SettingsError(f"{name} is not valid: {first['msg']}", fix=f"Set or unset {name}") from None


def unknown_names() -> dict[str, str | None]:
    """Find variables that look like settings and are none, in the environment and in `.env`.

    Returns:
        Each such name with the setting that was probably meant, None where no name is close.
    """
    files = Settings.model_config.get("env_file") or ()
    found = dict(os.environ)
    for file in [files] if isinstance(files, str | Path) else files:
        with suppress(OSError, UnicodeDecodeError):
            found |= {name: value or "" for name, value in dotenv_values(file).items()}
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(
        name
        for name, value in found.items()
        if value and name.upper().startswith(PREFIX) and name.upper() not in known | NOT_SETTINGS
    )
    return {name: next(iter(get_close_matches(name.upper(), known, n=1, cutoff=_CLOSE)), None) for name in unknown}
