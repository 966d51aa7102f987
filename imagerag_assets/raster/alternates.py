"""Read a file by the first of its addresses that can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imagerag_assets.errors import RasterError
from imagerag_assets.raster.files import RasterFile

_worked: dict[str, str] = {}
"""Which of a file's addresses could be read, by the first; of those that have several."""


def first_readable(hrefs: Sequence[str], describe: Callable[[str], RasterFile]) -> RasterFile:
    """Return what `describe` gives for the first address of a file that can be read, the one that could be last first.

    Args:
        hrefs: The addresses.
        describe: Opens the file at one.

    Raises:
        RasterError: none can be read; the error is that of the first.
    """
    first: RasterError | None = None
    worked = _worked.get(hrefs[0])
    for href in dict.fromkeys([worked, *hrefs] if worked in hrefs else hrefs):
        assert href is not None
        try:
            found = describe(href)
        except RasterError as error:
            first = first or error
            continue
        if len(hrefs) > 1:
            _worked[hrefs[0]] = href
        return found
    assert first is not None
    raise first
