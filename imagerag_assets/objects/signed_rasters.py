"""What GDAL opens for a file with a signed address, or for a virtual raster of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from imagerag_assets.objects.aside import temporary_folder
from imagerag_assets.objects.gdal import gdal_path
from imagerag_assets.objects.signed import beside, gdal_signed_path, requested

_NESTED = 4
"""A virtual raster may name another one by its text, which may name another one."""


@contextmanager
def signed_path(path: str, href: str) -> Iterator[str]:
    """Give the name under which GDAL opens `path` now; it is of use until the context ends.

    Args:
        path: The file itself (`gdal_path(href)`), or a virtual raster of it: its XML, or the path of a .vrt file.
        href: The file's address, without its signature.
    """
    signed, plain = gdal_signed_path(href), gdal_path(href)
    if signed is None:
        yield path
    elif path == plain:
        yield signed
    elif path.startswith("<"):
        yield with_signature(path, href)
    else:
        # Overviews are looked for beside a virtual raster, so its copy gets links to what is beside it.
        with temporary_folder("signed") as folder:
            vrt = Path(path)
            for beside in vrt.parent.iterdir():
                if beside.name != vrt.name:
                    os.symlink(beside.absolute(), Path(folder) / beside.name)
            copy = Path(folder) / vrt.name
            copy.write_text(with_signature(vrt.read_text(encoding="utf-8"), href), encoding="utf-8")
            yield str(copy)


def with_signature(vrt: str, href: str) -> str:
    """Return the XML of a virtual raster with the signed addresses of the file and its mask in place of plain ones."""
    if gdal_signed_path(href) is None:
        return vrt
    for suffix in ("", ".msk"):
        plain, signed = gdal_path(beside(href, suffix)), gdal_path(beside(requested(href), suffix))
        was, becomes = f">{escape(plain)}<", f">{escape(signed)}<"
        for _ in range(_NESTED):
            vrt = vrt.replace(was, becomes)
            was, becomes = escape(was), escape(becomes)
    return vrt
