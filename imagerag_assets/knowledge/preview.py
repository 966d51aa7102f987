"""Say what a build of a knowledge base would make, without making it: labels, exemplars, and what is left out and why.

Every picture is read, since only that tells whether it can be used; nothing is embedded or written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from imagerag_assets.errors import KnowledgeError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.knowledge.build import content_version, read_source
from imagerag_assets.knowledge.edits import Edit, edited_source, edited_version, edited_words, read_edits
from imagerag_assets.knowledge.importers import Source
from imagerag_assets.knowledge.pictures import Pictures
from imagerag_assets.knowledge.relabel import Label, list_labels, origin_of
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS, Current, Entry, Failure, read_current

State = Literal["new", "changed", "same", "gone"]


@dataclass(frozen=True)
class PlannedLabel:
    """A label that a build would make, or that would be gone after it."""

    label: str
    state: State
    exemplars: int
    before: int
    """Exemplars that it has now."""
    texts: tuple[str, ...]
    sources: dict[str, int]
    """Exemplars by the folder, or the label item, that they come from."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return vars(self) | {"texts": list(self.texts)}


def preview(
    deps: Deps,
    kind: Literal["labels", "captions"],
    source: str | None = None,
    *,
    as_in_source: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Return what a build would make; the result of ``imagerag knowledge build --dry-run``.

    Args:
        deps: The installation.
        kind: As for `build.build`.
        source: As for `build.build`.
        as_in_source: Leave out renames and removals that were made before.
        progress: Called with pictures read, all of them, and what is being done.

    Returns:
        ``{"knowledge", "dry_run", "source", "changed", "version", "labels", "left_out", "edits", "totals"}``: each of
        ``labels`` as `PlannedLabel` (of captions, there are none), ``left_out`` of ``{"name", "reason"}``, and
        ``edits`` those that would be applied.

    Raises:
        KnowledgeError: there is no source, or nothing in it can be used.
        StoreError: the store cannot be read.
    """
    which = KNOWLEDGE_KINDS[kind]
    given, found = read_source(deps.settings, kind, source)
    edits = () if as_in_source or kind != "labels" else read_edits(deps.store, which, given)
    version = edited_version(content_version(found, deps.settings), edits)
    removed = [Failure(each.label, f"it was removed on {each.at[:10]}") for each in _removals(found, edits)]
    found = edited_source(found, edits)
    usable, unread = _read(deps, found, progress)
    live = read_current(deps.store, which, deps.encoder.fingerprint)
    labels = _labels(deps, usable, live) if kind == "labels" else []
    left_out = [*found.failed, *unread, *removed]
    states = Counter(each.state for each in labels)
    return {
        "knowledge": kind,
        "dry_run": True,
        "source": given,
        "changed": live is None or live.version != version,
        "version": version,
        "labels": [each.to_dict() for each in labels],
        "left_out": [{"name": each.name, "reason": each.reason} for each in left_out],
        "edits": [each.to_dict() for each in edits],
        "totals": {
            "labels": sum(each.state != "gone" for each in labels) if kind == "labels" else len(usable),
            "exemplars": len(usable),
            **{state: states[state] for state in ("new", "changed", "same", "gone")},
            "left_out": len(left_out),
        },
    }


def _read(
    deps: Deps, source: Source, progress: Callable[[int, int, str], None] | None
) -> tuple[list[Entry], list[Failure]]:
    """Return the entries whose pictures can be used, and why others cannot."""
    usable, failed = [], []
    with Pictures(deps.settings) as pictures:
        for done, entry in enumerate(source.entries, start=1):
            try:
                pictures.read(entry)
                usable.append(entry)
            except KnowledgeError as error:
                failed.append(Failure(entry.image, error.message))
            if progress is not None:
                progress(done, len(source.entries), "reading exemplars")
    if not usable:
        raise KnowledgeError(
            f"None of {len(source.entries)} pictures can be used ({failed[0].name}: {failed[0].reason})",
            fix="Replace them",
        )
    return usable, failed


def _labels(deps: Deps, usable: list[Entry], live: Current | None) -> list[PlannedLabel]:
    """Compare the labels with those that are there, by name."""
    before = {each.label: each for each in list_labels(deps, live)} if live is not None else {}
    by_label: dict[str, list[Entry]] = {}
    for entry in usable:
        by_label.setdefault(entry.label, []).append(entry)
    planned = [_planned(label, entries, before.get(label)) for label, entries in by_label.items()]
    planned += [
        PlannedLabel(label, "gone", 0, each.exemplars, each.texts, each.sources)
        for label, each in before.items()
        if label not in by_label
    ]
    return sorted(planned, key=lambda each: each.label)


def _planned(label: str, entries: list[Entry], before: Label | None) -> PlannedLabel:
    sources = dict(sorted(Counter(origin_of(entry.image) for entry in entries).items()))
    texts = entries[0].texts
    same = before is not None and before.sources == sources and set(before.texts) == set(texts)
    state: State = "new" if before is None else "same" if same else "changed"
    return PlannedLabel(label, state, len(entries), before.exemplars if before else 0, texts, sources)


def _removals(source: Source, edits: tuple[Edit, ...]) -> list[Edit]:
    """Return the removals that leave something of this source out."""
    words = {entry.label: entry.texts for entry in source.entries}
    found = []
    for number, edit in enumerate(edits):
        if edit.to is None and edit.label in edited_words(words, edits[:number])[1]:
            found.append(edit)
    return found
