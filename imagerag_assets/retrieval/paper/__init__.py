"""`--retrieval paper`: the retrieval that the ImageRAG paper published (arXiv 2411.07688), to compare ours with.

:func:`retrieve_paper` is the only door: nothing else of this package is used elsewhere, and no other module of the room
knows it.  The formulas are in `_formulas`.

On first use a scene is cut and embedded in one of the paper's divisions.  The shard is kept.  It has no Milvus
collection, because the paper compares a question with every patch.  The method is made for one picture, so each scene
has its own softmax.  Where several scenes are in scope, a path is tried in all of them before the next one, and their
cues are ordered by score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from imagerag_assets.errors import FingerprintError
from imagerag_assets.ingestion.ingest import embed
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import target_of
from imagerag_assets.knowledge.search import exemplars, open_knowledge, search_texts
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS
from imagerag_assets.patches.names import PAPER_DEFAULT
from imagerag_assets.raster.geo import box_geometries
from imagerag_assets.retrieval.fast import ranked
from imagerag_assets.retrieval.paper import _formulas as paper
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.types import Cue, PathChoice, PathName, Reducer, Retrieval
from imagerag_assets.scenes.records import list_records
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import list_shards, read_shard

_COLUMNS = ("patch_id", "level", "x0", "y0", "x1", "y1", "west", "south", "east", "north")
_PATHS: dict[str, PathName] = {"labels": "slow-labels", "captions": "slow-captions"}


@dataclass(frozen=True)
class PaperSearch:
    """How and where the paper's retrieval searches."""

    division: str = PAPER_DEFAULT
    """One of `patches.names.PAPER`."""
    scenes: tuple[str, ...] = ()
    """Scene keys; empty: all scenes."""
    where: Filter = EVERYTHING
    """Which scenes are in scope: those with a patch in `collection` that passes."""
    collection: str = "patches"
    """Name or alias of the collection that questions search otherwise."""
    bbox: tuple[float, float, float, float] | None = None
    """Only patches that meet this area count: west, south, east, north in degrees."""
    path: PathChoice = "auto"
    """Which paths may be used."""
    top_k: int | None = None
    """Cues at most; None: as many as the paper gives, at most three more than phrases."""
    reducer: Reducer = "mean"
    """How exemplars become a prototype."""


@dataclass(frozen=True)
class _Rows:
    """What patches are compared with: one row per phrase or prototype."""

    phrases: Sequence[str]
    vectors: NDArray[np.float32]
    """(rows, dim)."""


@dataclass(frozen=True)
class _Patches:
    """The patches of one scene that are in scope."""

    scene: str
    rows: list[dict[str, Any]]
    vectors: NDArray[np.float32]
    """float32, (n, dim)."""

    def cues(self, rows: _Rows, path: PathName, keep: Callable[..., list[paper.Pick]]) -> list[Cue]:
        """Return the cues of this scene by its own softmax that `keep` keeps."""
        if not self.rows:
            return []
        picks = keep(paper.pool(paper.scores(self.vectors, rows.vectors)), len(self.rows))
        return [self._cue(pick, rows, path) for pick in picks]

    def _cue(self, pick: paper.Pick, rows: _Rows, path: PathName) -> Cue:
        row, query = self.rows[pick.patch], rows.vectors[pick.row]
        west, south, east, north = (row[name] for name in ("west", "south", "east", "north"))
        cosine = float(self.vectors[pick.patch] @ query) / max(float(np.linalg.norm(query)), 1e-12)
        return Cue(
            patch_id=row["patch_id"],
            scene=self.scene,
            window=(row["x0"], row["y0"], row["x1"], row["y1"]),
            bbox=None if west is None else (west, south, east, north),
            level=row["level"],
            phrase=rows.phrases[pick.row],
            score=cosine,
            confidence=pick.score,
            rank=0,
            path=path,
        )


def retrieve_paper(platform: Platform, analysis: Analysis, search: PaperSearch) -> Retrieval:
    """Find the cues of a question as the paper does.

    The thresholds are the published ones; IMAGERAG_MIN_CONFIDENCE replaces that of the fast path.

    Args:
        platform: The installation.
        analysis: Of the question without its choices, which the paper does not look at.
        search: How and where to look.

    Raises:
        RasterError: a scene that is embedded for the first time cannot be read.
        FingerprintError: with path ``slow``, the knowledge base is another encoder's.
        StoreError, EncoderError: a store or the encoder fails.
    """
    start = perf_counter()
    if search.path == "none" or not analysis.phrases:
        said = () if search.path == "none" else ("The question names nothing to look for",)
        return Retrieval((), "none", abstained=False, notes=(*analysis.notes, *said))
    minimum = platform.settings.min_confidence
    limits = paper.Thresholds() if minimum is None else paper.Thresholds(fast=minimum)
    rows = _text_rows(platform, analysis.phrases)
    encoded = perf_counter()
    notes = list(analysis.notes)
    patches = [_patches(platform, scene, search, notes) for scene in _scenes(platform, search)]
    cues: list[Cue] = []
    if search.path in ("auto", "fast"):
        cues = _over_all(patches, rows, "fast", lambda p, n: paper.above(p, limits.fast))
        if not cues:
            notes.append(f"No patch has a softmax score above {limits.fast:g}")
    if search.path in ("auto", "slow") and not cues:
        cues = _slow(platform, analysis.phrases, rows, patches, limits, search, notes)
    return Retrieval(
        cues=ranked(cues[: search.top_k]),
        path=cues[0].path if cues else "none",
        abstained=not cues,
        notes=tuple(notes),
        timings_ms={"encode": 1000 * (encoded - start), "search": 1000 * (perf_counter() - encoded)},
    )


def _text_rows(platform: Platform, phrases: Sequence[str]) -> _Rows:
    texts = paper.rows_of(phrases)
    vectors = [
        paper.text_vector(platform.encoder.encode_raw_texts(paper.sentences_of(text), normalised=False))
        for text in texts
    ]
    return _Rows(texts, np.stack(vectors))


def _over_all(
    patches: Sequence[_Patches], rows: _Rows, path: PathName, keep: Callable[..., list[paper.Pick]]
) -> list[Cue]:
    """Return the cues of all scenes, the greatest score first."""
    found = [cue for each in patches for cue in each.cues(rows, path, keep)]
    return sorted(found, key=lambda cue: -cue.confidence)


def _slow(
    platform: Platform,
    phrases: Sequence[str],
    texts: _Rows,
    patches: Sequence[_Patches],
    limits: paper.Thresholds,
    search: PaperSearch,
    notes: list[str],
) -> list[Cue]:
    """Look through labels and, if no label is near enough to a phrase, through captions."""
    for name, kind in KNOWLEDGE_KINDS.items():
        try:
            knowledge = open_knowledge(platform, kind)
        except FingerprintError as error:
            if search.path == "slow":
                raise
            notes.append(f"The slow path through {name} was left out: {error.message}")
            continue
        if knowledge is None:
            notes.append(f"The slow path through {name} was left out: no knowledge base of {name} was built")
            continue
        near: dict[str, tuple[str, str]] = {}  # text -> its label, and the phrase it was found for
        limit = getattr(limits, name)
        sentences = platform.sentences.encode(list(phrases))
        found = search_texts(platform, knowledge, sentences, paper.MATCHES, by_name=True)
        for phrase, hits in zip(phrases, found, strict=True):
            for hit, good in zip(hits, paper.near_enough([hit.score for hit in hits], limit), strict=True):
                if good:
                    near.setdefault(str(hit.fields["text"]), (str(hit.fields["label"]), phrase))
        made = [
            (phrase, paper.prototype(pictures, search.reducer, texts.vectors[list(texts.phrases).index(phrase)]))
            for label, phrase in near.values()
            if len(pictures := exemplars(platform, knowledge, [label]))
        ]
        if made:
            rows = _Rows([phrase for phrase, _ in made], np.stack([vector for _, vector in made]))
            return _over_all(patches, rows, _PATHS[name], paper.above_chance)
        notes.append(f"No {name} are near enough to the phrases")
    return []


def _scenes(platform: Platform, search: PaperSearch) -> list[str]:
    """Return the keys of the scenes with patches in scope."""
    keys = search.scenes or list_records(platform)
    return [key for key in keys if platform.vectors.has_rows(search.collection, search.where.scene_in([key]))]


def _patches(platform: Platform, scene: str, search: PaperSearch, notes: list[str]) -> _Patches:
    """Read the patches of a scene in the paper's division; embed them first if that was not done yet."""
    made = embed(platform, scene, target=target_of(platform, division=search.division))
    if not made.skipped:
        notes.append(f"{scene} was cut into {made.patches} patches of division {made.division} and embedded")
        for shard in list_shards(
            platform.store, scene_key=scene, division_key=made.division, fingerprint=made.fingerprint
        ):
            if shard.path != made.shard:  # of the scene as it was
                platform.store.delete(shard.path)
    table = read_shard(platform.store, made.shard, columns=[*_COLUMNS, "embedding"])
    vectors, rows = embeddings_of(table), table.select(list(_COLUMNS)).to_pylist()
    if search.bbox is not None:
        bounds = np.array([[row[name] for name in _COLUMNS[-4:]] for row in rows], dtype=np.float64).reshape(-1, 4)
        inside = shapely.intersects(box_geometries(bounds), box_geometries(np.array([search.bbox]))[0])
        rows, vectors = [row for row, within in zip(rows, inside, strict=True) if within], vectors[inside]
    return _Patches(scene, rows, vectors)
