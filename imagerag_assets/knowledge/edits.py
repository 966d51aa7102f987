"""What a person changed about the labels of a source: renames and removals, in order, with their times.

``knowledge/{kind}/edits/{source16}.json``.  They are kept by source and applied at every build of it, also for another
encoder, so that a switch of encoders does not undo them.  `relabel` applies them to what is built.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from imagerag_assets.errors import KnowledgeError, StoreError
from imagerag_assets.knowledge.glossary import texts_of
from imagerag_assets.knowledge.importers import Source
from imagerag_assets.knowledge.types import EDITS, KnowledgeKind
from imagerag_assets.knowledge.versions import unique
from imagerag_assets.objects.store import ObjectStore

Words = Mapping[str, tuple[str, ...]]
"""Each label with all its texts, the label itself first."""


@dataclass(frozen=True)
class Edit:
    """One change of the labels."""

    action: Literal["rename", "remove"]
    label: str
    to: str | None
    """The new name; an existing one takes the exemplars up."""
    at: str
    """When it was asked for, ISO 8601, UTC."""

    @classmethod
    def now(cls, action: Literal["rename", "remove"], label: str, to: str | None = None) -> Edit:
        """Return an edit that is asked for now."""
        return cls(action, label, to, datetime.now(UTC).isoformat(timespec="seconds"))

    def same(self, other: Edit) -> bool:
        """Return whether two edits do the same, whenever they were asked for."""
        return replace(self, at="") == replace(other, at="")

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return asdict(self)


def read_edits(store: ObjectStore, kind: KnowledgeKind, source: str) -> tuple[Edit, ...]:
    """Return the edits of the labels of a source, in order.

    Raises:
        StoreError: they cannot be read.
    """
    key = _key(kind, source)
    if not store.exists(key):
        return ()
    try:
        return tuple(Edit(**each) for each in store.read_json(key)["edits"])
    except (KeyError, TypeError):
        raise StoreError(
            "The record of renamed and removed labels is damaged",
            fix="Delete it, and build the knowledge base again",
            object=store.url(key),
        ) from None


def write_edits(store: ObjectStore, kind: KnowledgeKind, source: str, edits: Sequence[Edit]) -> None:
    """Keep the edits of the labels of a source, replacing those that were kept.

    Raises:
        StoreError: the store does not take them.
    """
    store.write_json(_key(kind, source), {"source": source, "edits": [each.to_dict() for each in edits]})


def forget_edits(store: ObjectStore, kind: KnowledgeKind, source: str) -> None:
    """Forget the edits of the labels of a source: the next build takes them as they are there.

    Raises:
        StoreError: the store cannot be changed.
    """
    store.delete(_key(kind, source))


def same_source(one: str, other: str) -> bool:
    """Return whether two sources are one: a local path may be written in several ways."""
    return _full(one) == _full(other)


def edited_words(words: Words, edits: Sequence[Edit]) -> tuple[dict[str, str | None], dict[str, tuple[str, ...]]]:
    """Return what each label is called after the edits, None if it was removed, and the texts of those that are left.

    A label that takes a new name has the packaged texts of that name, and keeps what its source says of it.  One whose
    new name exists joins that label.
    """
    called: dict[str, str | None] = {label: label for label in words}
    left = dict(words)
    for edit in edits:
        if edit.label not in left:
            continue
        own = left.pop(edit.label)
        if edit.to is not None:
            packaged = {edit.label, *texts_of(edit.label, {})}
            said = (text for text in own if text not in packaged)
            left[edit.to] = unique([*left.get(edit.to, (edit.to, *texts_of(edit.to, {}))), *said])
        called = {label: edit.to if name == edit.label else name for label, name in called.items()}
    return called, left


def edited_source(source: Source, edits: Sequence[Edit]) -> Source:
    """Return the entries of a source with their labels after the edits.

    Raises:
        KnowledgeError: none is left.
    """
    if not edits:
        return source
    words: dict[str, tuple[str, ...]] = {}
    for entry in source.entries:
        words[entry.label] = unique([*words.get(entry.label, ()), *entry.texts])
    called, left = edited_words(words, edits)
    entries = [
        replace(entry, label=name, texts=left[name])
        for entry in source.entries
        if (name := called[entry.label]) is not None
    ]
    if not entries:
        raise KnowledgeError(
            "Every label of the source was removed", fix="Build with --as-in-source to have them again"
        )
    return Source(tuple(entries), source.failed)


def edited_version(base: str, edits: Sequence[Edit]) -> str:
    """Return the version of a content after edits: that of the source itself where there are none."""
    if not edits:
        return base
    done = [(each.action, each.label, each.to) for each in edits]
    return hashlib.sha256(f"{base}:{json.dumps(done)}".encode()).hexdigest()


def _key(kind: KnowledgeKind, source: str) -> str:
    return f"knowledge/{kind}/{EDITS}/{hashlib.sha256(_full(source).encode()).hexdigest()[:16]}.json"


def _full(source: str) -> str:
    return source.rstrip("/") if "://" in source else os.path.abspath(source)
