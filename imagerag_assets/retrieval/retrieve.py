"""From an analysed question to its cues: which path is tried, which cues pass, and in what order they are given.

A cue below its path's threshold is never given: a wrong cue costs an answer more than no cue does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from imagerag_assets.errors import FingerprintError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.knowledge.search import names_of, open_knowledge
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS, Current, KnowledgeKind
from imagerag_assets.retrieval.calibration import Calibration, load_calibration
from imagerag_assets.retrieval.fast import CANDIDATES, CANDIDATES_ALL, Found, ranked, search_fast
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.second_look import Look, Scorer, affordable, passing
from imagerag_assets.retrieval.slow import Reducer, search_slow
from imagerag_assets.retrieval.types import Cue, Keep, PathChoice, PathName, Retrieval
from imagerag_assets.stores.milvus_filter import EVERYTHING, Filter

MAX_CUES_ALL = 24
"""Cues given where every occurrence matters: about what a multimodal LLM still takes as separate pictures."""

Passing = Callable[[Sequence[Cue], Scorer, float], tuple[list[Cue], tuple[str, ...]]]
"""Candidates, their scorer and the threshold to those that reach it, and notes."""


@dataclass
class _Search:
    """Cues that passed so far, and the account of how."""

    passed: dict[str, list[Cue]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    encode_ms: float = 0.0
    search_ms: float = 0.0
    verify_ms: float = 0.0
    path: PathName = "none"
    opened: dict[KnowledgeKind, Current | None] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def add(self, found: Found, threshold: float, path: PathName, passes: Passing) -> None:
        self.encode_ms += found.encode_ms
        self.search_ms += found.search_ms
        self.notes += found.notes
        start = perf_counter()
        for phrase, candidates in found.cues.items():
            good, notes = passes(candidates, found.scorers[phrase], threshold)
            self.notes += notes
            if good:
                self.passed[phrase] = good
                self.path = path if self.path == "none" else self.path
        self.verify_ms += 1000 * (perf_counter() - start)


def retrieve(
    deps: Deps,
    analysis: Analysis,
    where: Filter = EVERYTHING,
    *,
    path: PathChoice = "auto",
    top_k: int | None = None,
    collection: str = "patches",
    calibration: Calibration | None = None,
    reducer: Reducer = "mean",
    look: Look | None = None,
    keep: Keep | None = None,
) -> Retrieval:
    """Find the cues of a question.

    ``auto`` looks for each phrase on the fast path and, where nothing passes its threshold, through the labels and then
    the captions of the knowledge base.  A phrase that the knowledge base has as another name of a label is put to the
    fast path as that label: the encoder may know the words of "tank farm" and yet take it for a farm.  ``fast`` and
    ``slow`` use only theirs; ``none`` looks for nothing.

    Args:
        deps: The installation.
        analysis: From `phrases.analyse_question`.
        where: Which patches are looked at.
        path: Which paths may be used.
        top_k: Cues at most; a question that wants all may get up to 24.  Default: IMAGERAG_TOP_K.
        collection: Name or alias of the patch collection.
        calibration: Default: that of the encoder and the collection's division (`calibration.load_calibration`).
        reducer: How the slow path makes prototypes.
        look: Pixels for the second look at the best candidates; None: as IMAGERAG_SECOND_LOOK=0, there is none.
        keep: Which patches, and then cues, count, of those that `where` lets through; default: all.

    Raises:
        FingerprintError: the collection or the calibration belongs to another encoder; with ``slow`` also the
            knowledge base.
        StoreError: Milvus or the object store fails.
    """
    if path == "none":
        return Retrieval((), "none", abstained=False, timings_ms={"encode": 0.0, "search": 0.0})
    if not analysis.phrases:
        notes = (*analysis.notes, "The question names nothing to look for")
        return Retrieval((), "none", abstained=False, notes=notes, timings_ms={"encode": 0.0, "search": 0.0})
    meta = deps.vectors.verify(collection, deps.encoder.fingerprint)
    used = calibration or load_calibration(deps.store, deps.encoder.fingerprint, meta.division)
    minimum = deps.settings.min_confidence
    limit = CANDIDATES_ALL if analysis.wants_all else CANDIDATES
    search = _Search(notes=list(analysis.notes))
    budget = deps.settings.second_look // len(analysis.phrases)
    seen_again = affordable(look, budget)

    def passes(cues: Sequence[Cue], scorer: Scorer, threshold: float) -> tuple[list[Cue], tuple[str, ...]]:
        good, notes = passing(deps, seen_again, cues, scorer, threshold, budget=budget)
        return [cue for cue in good if keep is None or keep(cue.scene, cue.window)], notes  # windows have moved

    if path in ("auto", "fast"):
        words = _words(deps, analysis.phrases, search) if path == "auto" else {}
        found = search_fast(
            deps,
            analysis.phrases,
            where,
            collection=collection,
            calibration=used,
            limit=limit,
            keep=keep,
            words=words,
        )
        threshold = used.threshold if seen_again is None else used.second_threshold
        search.add(found, threshold if minimum is None else minimum, "fast", passes)
    if path in ("auto", "slow"):
        threshold = used.slow_threshold if minimum is None else minimum
        strict = path == "slow"
        _slow(
            deps, analysis, where, search, used, threshold, collection, reducer, limit, passes, keep, strict=strict,
        )  # fmt: skip
    wanted = deps.settings.top_k if top_k is None else top_k
    cues = select(search.passed, analysis.phrases, MAX_CUES_ALL if analysis.wants_all else wanted, analysis.wants_all)
    missing = [phrase for phrase in analysis.phrases if phrase not in search.passed]
    if missing:
        search.notes.append(f"Nothing passed the threshold for: {', '.join(missing)}")
    return Retrieval(
        cues=cues,
        path=search.path,
        abstained=not cues,
        notes=tuple(search.notes),
        timings_ms={"encode": search.encode_ms, "search": search.search_ms, "verify": search.verify_ms},
        words=search.words,
    )


def _words(deps: Deps, phrases: Sequence[str], search: _Search) -> dict[str, str]:
    """Labels' own names of phrases that are other names of theirs."""
    start = perf_counter()
    knowledge = _open(deps, "knowledge_labels", search)
    search.words = names_of(deps, knowledge, phrases) if knowledge else {}
    search.notes += [f"{phrase!r} is looked for as {name!r}" for phrase, name in search.words.items()]
    search.encode_ms += 1000 * (perf_counter() - start)
    return search.words


def _slow(
    deps: Deps,
    analysis: Analysis,
    where: Filter,
    search: _Search,
    calibration: Calibration,
    threshold: float,
    collection: str,
    reducer: Reducer,
    limit: int,
    passes: Passing,
    keep: Keep | None,
    *,
    strict: bool,
) -> None:
    """Look for what is still missing through labels, then captions."""
    for name, kind in KNOWLEDGE_KINDS.items():
        missing = [phrase for phrase in analysis.phrases if phrase not in search.passed]
        if not missing:
            return
        knowledge = _open(deps, kind, search, strict=strict)
        if knowledge is None:
            search.notes.append(
                f"The slow path through {name} was left out: no knowledge base of {name} was built for this encoder"
            )
            continue
        found = search_slow(
            deps, missing, where, knowledge=knowledge, collection=collection, calibration=calibration,
            reducer=reducer, limit=limit, keep=keep,
        )  # fmt: skip
        search.add(found, threshold, "slow-labels" if name == "labels" else "slow-captions", passes)


def _open(deps: Deps, kind: KnowledgeKind, search: _Search, *, strict: bool = False) -> Current | None:
    """The knowledge base of a kind, opened once a question; None where there is none, or, with a note, another's."""
    if kind not in search.opened:
        search.opened[kind] = None
        try:
            search.opened[kind] = open_knowledge(deps, kind)
        except FingerprintError as error:
            if strict:
                raise
            search.notes.append(
                f"The knowledge base of {kind.removeprefix('knowledge_')} was left out: {error.message}"
            )
    return search.opened[kind]


def select(
    passed: dict[str, list[Cue]], phrases: Sequence[str], limit: int, wants_all: bool = False
) -> tuple[Cue, ...]:
    """Choose and rank among cues that passed.

    The best cue of each phrase comes first, so that one phrase does not crowd out the others; then the rest by
    confidence.  Where every occurrence matters only confidence counts.  A patch found for several phrases is given for
    each phrase whose best cue it is, otherwise only for the one it is most confident for.

    Args:
        passed: Cues of each phrase, best first.
        phrases: The order of phrases of equal confidence.
        limit: Cues at most.
        wants_all: See above.
    """
    firsts = [passed[phrase][0] for phrase in phrases if passed.get(phrase)]
    taken = {cue.patch_id for cue in firsts}
    rest = []
    for cue in _by_confidence(cue for phrase in phrases for cue in passed.get(phrase, [])[1:]):
        if cue.patch_id not in taken:
            taken.add(cue.patch_id)
            rest.append(cue)
    ordered = _by_confidence([*firsts, *rest]) if wants_all else [*_by_confidence(firsts), *rest]
    return ranked(ordered[:limit])


def _by_confidence(cues: Iterable[Cue]) -> list[Cue]:
    return sorted(cues, key=lambda cue: (-cue.confidence, -cue.score))
