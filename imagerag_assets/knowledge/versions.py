"""The rows of one version of a knowledge base: their ids, their collections in Milvus, and which versions are gone.

Every row's id holds the version of the content, so rows of two versions can stand beside each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.knowledge.files import iter_rows, read_about
from imagerag_assets.knowledge.types import EDITS, Current, KnowledgeKind
from imagerag_assets.stores.milvus_filter import Filter

if TYPE_CHECKING:
    from imagerag_assets.installation.platform import Deps

Row = tuple[str, str, str, str, str]
Float = TypeVar("Float", np.float32, np.float64)


def make_row(content: str, kind: KnowledgeKind, label: str, text: str, image: str) -> Row:
    """Return the values of `files.COLUMNS` for one row of a version."""
    name = hashlib.sha256(repr((kind, label, text, image)).encode()).hexdigest()[:32]
    return f"{content[:16]}:{name}", text, label, image, content[:16]


def unit_rows(sums: Mapping[str, NDArray[Float]]) -> NDArray[np.float32]:
    """Return vectors, (n, dim), each divided by its length, in the order of the mapping."""
    means = np.stack([total.astype(np.float32) for total in sums.values()])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return means


def fill(deps: Deps, kind: KnowledgeKind, fingerprint: str, dim: int, content: str, key: str) -> str:
    """Put the rows of a knowledge file into its collection, unless they are there; return the collection's name."""
    collection = deps.vectors.ensure_knowledge(kind, fingerprint, dim)
    if deps.vectors.count(collection, of_version(content)) != read_about(deps.store, key)["rows"]:
        deps.vectors.upsert(collection, iter_rows(deps.store, key))
    deps.vectors.build_index(collection)
    return collection


def drop_other_versions(deps: Deps, live: Current) -> None:
    """Delete rows of versions that are live for no encoder.  Keep the files: they are small and take hours to make."""
    folder = f"knowledge/{live.kind}/"
    names = [key.removeprefix(folder).split("/") for key in deps.store.list(folder)]
    used = {deps.store.read_json(folder + "/".join(name))["version"][:16] for name in names if name[0] == "current"}
    stale = {name[0] for name in names} - used - {"current", EDITS}
    if not stale:
        return
    condition = Filter().one_of("kb_version", sorted(stale))
    for collection in (live.images, live.texts):
        while rows := deps.vectors.query(collection, condition, ["id"]):
            deps.vectors.delete(collection, [row["id"] for row in rows])


def of_version(content: str) -> Filter:
    """Return the filter of the rows of a version."""
    return Filter().one_of("kb_version", [content[:16]])


def unique(texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts without those that come a second time."""
    return tuple(dict.fromkeys(texts))
