"""What a scope probably shows, for questions that name nothing: "what is this place?".

Every patch that is among the nearest ones of a common thing belongs to the thing that it fits best.  This only says
what is worth looking for; `retrieve.py` then looks for it as if the question had named it.
"""

from __future__ import annotations

from collections import Counter

from imagerag_assets.installation.platform import Deps
from imagerag_assets.retrieval.background import PROMPTS
from imagerag_assets.retrieval.fast import CANDIDATES_ALL, neighbours, phrase_scorers
from imagerag_assets.retrieval.measured_words import measured_words
from imagerag_assets.retrieval.things import key, names_by_key
from imagerag_assets.retrieval.types import Search

MOST = 8
"""Things that are looked for."""
_COVERS = 3
"""Of these, so many are what most patches show; the others are those that some patch shows most surely."""


def common_things(deps: Deps) -> tuple[str, ...]:
    """Return the names of common things that the encoder is not known to confuse with others."""
    table = measured_words(deps.encoder.fingerprint)
    if table is None:
        return PROMPTS
    names = names_by_key()
    return tuple(each for each in PROMPTS if (word := table.words.get(names.get(key(each), ""))) and word.good)


def survey(deps: Deps, search: Search, most: int = MOST) -> tuple[str, ...]:
    """Return what the patches that are searched probably show, at most `most` things.

    Raises:
        StoreError: Milvus fails.
        EncoderError: a name cannot be embedded.
    """
    names = common_things(deps)
    scorers = phrase_scorers(deps, names, search.calibration)
    near = neighbours(deps.vectors, deps.encoder.encode_texts(names), search, CANDIDATES_ALL)
    # Unlike in `search_fast`, overlapping patches all count: one may be another thing's best.
    best: dict[str, tuple[float, str]] = {}
    for name, found in zip(names, near, strict=True):
        if not found.rows:
            continue
        _, values = scorers[name].score(found.embeddings)
        confidence = search.calibration.fast.confidence(values)
        for row, sure in zip(found.rows, confidence.tolist(), strict=True):
            patch = str(row["patch_id"])
            best[patch] = max(best.get(patch, (0.0, "")), (sure, name))
    passed = [each for each in best.values() if each[0] >= search.calibration.threshold]
    covers = [name for name, _ in Counter(name for _, name in passed).most_common(_COVERS)]
    surest = [name for _, name in sorted(passed, reverse=True)]
    return tuple(dict.fromkeys([*covers, *surest]))[:most]
