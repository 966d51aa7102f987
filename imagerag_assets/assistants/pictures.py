"""Pictures as an assistant sees them: JPEG, capped in pixels and bytes."""

from __future__ import annotations

import base64
import io

from mcp_types import ImageContent
from PIL import Image

from imagerag_assets.errors import StoreError

MOST_PX = 1024
"""Longest side of a picture."""
MOST_BYTES = 400_000
"""Largest picture; clients refuse results of more than about a megabyte."""
MOST_CROPS = 6
_CROP_PX, _CROP_BYTES = 512, 100_000
_QUALITIES = (88, 75, 60, 45)


def picture_content(picture: Image.Image, *, px: int = MOST_PX, most_bytes: int = MOST_BYTES) -> ImageContent:
    """Return a picture as content: scaled down, and compressed until it is small enough.

    Args:
        picture: RGB.
        px: Longest side, in pixels.
        most_bytes: Largest file.
    """
    small = picture.convert("RGB")
    small.thumbnail((px, px))
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=quality)
            if buffer.tell() <= most_bytes or max(small.size) == 1:
                data = base64.b64encode(buffer.getvalue()).decode()
                return ImageContent(type="image", data=data, mime_type="image/jpeg")
        small = small.resize((max(1, small.width // 2), max(1, small.height // 2)), Image.Resampling.LANCZOS)


def crop_content(jpeg: bytes) -> ImageContent:
    """Return the stored picture of a cue as content.

    Raises:
        StoreError: It is no picture.
    """
    try:
        picture = Image.open(io.BytesIO(jpeg))
        return picture_content(picture, px=_CROP_PX, most_bytes=_CROP_BYTES)
    except (OSError, SyntaxError) as error:  # Pillow's, of broken files
        raise StoreError(f"The picture of a cue cannot be read: {error}", fix="Ask again") from None
