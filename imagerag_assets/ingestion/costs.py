"""Estimate what embedding scenes costs: patches, bytes read, bytes of vectors, seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from imagerag_assets.objects.addresses import is_http
from imagerag_assets.objects.bounded import info_of
from imagerag_assets.objects.peek import size_over_http
from imagerag_assets.settings import Settings

_FLOAT32 = 4


@dataclass(frozen=True)
class Cost:
    """What embedding takes."""

    patches: int
    bytes_read: int | None
    """Size of the files, as nearly all of each is read, once; None where a size is not known."""
    vector_bytes: int
    """Of float32 vectors, before compression."""
    seconds: float
    """By the rate of this encoder and recipe here (`rates`)."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


def cost_of(patches: int, dim: int, hrefs: Iterable[str], settings: Settings, rate: float) -> Cost:
    """Estimate the cost of embedding a scene.

    Args:
        patches: How many are embedded.
        dim: Length of a vector.
        hrefs: Files that are read.
        settings: For credentials.
        rate: Patches a second.
    """
    sizes = [file_size(href, settings) for href in hrefs] if patches else []
    known = [size for size in sizes if size is not None]
    return Cost(
        patches=patches,
        bytes_read=sum(known) if len(known) == len(sizes) else None,
        vector_bytes=patches * dim * _FLOAT32,
        seconds=patches / rate,
    )


def total(costs: Iterable[Cost]) -> Cost:
    """Add costs up; a number that is unknown for one is unknown for the sum."""
    every = list(costs)
    read = [each.bytes_read for each in every]
    return Cost(
        patches=sum(each.patches for each in every),
        bytes_read=None if None in read else sum(value for value in read if value is not None),
        vector_bytes=sum(each.vector_bytes for each in every),
        seconds=sum(each.seconds for each in every),
    )


def file_size(href: str, settings: Settings) -> int | None:
    """Return the size of a file in bytes; None where that cannot be found out without reading it."""
    try:
        if is_http(href):
            return size_over_http(href, settings)
        size = info_of(href, settings)["size"]
    except Exception:  # fsspec's, botocore's, requests' and the operating system's: an estimate can do without
        return None
    return None if size is None else int(size)
