"""Make the rows of Milvus anew from shards: nothing is read or embedded.

It is for a Milvus whose data was deleted or lost.  What is complete already is left as it is, so a rebuild that was
stopped continues where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imagerag_assets.errors import ImageRAGError, StoreError, describe
from imagerag_assets.ingestion.embed_scene import find_shard
from imagerag_assets.ingestion.index_scene import index
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, target_of
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS, read_current
from imagerag_assets.objects.locks import held
from imagerag_assets.scenes.records import list_records, load_record
from imagerag_assets.scenes.removed import list_removed

LOCK = "rebuild"
Status = Literal["rebuilt", "complete", "missing", "failed"]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Rebuilt:
    """What was done for one scene."""

    scene: str
    status: Status
    """``complete``: its rows were there; ``missing``: it has no shard of the encoder as it is now."""
    rows: int = 0
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"scene": self.scene, "status": self.status, "rows": self.rows, "error": self.error}


def rebuild(
    platform: Platform,
    encoder: str | None = None,
    scenes: Sequence[str] = (),
    *,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the rows of scenes from their shards, and the alias if there is none.

    Args:
        platform: The installation.
        encoder: Registry name; default: the chosen encoder.
        scenes: Keys; default: all scenes that were not removed.
        progress: Called with scenes done, their number, and what is being done.

    Returns:
        The result of ``imagerag index rebuild``.

    Raises:
        LockedError: another rebuild is running.
        UnknownSceneError: no scene has a given key.
        UnknownEncoderError, EncoderError: the encoder is not available.
        StoreError: Milvus or the object store fails; run it again to continue.
    """
    with held(platform.store, LOCK) as lock:
        target = target_of(platform, encoder)
        removed = {mark.scene for mark in list_removed(platform)}
        keys = list(scenes) or [key for key in list_records(platform) if key not in removed]
        for key in scenes:
            load_record(platform, key)
        done: list[Rebuilt] = []
        for number, key in enumerate(keys):
            if progress is not None:
                progress(number, len(keys), f"indexing {key}")
            lock.require()
            try:
                if find_shard(platform, target, load_record(platform, key)) is None:
                    done.append(Rebuilt(key, "missing", error="There is no shard. Run: imagerag ingest or backfill"))
                    continue
                made = index(platform, key, target=target, build_index=False)
                done.append(Rebuilt(key, "complete" if made.skipped else "rebuilt", made.rows))
            except ImageRAGError as error:
                if isinstance(error, StoreError) and error.transient:
                    raise  # Milvus is gone: no other scene would do better
                done.append(Rebuilt(key, "failed", error=describe(error)))
        vectors, collection = platform.vectors, target.collection
        if any(each.status == "rebuilt" for each in done):
            vectors.build_index(collection, resize=True)
        if vectors.alias_target(ALIAS) is None and any(each.rows for each in done):
            vectors.point_alias(ALIAS, collection)
        statuses = [each.status for each in done]
        return {
            "encoder": target.encoder,
            "fingerprint": target.fingerprint,
            "collection": collection,
            "alias": vectors.alias_target(ALIAS),
            "scenes": [each.to_dict() for each in done],
            "totals": {name: statuses.count(name) for name in ("rebuilt", "complete", "missing", "failed")}
            | {"rows": sum(each.rows for each in done)},
            "notes": _notes(platform, target.fingerprint),
        }


def _notes(platform: Platform, fingerprint: str) -> list[str]:
    found = []
    for name, kind in KNOWLEDGE_KINDS.items():
        live = read_current(platform.store, kind, fingerprint)
        if live is not None and live.images and not platform.vectors.exists(live.images):
            found.append(f"The knowledge base {name} is not in Milvus. Run: imagerag knowledge build")
    return found
