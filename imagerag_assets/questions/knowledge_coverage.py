"""Report what the knowledge bases cover: exemplars of each label, similar labels, and the words that lead to it.

Nothing is written.  Words are matched as in the slow path (`retrieval/slow.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.errors import KnowledgeError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import UNKNOWN, find_serving
from imagerag_assets.knowledge.files import iter_rows
from imagerag_assets.knowledge.search import KnownNames, open_knowledge, search_texts
from imagerag_assets.knowledge.types import PROTOTYPE, Current, images_key, texts_key
from imagerag_assets.questions.planning import analysis_of, plan_of
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.question_files import parse_line, read_lines
from imagerag_assets.retrieval.slow import CAPTION_FLOOR, LABEL_FLOOR, make_prototype

CLOSEST = 3


def coverage(platform: Platform, questions: Sequence[Path] = ()) -> dict[str, Any]:
    """Report what the label and caption knowledge of the encoder in use covers.

    Args:
        platform: The installation.
        questions: Question files (JSONL); every phrase that their questions look for is matched.

    Returns:
        ``{"labels", "captions", "phrases", "unmatched"}``.  Each knowledge base is ``{"source", "version", "labels",
        "exemplars", "texts", "left_out"}`` or None.  The label knowledge base also has ``groups`` of ``{"label",
        "exemplars", "names" (number of texts that lead to it), "coherence", "closest": [{"label", "similarity"}],
        "confusable"}``.  A label is confusable if the prototype of another label is at least as close to its own
        prototype as its exemplars are to each other.  ``phrases`` are ``{"phrase", "questions", "label", "text",
        "similarity", "matched", "captions"}``, and ``unmatched`` counts those that match neither a label nor a caption.

    Raises:
        KnowledgeError: there is no knowledge base at all.
        FingerprintError: the only knowledge bases belong to another encoder.
        InputError: a file cannot be read.
    """
    serving = find_serving(platform, orphaned=True)
    if serving is not None and serving.target.encoder != UNKNOWN:
        platform = serving.platform
    labels, captions = open_knowledge(platform, "knowledge_labels"), open_knowledge(platform, "knowledge_captions")
    if labels is None and captions is None:
        raise KnowledgeError("There is no knowledge base", fix="Run: imagerag knowledge build labels SOURCE")
    asked = _phrases(platform, questions)
    phrases = _matched(platform, labels, captions, asked)
    return {
        "labels": None if labels is None else {**_about(labels), "groups": _groups(platform, labels)},
        "captions": None if captions is None else _about(captions),
        "phrases": phrases,
        "unmatched": sum(not each["matched"] and not each["captions"] for each in phrases),
    }


def _about(live: Current) -> dict[str, Any]:
    return {
        "source": live.source,
        "version": live.version,
        "labels": live.labels,
        "exemplars": live.exemplars,
        "texts": live.text_rows,
        "left_out": len(live.failed),
    }


def _groups(platform: Platform, live: Current) -> list[dict[str, Any]]:
    """Describe every label, by name."""
    vectors: dict[str, list[NDArray[np.float32]]] = {}
    for label, image, vector in _rows(platform, images_key(live.kind, live.version, live.fingerprint)):
        if image != PROTOTYPE:
            vectors.setdefault(label, []).append(vector)
    texts = Counter(label for label, _, _ in _rows(platform, texts_key(live.kind, live.version)))
    made = {label: make_prototype([label], np.stack(found)) for label, found in sorted(vectors.items())}
    alike = np.stack([each.vector for each in made.values()]) @ np.stack([each.vector for each in made.values()]).T
    names, groups = list(made), []
    for row, (label, prototype) in enumerate(made.items()):
        order = [index for index in np.argsort(-alike[row], kind="stable") if index != row][:CLOSEST]
        closest = [{"label": names[index], "similarity": float(alike[row, index])} for index in order]
        groups.append(
            {
                "label": label,
                "exemplars": len(vectors[label]),
                "names": texts[label],
                "coherence": prototype.coherence,
                "closest": closest,
                "confusable": any(float(alike[row, index]) >= prototype.coherence for index in order),
            }
        )
    return groups


def _rows(platform: Platform, key: str) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Yield label, `image` and vector of every row of a knowledge file."""
    for batch in iter_rows(platform.store, key):
        flat = batch["embedding"].flatten().to_numpy().reshape(batch.num_rows, -1)
        yield from zip(batch["label"].to_pylist(), batch["image"].to_pylist(), flat, strict=True)


def _phrases(platform: Platform, questions: Sequence[Path]) -> Counter[str]:
    """Count the phrases that the questions in files look for."""
    anything, names = Question("?"), KnownNames(platform)
    found: Counter[str] = Counter()
    for file in questions:
        for number, line in enumerate(read_lines(file, platform.settings), 1):
            asked = parse_line(line, number, anything)
            found.update(analysis_of(platform, asked, plan_of(asked, names=names)).phrases)
    return found


def _matched(
    platform: Platform, labels: Current | None, captions: Current | None, asked: Counter[str]
) -> list[dict[str, Any]]:
    """Return what each phrase leads to, worst matches first, since people look for what is not covered."""
    phrases = sorted(asked)
    if not phrases:
        return []
    sentences = platform.sentences.encode(phrases)

    def best(live: Current | None) -> list[tuple[str | None, str | None, float | None]]:
        hits = [[] for _ in phrases] if live is None else search_texts(platform, live, sentences, 1)
        return [
            (str(hit[0].fields["label"]), str(hit[0].fields["text"]), float(hit[0].score)) if hit else (None,) * 3
            for hit in hits
        ]

    rows = [
        {
            "phrase": phrase,
            "questions": asked[phrase],
            "label": label,
            "text": text,
            "similarity": similarity,
            "matched": (similarity or 0.0) >= LABEL_FLOOR,
            "captions": (caption or 0.0) >= CAPTION_FLOOR,
        }
        for phrase, (label, text, similarity), (_, _, caption) in zip(
            phrases, best(labels), best(captions), strict=True
        )
    ]
    return sorted(rows, key=lambda row: (row["similarity"] or 0.0, row["phrase"]))
