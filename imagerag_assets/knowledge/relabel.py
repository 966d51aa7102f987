"""Rename and remove labels of a built knowledge base, without its source and without embedding a picture again.

What is asked for is recorded first (`edits`), then applied to every encoder's knowledge base of the same source: a new
version is written beside the old one, readers are led to it, and rows of the old one go last.  After a kill the next
command, or the next build, finishes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagerag_assets.errors import KnowledgeError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.knowledge.classes import code_of
from imagerag_assets.knowledge.edits import Edit, edited_version, edited_words, read_edits, same_source, write_edits
from imagerag_assets.knowledge.files import iter_rows, knowledge_writer, read_about
from imagerag_assets.knowledge.glossary import texts_of
from imagerag_assets.knowledge.types import (
    ALSO,
    PROTOTYPE,
    TEXT_DIM,
    Current,
    KnowledgeKind,
    current_key,
    images_key,
    read_current,
    read_currents,
    record_of,
    texts_key,
)
from imagerag_assets.knowledge.versions import drop_other_versions, fill, make_row, unit_rows
from imagerag_assets.objects.locks import held

KIND: KnowledgeKind = "knowledge_labels"
LOCK = "knowledge-labels"


@dataclass(frozen=True)
class Label:
    """A label of a built knowledge base."""

    label: str
    exemplars: int
    texts: tuple[str, ...]
    """All that leads to it, its own name first."""
    sources: dict[str, int]
    """Exemplars by the folder, or the label item, that they come from."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return asdict(self) | {"texts": list(self.texts)}


@dataclass(frozen=True)
class Relabelled:
    """What a rename or removal did."""

    edit: Edit
    exemplars: int
    """Exemplars that the label had; 0 where an earlier, interrupted call had done it."""
    merged: bool
    """Whether the new name existed."""
    live: Current

    def to_dict(self) -> dict[str, Any]:
        """Return the result of the command."""
        return {
            **self.edit.to_dict(),
            "exemplars": self.exemplars,
            "merged": self.merged,
            "labels": self.live.labels,
            "version": self.live.version,
            "source": self.live.source,
        }


def open_labels(deps: Deps) -> Current:
    """Return the label knowledge base of the installation's encoder.

    Raises:
        KnowledgeError: there is none.
        StoreError: its record is damaged.
    """
    live = read_current(deps.store, KIND, deps.encoder.fingerprint)
    if live is None:
        raise KnowledgeError("There is no knowledge base of labels", fix="Run: imagerag knowledge build labels SOURCE")
    return live


def list_labels(deps: Deps, live: Current) -> list[Label]:
    """Return the labels of a knowledge base by name, from its files.

    Raises:
        StoreError: a file cannot be read.
    """
    counts: dict[str, Counter[str]] = {}
    for label, _, image in _exemplars(deps, live):
        counts.setdefault(label, Counter())[origin_of(image)] += 1
    words = _words(deps, live)
    return [
        Label(label, sum(found.values()), words.get(label, (label,)), dict(sorted(found.items())))
        for label, found in sorted(counts.items())
    ]


def origin_of(image: str) -> str:
    """Return where an exemplar comes from: the label item of ``ITEM:FEATURE@SCENE``, or the folder of a chip."""
    item, colon, _ = image.rpartition(":")
    if colon and "@" in image[len(item) :]:
        return item
    return image.rpartition("/")[0] or image


def new_name(name: str) -> str:
    """Return a name for a label, as a build would write it.

    Raises:
        KnowledgeError: it cannot be a label.
    """
    texts = texts_of(name, {})
    if not texts:
        raise KnowledgeError("A label needs 1 to 200 characters", fix="Give another name")
    if code_of(texts[0]) is not None:
        raise KnowledgeError(f"{texts[0]!r} is a number, and codes are no names", fix="Give a name in words")
    return texts[0]


def check_edit(deps: Deps, edit: Edit) -> bool:
    """Check an edit before anybody is asked about it; return whether it merges two labels.

    Raises:
        KnowledgeError: there is no such label, or none would be left.
        StoreError: the store cannot be read.
    """
    live = open_labels(deps)
    words, edits = _words(deps, live), _recorded(deps, live)
    labels, _ = edited_words(words, _pending(live, edits))
    left = {name for name in labels.values() if name is not None}
    return _checked(left, edit, edits, unfinished=_is_unfinished(deps, live.source, edits))


def relabel(deps: Deps, edit: Edit) -> Relabelled:
    """Rename or remove a label, for every encoder that has a knowledge base of this source.

    Args:
        deps: The installation; its encoder's knowledge base says which source.
        edit: What to do.

    Raises:
        LockedError: another process changes labels.
        KnowledgeError: there is no such label, or none would be left.
        StoreError: the store or Milvus fails; run it again to finish.
    """
    with held(deps.store, LOCK):
        live = open_labels(deps)
        unfinished = _is_unfinished(deps, live.source, _recorded(deps, live))
        finish(deps, live.source)  # what an interrupted call left
        live = open_labels(deps)
        edits = _recorded(deps, live)
        before = {each.label: each.exemplars for each in list_labels(deps, live)}
        merged = _checked(set(before), edit, edits, unfinished=unfinished)
        if edit.label in before:
            write_edits(deps.store, KIND, live.source, [*edits, edit])
            finish(deps, live.source)
        return Relabelled(edit, before.get(edit.label, 0), merged, open_labels(deps))


def finish(deps: Deps, source: str) -> None:
    """Apply the recorded edits of a source to every encoder's knowledge base that does not have them yet.

    Raises:
        StoreError: the store or Milvus fails.
    """
    edits = read_edits(deps.store, KIND, source)
    done: list[Current] = []
    for live in read_currents(deps.store, KIND):
        if same_source(live.source, source) and _pending(live, edits):
            done.append(_derive(deps, live, edits))
            deps.store.write_json(current_key(KIND, live.fingerprint), record_of(done[-1]))
    for made in done:
        drop_other_versions(deps, made)


def _recorded(deps: Deps, live: Current) -> tuple[Edit, ...]:
    """Return the edits that are recorded; those of the knowledge base itself where the record was deleted meanwhile."""
    edits, done = read_edits(deps.store, KIND, live.source), tuple(Edit(**each) for each in live.edits)
    return edits if edits[: len(done)] == done else done


def _is_unfinished(deps: Deps, source: str, edits: Sequence[Edit]) -> bool:
    """Return whether an interrupted call left edits that an encoder's knowledge base does not have yet."""
    return any(
        same_source(each.source, source) and bool(_pending(each, edits)) for each in read_currents(deps.store, KIND)
    )


def _checked(labels: set[str], edit: Edit, edits: Sequence[Edit], *, unfinished: bool) -> bool:
    """Return whether an edit merges two labels; the edit that was interrupted may be asked for again."""
    if edit.label not in labels:
        if unfinished and edit.same(edits[-1]):
            return False
        raise _unknown(labels, edit.label, edits)
    if edit.to == edit.label:
        raise KnowledgeError(f"The label is called {edit.label!r} already", fix="Give another name")
    if edit.to is None and len(labels) == 1:
        raise KnowledgeError("No label would be left", fix="Build a knowledge base from another source instead")
    return edit.to in labels


def _unknown(labels: set[str], label: str, edits: Sequence[Edit]) -> KnowledgeError:
    from difflib import get_close_matches

    for edit in reversed(edits):
        if edit.label == label:
            what = "removed" if edit.to is None else f"renamed to {edit.to!r}"
            said = f"There is no label {label[:200]!r}: it was {what} on {edit.at[:10]}"
            return KnowledgeError(said, fix="See: imagerag knowledge labels")
    close = get_close_matches(label, sorted(labels), n=3, cutoff=0.5)
    fix = f"Did you mean {' or '.join(close)}?" if close else "See: imagerag knowledge labels"
    return KnowledgeError(f"There is no label {label[:200]!r}", fix=fix)


def _pending(live: Current, edits: Sequence[Edit]) -> Sequence[Edit]:
    """Return the edits that a knowledge base does not have yet; none where it has others, which a build settles."""
    done = [Edit(**each) for each in live.edits]
    return edits[len(done) :] if list(edits[: len(done)]) == done else ()


def _derive(deps: Deps, live: Current, edits: Sequence[Edit]) -> Current:
    """Write the version of a knowledge base after edits, and put it into Milvus beside the one that is live."""
    content = edited_version(live.base or live.version, edits)
    called, left = edited_words(_words(deps, live), _pending(live, edits))
    images, texts = images_key(KIND, content, live.fingerprint), texts_key(KIND, content)
    if not deps.store.exists(images):
        _write_images(deps, live, called, content, images)
    about = read_about(deps.store, images)
    if not deps.store.exists(texts):
        _write_texts(deps, live, left, content, texts)
    dim = next(iter_rows(deps.store, images, rows=1)).schema.field("embedding").type.list_size
    return replace(
        live,
        version=content,
        base=live.base or live.version,
        edits=tuple(each.to_dict() for each in edits),
        images=fill(deps, KIND, live.fingerprint, dim, content, images),
        texts=fill(deps, KIND, live.text_fingerprint, TEXT_DIM, content, texts),
        labels=about["labels"],
        exemplars=about["exemplars"],
        image_rows=about["rows"],
        text_rows=read_about(deps.store, texts)["rows"],
    )


def _write_images(deps: Deps, live: Current, called: dict[str, str | None], content: str, key: str) -> None:
    """Write the exemplars under their new labels, and the labels' means, from the vectors that are there."""
    source = images_key(KIND, live.version, live.fingerprint)
    dim = next(iter_rows(deps.store, source, rows=1)).schema.field("embedding").type.list_size
    sums: dict[str, NDArray[np.float64]] = {}
    with knowledge_writer(deps.store, dim) as writer:
        for batch in iter_rows(deps.store, source):
            kept = [
                (name, image, vector)
                for label, image, vector in _vectors(batch, "image")
                if image != PROTOTYPE and (name := called.get(label)) is not None
            ]
            for name, _, vector in kept:
                sums[name] = sums.get(name, 0.0) + vector.astype(np.float64)
            rows = [make_row(content, KIND, name, name, image) for name, image, _ in kept]
            writer.append(rows, np.array([vector for _, _, vector in kept], np.float32).reshape(-1, dim))
        exemplars, means = writer.rows, dict(sorted(sums.items()))
        writer.append([make_row(content, KIND, name, name, PROTOTYPE) for name in means], unit_rows(means))
        writer.commit(key, failed=list(live.failed), labels=len(means), exemplars=exemplars)


def _write_texts(deps: Deps, live: Current, left: dict[str, tuple[str, ...]], content: str, key: str) -> None:
    """Write the texts of the labels; only those that are new are embedded."""
    known: dict[str, NDArray[np.float32]] = {}
    for batch in iter_rows(deps.store, texts_key(KIND, live.version)):
        known |= {text: vector for _, text, vector in _vectors(batch, "text")}
    fresh = [text for texts in left.values() for text in texts if text not in known]
    if fresh:
        known |= dict(zip(fresh, deps.sentences.encode(fresh), strict=True))
    said = [(name, text) for name, texts in left.items() for text in texts]
    with knowledge_writer(deps.store, TEXT_DIM) as writer:
        rows = [make_row(content, KIND, name, text, PROTOTYPE if text == name else ALSO) for name, text in said]
        writer.append(rows, np.stack([known[text] for _, text in said]))
        writer.commit(key)


def _exemplars(deps: Deps, live: Current) -> Iterator[tuple[str, str, str]]:
    """Yield label, text and image of every exemplar."""
    for batch in iter_rows(deps.store, images_key(KIND, live.version, live.fingerprint)):
        for label, text, image in zip(*(batch[name].to_pylist() for name in ("label", "text", "image")), strict=True):
            if image != PROTOTYPE:
                yield label, text, image


def _words(deps: Deps, live: Current) -> dict[str, tuple[str, ...]]:
    """Return each label with its texts, its own name first."""
    words: dict[str, list[str]] = {}
    for batch in iter_rows(deps.store, texts_key(KIND, live.version)):
        for label, text in zip(batch["label"].to_pylist(), batch["text"].to_pylist(), strict=True):
            words.setdefault(label, []).append(text)
    return {label: tuple(sorted(texts, key=lambda text: text != label)) for label, texts in words.items()}


def _vectors(batch: pa.RecordBatch, column: str) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Yield label, a column and vector of the rows of a batch."""
    flat = batch["embedding"].flatten().to_numpy().reshape(batch.num_rows, -1)
    yield from zip(batch["label"].to_pylist(), batch[column].to_pylist(), flat, strict=True)
