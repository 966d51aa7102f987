"""Small pictures and tables for Dagster's UI.

The event log has tables only, and addresses of pictures (`answer_pages`): a picture inside it takes about 4.6 times its
size there.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from imagerag_assets.escaping import markdown

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 30_000
"""Size of the largest small JPEG."""
_SIDES = (512, 384, 320, 256, 192, 128, 96, 64)
_QUALITIES = (80, 60, 40)


def thumbnail(picture: bytes | Image.Image, largest: int = _SIDES[0]) -> bytes:
    """Return a JPEG of a picture (encoded or opened), as large as `MAX_BYTES` allows.

    Args:
        picture: The picture.
        largest: Most pixels of its longer side.

    Raises:
        OSError: The bytes are not a picture.
    """
    from PIL import Image

    image = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
    image = image.convert("RGB")
    data = b""
    for side in (largest, *(each for each in _SIDES if each < largest)):
        small = image.copy()
        small.thumbnail((side, side), Image.Resampling.BOX)
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=quality, optimize=True)
            data = buffer.getvalue()
            if len(data) <= MAX_BYTES:
                return data
    return data


def markdown_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return a Markdown table; the keys of the first row are its headings."""
    if not rows:
        return "none"
    heads = list(rows[0])
    cells = [[markdown(row.get(head, "")) for head in heads] for row in rows]
    lines = [[markdown(head) for head in heads], ["---"] * len(heads), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
