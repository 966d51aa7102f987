"""Offer the pictures of a benchmark as scenes: write a STAC catalog of them, which is ingested like any other.

Such a picture has no location and no time; `stac` decides what an item may lack.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from imagerag_assets.errors import InputError
from imagerag_assets.evaluation.cases import Case
from imagerag_assets.objects.aside import remove_left, replace_text


def find_images(cases: Iterable[Case], folder: Path) -> dict[str, Path]:
    """Find the pictures of cases in `folder`; return the existing files by scene key.

    Each picture is looked for under the path that the benchmark gives, then under its file name alone.
    """
    found: dict[str, Path] = {}
    for case in cases:
        for scene, image in zip(case.scenes, case.images, strict=False):
            for candidate in (folder / image, folder / image.name):
                if candidate.is_file():
                    found[scene] = candidate
                    break
    return found


def write_catalog(images: dict[str, Path], folder: Path) -> Path:
    """Write `catalog.json` and one item per picture into `folder`; return the path of the catalog.

    Raises:
        InputError: the folder cannot be written.
    """
    links = [_link("root", "./catalog.json")]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_left(folder)
        for scene, image in sorted(images.items()):
            item = {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": scene,
                "geometry": None,
                "properties": {"datetime": None},
                "links": [_link("root", "./catalog.json"), _link("parent", "./catalog.json")],
                "assets": {"visual": _asset(image)},
            }
            _write(folder / f"{scene}.json", item)
            links.append(_link("item", f"./{scene}.json"))
        catalog = folder / "catalog.json"
        about = {"type": "Catalog", "stac_version": "1.0.0", "id": "benchmark", "description": "Benchmark pictures"}
        _write(catalog, about | {"links": links})
    except OSError as error:
        raise InputError(f"The picture catalog cannot be written: {error}", fix="Check the folder") from None
    return catalog


def _asset(image: Path) -> dict[str, Any]:
    media_type = mimetypes.guess_type(image.name)[0] or "image/tiff"
    return {"href": str(image.absolute()), "type": media_type, "roles": ["data", "visual"]}


def _link(rel: str, href: str) -> dict[str, str]:
    return {"rel": rel, "href": href}


def _write(path: Path, document: dict[str, Any]) -> None:
    replace_text(path, json.dumps(document, ensure_ascii=False, indent=1))
