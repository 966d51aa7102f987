"""How fast patches are embedded here, so that a plan can say how long they will take.

The footer of each shard says how long its rows took.  The newest shards of an encoder and recipe give the rate; before
the first one a few patches are tried.
"""

from __future__ import annotations

import time

import numpy as np

from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.errors import StoreError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import Target
from imagerag_assets.objects.store import read_all
from imagerag_assets.stores.shards import PREFIX, list_shards, shard_info

_NEWEST = 3
"""Shards whose footers are read: a changed machine shows after a few scenes."""

_TRIED = 16  # patches: a second or a few with a large encoder on a CPU
_BESIDE_ENCODING = 1.4
"""How much longer reading, encoding and writing take than encoding alone; `make bench` measures it."""


def patches_per_second(platform: Platform, target: Target) -> float:
    """Return the rate of the scenes that were embedded here last; before the first one, that of a trial.

    Raises:
        StoreError: the store cannot be read.
        EncoderError: the encoder cannot be loaded.
    """
    measured = _of_newest_shards(platform, target) or _of_older_versions(platform, target)
    return measured[0] / measured[1] if measured else _trial(platform, target)


def _trial(platform: Platform, target: Target) -> float:
    encoder, side = load_encoder(target.encoder, platform.settings), target.recipe.patch_px
    images = np.random.default_rng(0).integers(0, 256, (_TRIED, side, side, 3), dtype=np.uint8)
    encoder.encode_images(images)  # the first time allocates
    started = time.perf_counter()
    encoder.encode_images(images)
    return _TRIED / (_BESIDE_ENCODING * max(time.perf_counter() - started, 1e-6))


def _of_newest_shards(platform: Platform, target: Target) -> tuple[float, float] | None:
    """Return patches and seconds of the shards stored last."""
    shards = list_shards(platform.store, division_key=target.recipe.key, fingerprint=target.fingerprint)
    if not shards:
        return None
    stored = platform.store.modified(PREFIX) if len(shards) > _NEWEST else {}
    newest = sorted((shard.path for shard in shards), key=lambda path: str(stored.get(path, "")))[-_NEWEST:]
    patches = seconds = 0.0
    for rows, spent in read_all(lambda path: _measured(platform, path), newest):
        patches, seconds = patches + rows, seconds + spent
    return (patches, seconds) if patches > 0 and seconds > 0 else None


def _measured(platform: Platform, path: str) -> tuple[int, float]:
    try:
        info = shard_info(platform.store, path)
    except StoreError:  # damaged, or deleted meanwhile
        return 0, 0.0
    return (info.rows, info.made.seconds) if info.made.seconds else (0, 0.0)


def _of_older_versions(platform: Platform, target: Target) -> tuple[float, float] | None:
    """Return what older versions, whose shards do not say, kept in ``rates/{fp16}/{division}.json``."""
    key = f"rates/{target.fingerprint[:16]}/{target.recipe.key}.json"
    try:
        record = platform.store.read_json(key) if platform.store.exists(key) else {}
        patches, seconds = float(record["patches"]), float(record["seconds"])
    except (StoreError, KeyError, TypeError, ValueError):
        return None
    return (patches, seconds) if patches > 0 and seconds > 0 else None
