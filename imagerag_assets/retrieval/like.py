"""Image to image: the patches that look like a given picture or patch.

The example is a prototype of one exemplar, so confidence and threshold are those of the slow path.  The caller brings
the embedding of the example.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.installation.platform import Deps
from imagerag_assets.retrieval.fast import ranked, suppressed_cues
from imagerag_assets.retrieval.second_look import affordable, looked_at
from imagerag_assets.retrieval.slow import make_prototype, prototype_neighbours, prototype_scorer
from imagerag_assets.retrieval.types import Retrieval, Search


def retrieve_like(
    deps: Deps,
    example: NDArray[np.float32],
    label: str,
    search: Search,
    *,
    leave_out: str | None = None,
) -> Retrieval:
    """Find the patches most like an example.

    Args:
        deps: The installation.
        example: Embedding, float32 (dim,), of length 1.
        label: Phrase of the cues.
        search: Where to look, in a collection of the example's encoder; its path does not matter.
        leave_out: Id of a patch that is no answer, because it is the example.

    Raises:
        FingerprintError: the collection belongs to another encoder.
        StoreError: Milvus fails.
        EncoderError: a crop cannot be embedded.
    """
    start = perf_counter()
    deps.vectors.verify(search.collection, deps.encoder.fingerprint)
    prototypes, nothing = [make_prototype((label,), example[None])], np.zeros((0, len(example)), dtype=np.float32)
    near, values = prototype_neighbours(deps, prototypes, nothing, search)
    cues = suppressed_cues(near, values, search.calibration.slow, label, "fast")
    searched = perf_counter()
    budget, minimum = deps.settings.second_look, deps.settings.min_confidence
    least = search.calibration.slow_threshold if minimum is None else minimum
    seen, notes = looked_at(
        deps,
        affordable(search.look, budget),
        [cue for cue in cues if cue.patch_id != leave_out],
        prototype_scorer(prototypes, nothing, search.calibration),
        least,
        budget=budget,
    )
    # The second look has moved windows.
    good = [cue for cue in seen if cue.confidence >= least and search.keeps(cue.scene, cue.window)]
    passed = ranked(good[: search.most(deps.settings.top_k)])
    return Retrieval(
        cues=passed,
        path="fast" if passed else "none",
        abstained=not passed,
        notes=notes if passed else (*notes, f"Nothing looks enough {label}"),
        timings_ms={
            "encode": 0.0,
            "search": 1000 * (searched - start),
            "verify": 1000 * (perf_counter() - searched),
        },
    )
