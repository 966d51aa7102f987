"""How fast patches are embedded here, so that a plan can say how long they will take.

``rates/{fp16}/{division}.json``, written after each scene by whoever embedded it; the last writer wins: no harm.
Before the first scene a few patches are tried.
"""

from __future__ import annotations

import time

import numpy as np

from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.errors import StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Target
from imagerag_assets.objects.store import HasStore

_KEPT = 0.5
"""What earlier scenes count for beside the newest one of their size: a changed machine shows after a few scenes."""

_TRIED = 16  # patches: a second or a few with a large encoder on a CPU
_BESIDE_ENCODING = 1.4
"""How much longer reading, encoding and writing take than encoding alone; `make bench` measures it."""


def note_rate(platform: HasStore, target: Target, patches: int, seconds: float) -> None:
    """Remember how long embedding took.

    Args:
        platform: Whose store.
        target: The encoder and division.
        patches: How many were embedded.
        seconds: Wall time, reading included.

    Raises:
        StoreError: the store does not take it.
    """
    if patches < 1 or seconds <= 0:
        return
    before = _stored(platform, target) or (0.0, 0.0)
    now = {"patches": patches + _KEPT * before[0], "seconds": seconds + _KEPT * before[1]}
    platform.store.write_json(_key(target), now)


def patches_per_second(platform: Platform, target: Target) -> float:
    """The rate of the scenes that were embedded here; before the first one, from a trial of the encoder.

    Raises:
        StoreError: the store cannot be asked.
        EncoderError: the encoder cannot be loaded.
    """
    stored = _stored(platform, target)
    return stored[0] / stored[1] if stored else _trial(platform, target)


def _trial(platform: Platform, target: Target) -> float:
    encoder, side = load_encoder(target.encoder, platform.settings), platform.settings.patch_px
    images = np.random.default_rng(0).integers(0, 256, (_TRIED, side, side, 3), dtype=np.uint8)
    encoder.encode_images(images)  # the first time allocates
    started = time.perf_counter()
    encoder.encode_images(images)
    return _TRIED / (_BESIDE_ENCODING * max(time.perf_counter() - started, 1e-6))


def _stored(platform: HasStore, target: Target) -> tuple[float, float] | None:
    key = _key(target)
    if not platform.store.exists(key):
        return None
    try:
        record = platform.store.read_json(key)
        patches, seconds = float(record["patches"]), float(record["seconds"])
    except (StoreError, KeyError, TypeError, ValueError):
        return None
    return (patches, seconds) if patches > 0 and seconds > 0 else None


def _key(target: Target) -> str:
    return f"rates/{target.fingerprint[:16]}/{target.division.key}.json"
