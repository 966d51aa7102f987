"""From an analysed question to its cues: which path is tried, which cues pass, and how they are ranked.

A cue below the threshold of its path is never given: a wrong cue harms an answer more than no cue does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from time import perf_counter

from imagerag_assets.errors import FingerprintError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.knowledge.search import names_of, open_knowledge
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS, Current, KnowledgeKind
from imagerag_assets.retrieval.by_example import search_by_example
from imagerag_assets.retrieval.fast import CANDIDATES, CANDIDATES_ALL, Found, ranked, search_fast
from imagerag_assets.retrieval.phrases import Analysis
from imagerag_assets.retrieval.recognition import recognition
from imagerag_assets.retrieval.second_look import affordable, is_many, looked_at
from imagerag_assets.retrieval.slow import search_slow
from imagerag_assets.retrieval.types import Cue, PathName, Retrieval, SceneWindow, Search

MAX_CUES_ALL = 24
"""Most cues if every occurrence matters: about as many as a multimodal LLM still sees as separate pictures."""


def retrieve(deps: Deps, analysis: Analysis, search: Search) -> Retrieval:
    """Find the cues of a question.

    Path ``auto`` looks for each phrase on the fast path and, where nothing passes its threshold, through the labels and
    then the captions of the knowledge base.  If the knowledge base has a phrase as another name of a label, the fast
    path looks for the label: the encoder may know the words of "tank farm" and yet take it for a farm.  A phrase
    that the encoder cannot tell from others (`recognition.py`) gets no cues, unless the knowledge base has pictures of
    it.  ``fast`` and ``slow`` use only one path, for whatever phrase; ``none`` looks for nothing.  On all others,
    concepts are looked for by their examples.

    Args:
        deps: The installation.
        analysis: From `phrases.analyse_question`.  A question that wants all may get up to 24 cues.
        search: How and where to look.

    Raises:
        FingerprintError: the collection belongs to another encoder; with path ``slow`` also the knowledge base.
        StoreError: Milvus or the object store fails.
        EncoderError: a phrase or a crop cannot be embedded.
    """
    if search.path == "none":
        return Retrieval((), "none", abstained=False, timings_ms={"encode": 0.0, "search": 0.0})
    if not analysis.phrases:
        notes = (*analysis.notes, "The question names nothing to look for")
        return Retrieval((), "none", abstained=False, notes=notes, timings_ms={"encode": 0.0, "search": 0.0})
    deps.vectors.verify(search.collection, deps.encoder.fingerprint)
    run = _Run(deps, analysis, search)
    run.by_example()
    if search.path in ("auto", "fast"):
        run.fast()
    if search.path in ("auto", "slow"):
        run.slow()
    return run.outcome()


class _Run:
    """One retrieval: the cues that passed so far, and the account of how."""

    def __init__(self, deps: Deps, analysis: Analysis, search: Search) -> None:
        self._deps = deps
        self._analysis = analysis
        self._search = search
        self._limit = CANDIDATES_ALL if analysis.wants_all else CANDIDATES
        self._share_budget(analysis.phrases)
        self._shown = {phrase: analysis.shown[phrase] for phrase in analysis.phrases if phrase in analysis.shown}
        self._by_words = tuple(phrase for phrase in analysis.phrases if phrase not in self._shown)
        self._passed: dict[str, list[Cue]] = {}
        self._path: PathName = "none"
        self._notes = list(analysis.notes)
        self._words: dict[str, str] = {}
        self._unrecognised: frozenset[str] = frozenset()
        self._unsure: set[str] = set()
        self._best: dict[str, float] = {}
        self._others: dict[str, float] = {}
        self._many: set[str] = set()
        self._seen: dict[str, tuple[SceneWindow, ...]] = {}
        self._opened: dict[KnowledgeKind, Current | None] = {}
        self._timings = {"encode": 0.0, "search": 0.0, "verify": 0.0}

    def by_example(self) -> None:
        """Look for every phrase that a person showed examples for."""
        for phrase, found in search_by_example(self._deps, self._shown, self._search, limit=self._limit).items():
            self._add(found, self._shown[phrase].threshold, "fast")

    def fast(self) -> None:
        """Look for every other phrase by its text embedding, if the encoder knows its words."""
        phrases: Sequence[str] = self._by_words
        if self._search.path == "auto":
            self._words = self._labels_of_phrases()
            phrases = self._told_apart()
            self._share_budget([*self._shown, *phrases])
        found = search_fast(self._deps, phrases, self._search, limit=self._limit, words=self._words)
        used = self._search.calibration
        self._add(found, used.threshold if self._look is None else used.second_threshold, "fast")
        if self._look is not None and used.presence_minimum is not None and self._deps.settings.min_confidence is None:
            self._doubt(used.presence_minimum)

    def _share_budget(self, phrases: Sequence[str]) -> None:
        """Divide the patches of the second look among the phrases that are looked for."""
        self._budget = self._deps.settings.second_look // max(1, len(phrases))
        self._look = affordable(self._search.look, self._budget)

    def slow(self) -> None:
        """Look for what is still missing through labels, then captions."""
        for name, kind in KNOWLEDGE_KINDS.items():
            missing = [phrase for phrase in self._missing() if phrase not in self._shown]
            if not missing:
                return
            knowledge = self._open(kind, strict=self._search.path == "slow")
            if knowledge is None:
                self._notes.append(
                    f"The slow path through {name} was left out: no knowledge base of {name} was built for this encoder"
                )
                continue
            found = search_slow(self._deps, missing, self._search, knowledge=knowledge, limit=self._limit)
            path: PathName = "slow-labels" if name == "labels" else "slow-captions"
            self._add(found, self._search.calibration.slow_threshold, path)

    def outcome(self) -> Retrieval:
        """Choose and rank the cues."""
        wants_all, phrases = self._analysis.wants_all, self._analysis.phrases
        limit = MAX_CUES_ALL if wants_all else self._search.most(self._deps.settings.top_k)
        cues = select(self._passed, phrases, limit, wants_all)
        if missing := self._missing():
            self._notes.append(f"Nothing passed the threshold for: {', '.join(missing)}")
        return Retrieval(
            cues=cues,
            path=self._path,
            abstained=not cues,
            notes=tuple(self._notes),
            timings_ms=self._timings,
            words=self._words,
            best=self._best,
            unrecognised=self._unrecognised,
            unsure=frozenset(self._unsure),
            others=self._others,
            many=frozenset(self._many),
            seen=self._seen if self._look is not None else {},
        )

    def _missing(self) -> list[str]:
        """Return the phrases that are still to be found."""
        done = self._passed.keys() | self._unrecognised
        return [phrase for phrase in self._analysis.phrases if phrase not in done]

    def _doubt(self, least: float) -> None:
        """Note the phrases whose best cue is worth showing, and not sure enough to say that the thing is there."""
        for phrase, cues in self._passed.items():
            if phrase not in self._shown and cues and cues[0].confidence < least:
                self._unsure.add(phrase)
                self._notes.append(
                    f"The best candidate for {phrase!r} has confidence {cues[0].confidence:.2f}: below {least:.2f}, "
                    "where presence is stated"
                )

    def _told_apart(self) -> list[str]:
        """Return the phrases whose words the encoder tells from others, and note those that nothing recognises."""
        start = perf_counter()
        judged = recognition(
            self._deps,
            self._by_words,
            words=self._words,
            opened=self._open,
            collection=self._search.collection,
        )
        self._unrecognised = frozenset(phrase for phrase, each in judged.items() if not each.known)
        self._notes += [judged[phrase].sentence for phrase in judged if phrase in self._unrecognised]
        self._timings["encode"] += 1000 * (perf_counter() - start)
        return [phrase for phrase, each in judged.items() if each.known and each.by != "knowledge"]

    def _add(self, found: Found, threshold: float, path: PathName) -> None:
        """Add the candidates that reach the threshold, or IMAGERAG_MIN_CONFIDENCE in its place."""
        self._timings["encode"] += found.encode_ms
        self._timings["search"] += found.search_ms
        self._notes += found.notes
        start = perf_counter()
        minimum = self._deps.settings.min_confidence
        least = threshold if minimum is None else minimum
        for phrase, candidates in found.cues.items():
            scorer = found.scorers[phrase]
            seen, notes = looked_at(self._deps, self._look, candidates, scorer, least, budget=self._budget)
            self._notes += notes
            self._seen[phrase] = (*self._seen.get(phrase, ()), *((cue.scene, cue.window) for cue in seen))
            seen = [cue for cue in seen if self._search.keeps(cue.scene, cue.window)]  # windows have moved
            top = max((cue.confidence for cue in seen), default=0.0)
            self._best[phrase] = max(top, self._best.get(phrase, 0.0))
            good = [cue for cue in seen if cue.confidence >= least]
            self._others[phrase] = prod(1 - cue.confidence for cue in seen if cue.confidence < least)
            if good:
                self._passed[phrase] = good
                self._path = path if self._path == "none" else self._path
            if self._look is not None and is_many(candidates, len(good), least, budget=self._budget, look=self._look):
                self._many.add(phrase)
        self._timings["verify"] += 1000 * (perf_counter() - start)

    def _labels_of_phrases(self) -> dict[str, str]:
        """Return the own names of labels, by the phrases that are other names of theirs."""
        start = perf_counter()
        knowledge = self._open("knowledge_labels")
        words = names_of(self._deps, knowledge, self._by_words) if knowledge and self._by_words else {}
        self._notes += [f"{phrase!r} is looked for as {name!r}" for phrase, name in words.items()]
        self._timings["encode"] += 1000 * (perf_counter() - start)
        return words

    def _open(self, kind: KnowledgeKind, *, strict: bool = False) -> Current | None:
        """Open a knowledge base, once a question; None where there is none or, with a note, only another encoder's."""
        if kind not in self._opened:
            self._opened[kind] = None
            try:
                self._opened[kind] = open_knowledge(self._deps, kind)
            except FingerprintError as error:
                if strict:
                    raise
                self._notes.append(
                    f"The knowledge base of {kind.removeprefix('knowledge_')} was left out: {error.message}"
                )
        return self._opened[kind]


def select(
    passed: dict[str, list[Cue]], phrases: Sequence[str], limit: int, wants_all: bool = False
) -> tuple[Cue, ...]:
    """Choose and rank among cues that passed.

    The best cue of each phrase comes first, so that no phrase crowds out the others; the rest follow by confidence.  If
    every occurrence matters, only confidence counts.  A patch found for several phrases is given for each phrase whose
    best cue it is; otherwise only for the phrase of its greatest confidence.

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
