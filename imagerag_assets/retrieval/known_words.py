"""What an installation's encoder makes of words, for a person: `imagerag encoders words`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imagerag_assets.errors import InputError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving
from imagerag_assets.retrieval.measured_words import measured_words
from imagerag_assets.retrieval.recognition import recognition
from imagerag_assets.retrieval.word_reach import load_reaches

_LONGEST = 200
_UNMEASURED = (
    "The words of this encoder were never measured: only its text side is judged. Run: imagerag calibrate, with scenes "
    "ingested"
)


def known_words(platform: Platform, words: Sequence[str]) -> dict[str, Any]:
    """Judge words by the encoder that answers questions, or the chosen one before the first ingest.

    Raises:
        InputError: a word is empty or very long.
        StoreError, EncoderError: as `recognition.recognition`.
    """
    wanted = list(dict.fromkeys(" ".join(word.split()) for word in words))
    if any(not word or len(word) > _LONGEST for word in wanted):
        raise InputError(f"A word has 1 to {_LONGEST} characters", fix="Write: imagerag encoders words 'tennis court'")
    serving = find_serving(platform) if platform.has_vectors else None
    own = serving.platform if serving else platform
    collection = serving.collection if serving else "patches"
    fingerprint = own.encoder.fingerprint
    carded = measured_words(fingerprint) is not None
    on_imagery = load_reaches(own.store, fingerprint) is not None and serving is not None
    found = recognition(own, wanted, collection=collection)
    return {
        "encoder": own.encoder.name,
        "fingerprint": fingerprint,
        "measured": "pictures" if carded else "imagery" if on_imagery else None,
        "words": [
            {"word": word, "known": each.known, "score": each.score, "by": each.by, "nearest": each.nearest}
            for word, each in found.items()
        ],
        "notes": [] if carded or on_imagery else [_UNMEASURED],
    }
