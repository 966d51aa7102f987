"""`--retrieval paper`: the published retrieval over ingested scenes, in one of the paper's divisions.

On first use a scene is divided and embedded in that division; the shard is kept, and there is no Milvus collection of
it, as the paper compares a question with every patch.  It is a method for one picture: each scene has a softmax of its
own.  Where several are in scope, a path is taken in all of them before the next one is tried, and their cues are put
in the order of their scores.  The formulas are in `retrieval.paper`.
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
from imagerag_assets.questions.question import Question
from imagerag_assets.raster.geo import box_geometries
from imagerag_assets.retrieval import paper
from imagerag_assets.retrieval.fast import ranked
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.types import Cue, PathName, Retrieval
from imagerag_assets.scenes.records import list_records
from imagerag_assets.stores.shard_columns import embeddings_of
from imagerag_assets.stores.shards import list_shards, read_shard

_COLUMNS = ("patch_id", "level", "x0", "y0", "x1", "y1", "west", "south", "east", "north")
_PATHS: dict[str, PathName] = {"labels": "slow-labels", "captions": "slow-captions"}


@dataclass(frozen=True)
class _Rows:
    """What patches are compared with: one row a phrase, or a prototype."""

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
        """Cues of this scene by its own softmax, those that `keep` keeps."""
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


def retrieve_paper(
    platform: Platform,
    analysis: Analysis,
    question: Question,
    *,
    collection: str,
    thresholds: paper.Thresholds | None = None,
    reducer: paper.Reducer = "mean",
) -> Retrieval:
    """Find the cues of a question as the paper does.

    Args:
        platform: The installation.
        analysis: Of the question without its choices, which the paper does not look at.
        question: Its scope, division, path, and limit of cues (without one, at most three more than phrases).
        collection: Of the patches that questions are asked of otherwise: it says which scenes are in scope.
        thresholds: Default: the published ones; IMAGERAG_MIN_CONFIDENCE takes the place of the fast path's.
        reducer: How exemplars become a prototype.

    Raises:
        RasterError: a scene cannot be read, where it is embedded for the first time.
        FingerprintError: with path ``slow``, when the knowledge base is another encoder's.
        StoreError, EncoderError: a store or the encoder fails.
    """
    start = perf_counter()
    if question.path == "none" or not analysis.phrases:
        said = () if question.path == "none" else ("The question names nothing to look for",)
        return Retrieval((), "none", abstained=False, notes=(*analysis.notes, *said))
    minimum = platform.settings.min_confidence
    limits = thresholds or paper.Thresholds(**({} if minimum is None else {"fast": minimum}))
    rows = _text_rows(platform, analysis.phrases)
    encoded = perf_counter()
    notes = list(analysis.notes)
    patches = [_patches(platform, scene, question, notes) for scene in _scenes(platform, question, collection)]
    cues: list[Cue] = []
    if question.path in ("auto", "fast"):
        cues = _over_all(patches, rows, "fast", lambda p, n: paper.above(p, limits.fast))
        if not cues:
            notes.append(f"No patch has a softmax score above {limits.fast:g}")
    if question.path in ("auto", "slow") and not cues:
        cues = _slow(platform, analysis.phrases, rows, patches, limits, reducer, notes, strict=question.path == "slow")
    return Retrieval(
        cues=ranked(cues[: question.top_k]),
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
    """Cues of all scenes, the greatest score first."""
    found = [cue for each in patches for cue in each.cues(rows, path, keep)]
    return sorted(found, key=lambda cue: -cue.confidence)


def _slow(
    platform: Platform,
    phrases: Sequence[str],
    texts: _Rows,
    patches: Sequence[_Patches],
    limits: paper.Thresholds,
    reducer: paper.Reducer,
    notes: list[str],
    *,
    strict: bool,
) -> list[Cue]:
    """Through labels; where no label is near enough to a phrase, through captions."""
    for name, kind in KNOWLEDGE_KINDS.items():
        try:
            knowledge = open_knowledge(platform, kind)
        except FingerprintError as error:
            if strict:
                raise
            notes.append(f"The slow path through {name} was left out: {error.message}")
            continue
        if knowledge is None:
            notes.append(f"The slow path through {name} was left out: no knowledge base of {name} was built")
            continue
        near: dict[str, tuple[str, str]] = {}  # text -> its label, and the phrase it was found for
        limit = getattr(limits, name)
        sentences = platform.sentences.encode(list(phrases))
        found = search_texts(platform, knowledge, sentences, paper.MATCHES, own_names=True)
        for phrase, hits in zip(phrases, found, strict=True):
            for hit, good in zip(hits, paper.near_enough([hit.score for hit in hits], limit), strict=True):
                if good:
                    near.setdefault(str(hit.fields["text"]), (str(hit.fields["label"]), phrase))
        made = [
            (phrase, paper.prototype(pictures, reducer, texts.vectors[list(texts.phrases).index(phrase)]))
            for label, phrase in near.values()
            if len(pictures := exemplars(platform, knowledge, [label]))
        ]
        if made:
            rows = _Rows([phrase for phrase, _ in made], np.stack([vector for _, vector in made]))
            return _over_all(patches, rows, _PATHS[name], paper.above_chance)
        notes.append(f"No {name} are near enough to the phrases")
    return []


def _scenes(platform: Platform, question: Question, collection: str) -> list[str]:
    """Keys of the scenes with patches in scope."""
    keys = question.scenes or list_records(platform)
    return [key for key in keys if platform.vectors.count(collection, question.scope.scene_in([key]))]


def _patches(platform: Platform, scene: str, question: Question, notes: list[str]) -> _Patches:
    """The patches of a scene in the paper's division, embedded if they are not yet."""
    made = embed(platform, scene, target=target_of(platform, division=question.division))
    if not made.skipped:
        notes.append(f"{scene} was cut into {made.patches} patches of division {made.division} and embedded")
        for shard in list_shards(
            platform.store, scene_key=scene, division_key=made.division, fingerprint=made.fingerprint
        ):
            if shard.path != made.shard:  # of the scene as it was
                platform.store.delete(shard.path)
    table = read_shard(platform.store, made.shard, columns=[*_COLUMNS, "embedding"])
    vectors, rows = embeddings_of(table), table.select(list(_COLUMNS)).to_pylist()
    if question.bbox is not None:
        bounds = np.array([[row[name] for name in _COLUMNS[-4:]] for row in rows], dtype=np.float64).reshape(-1, 4)
        inside = shapely.intersects(box_geometries(bounds), box_geometries(np.array([question.bbox]))[0])
        rows, vectors = [row for row, within in zip(rows, inside, strict=True) if within], vectors[inside]
    return _Patches(scene, rows, vectors)
