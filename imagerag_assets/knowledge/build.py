"""Build a knowledge base: embed pictures and texts once, store them, put them into Milvus, then switch to them.

The order makes it safe to stop at any time.  Files are complete or absent.  Rows are upserted under ids that hold the
version of the content.  Readers follow the record of what is live.  Rows of other versions are deleted last.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.errors import KnowledgeError
from imagerag_assets.knowledge.edits import edited_source, edited_version, read_edits
from imagerag_assets.knowledge.files import knowledge_writer, read_about
from imagerag_assets.knowledge.importers import Source, read_captions, read_labels
from imagerag_assets.knowledge.pictures import Pictures, picture_version
from imagerag_assets.knowledge.stac_labels import is_stac, read_stac_labels
from imagerag_assets.knowledge.types import (
    ALSO,
    KNOWLEDGE_KINDS,
    PROTOTYPE,
    TEXT_DIM,
    Current,
    Entry,
    Failure,
    KnowledgeKind,
    KnowledgeReport,
    current_key,
    images_key,
    read_current,
    record_of,
    text_fingerprint,
    texts_key,
)
from imagerag_assets.knowledge.versions import drop_other_versions, fill, make_row, of_version, unit_rows
from imagerag_assets.objects.signed import keep_signature
from imagerag_assets.settings import Settings

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Deps

Progress = Callable[[int, int, str], None]

_BACKGROUND_IMAGES = 64  # captioned images drawn as background: enough for a softmax, few enough to fetch per question
_TEXT_BATCH = 1024


def build(
    deps: Deps,
    kind: Literal["labels", "captions"],
    source: str | None = None,
    *,
    progress: Progress | None = None,
    switch_alias: bool = True,
) -> KnowledgeReport:
    """Build the knowledge base of a kind for the chosen encoder; leave unchanged content as it is.

    Labels that a person renamed or removed stay so.

    Args:
        deps: The installation.
        kind: ``labels`` (a folder of chips, or STAC label items) or ``captions`` (a JSONL of captioned images).
        source: Path or address.  Default: IMAGERAG_KNOWLEDGE_LABELS or IMAGERAG_KNOWLEDGE_CAPTIONS.
        progress: Called with the number of pictures done, the number of all pictures, and the current step.
        switch_alias: Point the alias of the kind to the encoder's collection.  False: fill the collections beside the
            ones in use.

    Raises:
        KnowledgeError: there is no source, or nothing in it can be used.
        StoreError: the object store or Milvus fails.
    """
    which = KNOWLEDGE_KINDS[kind]
    given, found = read_source(deps.settings, kind, source)
    base = content_version(found, deps.settings)
    edits = read_edits(deps.store, which, given) if kind == "labels" else ()
    found, content = edited_source(found, edits), edited_version(base, edits)
    live = read_current(deps.store, which, deps.encoder.fingerprint)
    if live is not None and live.version == content and _in_place(deps, live, switch_alias):
        return _report(live, changed=False)
    live = _make(deps, which, found, content, given, progress)
    if edits:
        live = replace(live, base=base, edits=tuple(each.to_dict() for each in edits))
    deps.store.write_json(current_key(which, live.fingerprint), record_of(live))
    if switch_alias:
        deps.vectors.point_alias(which, live.images)
    drop_other_versions(deps, live)
    return _report(live, changed=True)


def build_labels(
    deps: Deps, folder: str, *, progress: Progress | None = None, switch_alias: bool = True
) -> KnowledgeReport:
    """Call :func:`build` on a folder of labelled chips, or on STAC label items."""
    return build(deps, "labels", folder, progress=progress, switch_alias=switch_alias)


def build_captions(
    deps: Deps, jsonl: str, *, progress: Progress | None = None, switch_alias: bool = True
) -> KnowledgeReport:
    """Call :func:`build` on a JSONL of captioned images."""
    return build(deps, "captions", jsonl, progress=progress, switch_alias=switch_alias)


def read_source(settings: Settings, kind: Literal["labels", "captions"], source: str | None) -> tuple[str, Source]:
    """Return the address of the source of a knowledge base, and its usable entries as they are there.

    Args:
        settings: The installation.
        kind: ``labels`` or ``captions``.
        source: Path or address; None: the one in the settings.

    Raises:
        KnowledgeError: there is no source, or nothing in it can be used.
    """
    given = source or (settings.knowledge_labels if kind == "labels" else settings.knowledge_captions)
    if not given:
        raise KnowledgeError(f"No source of {kind} is given", fix=f"Set IMAGERAG_KNOWLEDGE_{kind.upper()}")
    given = keep_signature(given)
    if kind == "captions":
        return given, read_captions(given, settings)
    return given, read_stac_labels(given, settings) if is_stac(given, settings) else read_labels(given, settings)


def content_version(source: Source, settings: Settings) -> str:
    """Return the sha256 of labels, texts, names and contents of all pictures, in the order of their names."""
    digest = hashlib.sha256()
    for entry in sorted(source.entries, key=lambda each: each.image):
        digest.update(repr((entry.label, entry.texts, entry.image, picture_version(entry, settings))).encode())
    return digest.hexdigest()


def _make(
    deps: Deps, kind: KnowledgeKind, source: Source, content: str, given: str, progress: Progress | None
) -> Current:
    store, encoder = deps.store, deps.encoder
    images, texts = images_key(kind, content, encoder.fingerprint), texts_key(kind, content)
    if not store.exists(images):
        _embed_images(deps, kind, source, content, images, progress)
    about = read_about(store, images)
    if not store.exists(texts):
        failed = {name for name, _ in about["failed"]}
        _embed_texts(deps, kind, [entry for entry in source.entries if entry.image not in failed], content, texts)
    return Current(
        kind=kind,
        version=content,
        fingerprint=encoder.fingerprint,
        text_fingerprint=text_fingerprint(),
        images=fill(deps, kind, encoder.fingerprint, encoder.dim, content, images),
        texts=fill(deps, kind, text_fingerprint(), TEXT_DIM, content, texts),
        source=given,
        labels=about["labels"],
        exemplars=about["exemplars"],
        image_rows=about["rows"],
        text_rows=read_about(store, texts)["rows"],
        failed=tuple((name, reason) for name, reason in about["failed"]),
    )


def _embed_images(
    deps: Deps, kind: KnowledgeKind, source: Source, content: str, key: str, progress: Progress | None
) -> None:
    """Write the vector of every exemplar, and the prototypes: label means, or some captioned images."""
    failed = [(each.name, each.reason) for each in source.failed]
    sums: dict[str, NDArray[np.float64]] = {}
    drawn: list[tuple[str, str, NDArray[np.float32]]] = []  # a heap; its first item is dropped first
    labels: set[str] = set()
    with knowledge_writer(deps.store, deps.encoder.dim) as writer:
        for entries, pixels in _batches(deps.settings, source, failed, progress):
            vectors = deps.encoder.encode_images(pixels)
            writer.append(
                [make_row(content, kind, entry.label, entry.texts[0], entry.image) for entry in entries], vectors
            )
            for entry, vector in zip(entries, vectors, strict=True):
                labels.add(entry.label)
                if kind == "knowledge_labels":
                    sums[entry.label] = sums.get(entry.label, 0.0) + vector.astype(np.float64)
                else:  # draw by the id, which is a hash: arbitrary but repeatable
                    item = (_inverted(entry.label), entry.label, vector)
                    (heapq.heappush if len(drawn) < _BACKGROUND_IMAGES else heapq.heappushpop)(drawn, item)
        exemplars = writer.rows
        if not exemplars:
            name, reason = failed[0]
            raise KnowledgeError(
                f"None of {len(source.entries)} pictures can be used ({name}: {reason})", fix="Replace them", source=key
            )
        prototypes = {label: total.astype(np.float32) for label, total in sorted(sums.items())}
        prototypes |= {label: vector for _, label, vector in sorted(drawn, key=lambda each: each[1])}
        rows = [make_row(content, kind, label, label, PROTOTYPE) for label in prototypes]
        writer.append(rows, unit_rows(prototypes))
        writer.commit(key, failed=failed, labels=len(labels), exemplars=exemplars)


def _batches(
    settings: Settings, source: Source, failed: list[tuple[str, str]], progress: Progress | None
) -> Iterator[tuple[list[Entry], NDArray[np.uint8]]]:
    """Yield decoded pictures, each batch of one shape: the encoder resizes them in the same way as patches."""
    waiting: dict[tuple[int, ...], list[tuple[Entry, NDArray[np.uint8]]]] = {}
    with Pictures(settings) as pictures:
        for done, entry in enumerate(source.entries, start=1):
            try:
                pixels = pictures.read(entry)
            except KnowledgeError as error:
                failed.append((entry.image, error.message))
            else:
                group = waiting.setdefault(pixels.shape, [])
                group.append((entry, pixels))
                if len(group) == settings.batch_size:
                    yield _stacked(waiting.pop(pixels.shape))
                elif sum(map(len, waiting.values())) >= 4 * settings.batch_size:  # many shapes: bound the memory
                    yield _stacked(waiting.pop(max(waiting, key=lambda shape: len(waiting[shape]))))
            if progress is not None:
                progress(done, len(source.entries), "embedding exemplars")
    for group in waiting.values():
        yield _stacked(group)


def _stacked(group: list[tuple[Entry, NDArray[np.uint8]]]) -> tuple[list[Entry], NDArray[np.uint8]]:
    return [entry for entry, _ in group], np.stack([pixels for _, pixels in group])


def _embed_texts(deps: Deps, kind: KnowledgeKind, entries: Iterable[Entry], content: str, key: str) -> None:
    """Write the vector of every text about a label, or of every caption."""
    rows = (
        make_row(content, kind, entry.label, text, _about(kind, entry, text))
        for entry in entries
        for text in entry.texts
    )
    listed = list({row[0]: row for row in rows}.values())
    with knowledge_writer(deps.store, TEXT_DIM) as writer:
        for start in range(0, len(listed), _TEXT_BATCH):
            chunk = listed[start : start + _TEXT_BATCH]
            writer.append(chunk, deps.sentences.encode([text for _, text, _, _, _ in chunk]))
        writer.commit(key)


def _about(kind: KnowledgeKind, entry: Entry, text: str) -> str:
    """Return the value of the field `image` of a text."""
    if kind == "knowledge_captions":
        return entry.image
    return PROTOTYPE if text == entry.label else ALSO


def _inverted(label: str) -> str:
    """Return a key that sorts labels in the opposite order of their hashes: `heapq` drops the smallest first."""
    digest = int(hashlib.sha256(label.encode()).hexdigest(), 16)
    return f"{(1 << 256) - 1 - digest:064x}"


def _in_place(deps: Deps, live: Current, alias: bool) -> bool:
    """Return whether Milvus has every row and, with `alias`, whether the alias points there."""
    if live.text_fingerprint != text_fingerprint() or (alias and deps.vectors.alias_target(live.kind) != live.images):
        return False
    wanted = ((live.images, live.image_rows), (live.texts, live.text_rows))
    return all(
        deps.vectors.exists(name) and deps.vectors.count(name, of_version(live.version)) == rows
        for name, rows in wanted
    )


def _report(live: Current, *, changed: bool) -> KnowledgeReport:
    failed = tuple(Failure(name, reason) for name, reason in live.failed)
    return KnowledgeReport(live.kind, live.version, live.labels, live.exemplars, failed, live.images, changed)
