"""Knowledge from STAC label items (the label extension): exemplars cut from the source imagery around each feature.

Only listing and checking: which window of which scene shows which label.  `pictures.py` reads the windows.
Anything that cannot be used is named and left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from imagerag_assets.encoders.registry import taught_m
from imagerag_assets.errors import ImageRAGError, ItemError, KnowledgeError, SourceError, error_of_item
from imagerag_assets.knowledge.classes import ClassTables
from imagerag_assets.knowledge.feature_labels import Unnamed, label_of
from imagerag_assets.knowledge.glossary import texts_of
from imagerag_assets.knowledge.importers import Source
from imagerag_assets.knowledge.types import Cut, Entry, Failure
from imagerag_assets.objects.addresses import absolute_href, is_http, is_remote, join_href, local_path
from imagerag_assets.objects.boundary import check
from imagerag_assets.objects.bounded import info_of
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.raster.geo import geometry_window
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.raster.types import Grid, Window
from imagerag_assets.settings import Settings
from imagerag_assets.stac.collections import read_collection
from imagerag_assets.stac.documents import Document, Kind, list_documents, read_document, read_documents
from imagerag_assets.stac.item_refs import ItemRef, items_of
from imagerag_assets.stac.items import scene_from_item
from imagerag_assets.stac.source import ROOT_DOCUMENTS, find_items
from imagerag_assets.stac.types import FailedItem, Scene

_GEOJSON = ("application/geo+json", "application/vnd.geo+json")
_ROLES = frozenset({"labels", "labels-vector"})
_NAMED = 5  # features of an item that are named for one reason


@dataclass
class _Sources:
    """Source scenes with their grids, each opened once; why one cannot be used."""

    settings: Settings
    known: dict[str, tuple[Scene, Grid] | ImageRAGError] = field(default_factory=dict)
    collections: dict[tuple[str, ...], dict[str, Any] | None] = field(default_factory=dict)

    @cached_property
    def recipe(self) -> Recipe:
        """How patches are made, which exemplars must look like."""
        return Recipe.of(self.settings, taught_m=taught_m(self.settings.active_encoder, self.settings))

    def get(self, href: str) -> tuple[Scene, Grid]:
        """Return a scene and its grid.  Raise ImageRAGError if the scene cannot be used."""
        if href not in self.known:
            try:
                self.known[href] = self._open(href)
            except Exception as error:  # of one scene
                self.known[href] = error_of_item(error, href=href)
        found = self.known[href]
        if isinstance(found, ImageRAGError):
            raise found
        return found

    def collection(self, item: Document) -> dict[str, Any] | None:
        """Return the JSON of an item's collection, read once; None if there is none that can be read."""
        links = tuple(item.links("collection"))
        if links not in self.collections:
            self.collections[links] = read_collection(item.content, item.href, self.settings)
        return self.collections[links]

    def _open(self, href: str) -> tuple[Scene, Grid]:
        document = read_document(href, self.settings)
        if document.kind is not Kind.ITEM:
            raise SourceError("A source of labels is not a STAC item", fix="Correct the link", href=href)
        # Imagery is chosen as for an ingested scene, whatever `label:assets` says: exemplars must look like patches.
        scene = scene_from_item(document.content, item_href=href, base=href, source=href, settings=self.settings)
        with SceneReader(scene, self.settings) as reader:
            if reader.grid.crs_wkt is None:
                raise ItemError("A source of labels is not georeferenced", scene=scene.scene_key)
            return scene, reader.grid


def _is_file(href: str, settings: Settings) -> bool:
    try:
        return bool(info_of(href, settings)["type"] == "file")
    except FileNotFoundError:
        return False


def is_stac(source: str, settings: Settings) -> bool:
    """Return whether a source of labels is STAC, and not a folder of chips.

    It is a document, an API, a folder with a catalog, or a folder with a label item in it, at any depth.
    """
    if is_http(source) or source.lower().endswith((".json", ".geojson")):
        return True
    try:
        if any(_is_file(join_href(source, name), settings) for name in ROOT_DOCUMENTS):
            return True
        documents = list_documents(source if is_remote(source) else local_path(source), settings)
    except Exception:  # fsspec, botocore and the operating system; reading the folder will report it
        return False
    read = (document for _, document in read_documents(documents, settings) if isinstance(document, Document))
    return any(
        _is_label_item(found.content)
        for document in read
        if document.kind in (Kind.ITEM, Kind.ITEMS)
        for found in items_of(document, None)
    )


def _is_label_item(content: Mapping[str, Any]) -> bool:
    return "label:type" in _properties(content) or "label:properties" in _properties(content)


def read_stac_labels(source: str, settings: Settings) -> Source:
    """List the labelled features of a STAC collection's label items, with the windows of source scenes that show them.

    The label of a feature is the first of its `label:properties` that says something in words: its text, the name that
    the item, its assets or its collection give to a code, or the name of the property if the value is yes or true.  A
    number is never a name (`feature_labels.label_of`).  The window is a square around the bounds, at least as wide as
    the scene's smallest patches.  One is cut from every source scene that contains the middle of the feature.

    Args:
        source: A STAC catalog, collection, item collection or item, a folder of these, or an API.
        settings: How sources are reached, which assets are imagery, and the size of a patch.

    Raises:
        SourceError: the source cannot be reached or is not STAC.
        KnowledgeError: it has no label item, or no feature that can be used.
    """
    sources = _Sources(settings)
    entries: list[Entry] = []
    failed: list[Failure] = []
    for found in find_items(source, settings):
        if isinstance(found, FailedItem):
            failed.append(Failure(found.scene_key, found.error.message))
        elif _is_label_item(found.content):
            try:
                _read_item(found.within_boundary(settings), sources, entries, failed)
            except Exception as error:  # of one item
                failed.append(Failure(found.key, str(error_of_item(error))))
    if not entries:
        why = f" ({failed[0].name}: {failed[0].reason})" if failed else ""
        raise KnowledgeError(
            f"No labelled features found{why}",
            fix="Give STAC items of the label extension with a GeoJSON asset and links to their source items",
            source=source,
        )
    return Source(tuple(entries), tuple(failed))


def _read_item(found: ItemRef, sources: _Sources, entries: list[Entry], failed: list[Failure]) -> None:
    """Add the exemplars of one label item, and the failures of its features and sources.

    Raises:
        ImageRAGError: nothing in the item can be used.
    """
    document = Document(found.base, found.content)
    scenes: list[tuple[Scene, Grid]] = []
    hrefs = document.links("source")
    if not hrefs:
        raise ItemError("The label item has no link to its source", fix='Add a link with rel "source"')
    for href in dict.fromkeys(hrefs):
        try:
            check(href, document.href, sources.settings)
            scenes.append(sources.get(href))
        except Exception as error:  # of one source
            failed.append(Failure(found.key, f"source: {error_of_item(error, href=href)}"))
    if not scenes:
        return
    labels = _labels_href(document)
    check(labels, document.href, sources.settings)
    collection = read_document(labels, sources.settings)
    to_lonlat, tables = _to_lonlat(collection), _tables(document, sources)
    names = _property_names(_properties(found.content))
    wrong: dict[str, list[str]] = {}
    for number, feature in enumerate(_features(collection)):
        said = label_of(_properties(feature) if isinstance(feature, dict) else {}, names, tables)
        for made in _exemplars(feature, said, scenes, to_lonlat, sources.recipe):
            if isinstance(made, str):
                wrong.setdefault(made, []).append(str(number))
                continue
            texts, cut = made
            name = f"{found.key}:{number}@{cut.scene.scene_key}"
            entries.append(Entry(texts[0], texts, name, cut.scene.item_href or found.base, cut))
    for reason, numbers in wrong.items():
        named = ", ".join(numbers[:_NAMED]) + (f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else "")
        failed.append(Failure(f"{found.key}: feature {named}", reason))


def _exemplars(
    feature: Any, said: str | Unnamed, scenes: list[tuple[Scene, Grid]], to_lonlat: Transformer, recipe: Recipe
) -> Iterator[tuple[tuple[str, ...], Cut] | str]:
    """Yield the texts and place of each exemplar of a feature, or the reason why there is none."""
    geometry = _geometry(feature, to_lonlat)
    if geometry is None:
        yield "it has no usable geometry"
        return
    if isinstance(said, Unnamed):
        yield said.reason
        return
    texts = texts_of(said, {})
    if not texts:
        yield "its label is empty or too long"
        return
    shown = False
    for scene, grid in scenes:
        start = recipe.start_for(grid)
        patch_px = max(1, round(recipe.patch_px * 2.0 ** (0 if start is None else start.level)))
        window = _window(geometry_window(grid, geometry), grid, patch_px)
        if window is not None:
            shown = True
            yield texts, Cut(scene, window, max(0, int(math.log2((window[2] - window[0]) / recipe.patch_px))))
    if not shown:
        yield "it lies outside the source imagery"


def _property_names(item: Mapping[str, Any]) -> list[str]:
    """Return the properties of features that hold labels; where the item does not say, those that have classes."""
    names = item.get("label:properties")
    if isinstance(names, str):
        return [names]
    if isinstance(names, list):
        return [name for name in names if isinstance(name, str)]
    classes = item.get("label:classes")
    listed = [each.get("name") for each in classes if isinstance(each, dict)] if isinstance(classes, list) else []
    return [name for name in listed if isinstance(name, str)]


def _tables(item: Document, sources: _Sources) -> ClassTables:
    """Return what the codes of an item's labels mean, by itself, its assets of labels, and its collection."""
    tables = ClassTables()
    tables.read(_properties(item.content))
    assets = item.content.get("assets")
    own = {
        key: asset for key, asset in (assets if isinstance(assets, dict) else {}).items() if _is_of_labels(key, asset)
    }
    for asset in own.values():
        _read_asset(tables, asset)
    if not tables.names_codes and (collection := sources.collection(item)) is not None:
        summaries, said = collection.get("summaries"), collection.get("item_assets")
        tables.read(summaries if isinstance(summaries, dict) else {})
        for key in own:
            _read_asset(tables, said.get(key) if isinstance(said, dict) else None)
    return tables


def _read_asset(tables: ClassTables, asset: Any) -> None:
    """Add what an asset, and each of its bands, says about values."""
    if not isinstance(asset, dict):
        return
    tables.read(asset)
    for name in ("bands", "raster:bands"):
        bands = asset.get(name)
        for band in bands if isinstance(bands, list) else ():
            tables.read(band if isinstance(band, dict) else {})


def _is_of_labels(key: str, asset: Any) -> bool:
    """Return whether an asset holds labels, as vectors or as a raster."""
    roles = asset.get("roles") if isinstance(asset, dict) else None
    return key == "labels" or (isinstance(roles, list) and any(str(role).startswith("labels") for role in roles))


def _geometry(feature: Any, to_lonlat: Transformer) -> BaseGeometry | None:
    """Return the geometry in longitude and latitude; None if there is none, or it cannot be placed."""
    try:
        geometry = shapely.transform(shape(feature["geometry"]), to_lonlat.transform, interleaved=False)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ShapelyError):
        return None
    return None if geometry.is_empty or not all(map(math.isfinite, geometry.bounds)) else geometry


def _window(bounds: Window | None, grid: Grid, patch_px: int) -> Window | None:
    """Return the square around the bounds, at least `patch_px` wide if the scene is, moved into the scene.

    Return None if the middle of the bounds lies outside the scene.
    """
    if bounds is None:
        return None
    x0, y0, x1, y1 = bounds
    if not (0 <= x0 + x1 < 2 * grid.width and 0 <= y0 + y1 < 2 * grid.height):
        return None
    side = min(max(x1 - x0, y1 - y0, patch_px), grid.width, grid.height)
    left = min(max((x0 + x1 - side) // 2, 0), grid.width - side)
    top = min(max((y0 + y1 - side) // 2, 0), grid.height - side)
    return left, top, left + side, top + side


def _labels_href(item: Document) -> str:
    """Return the address of the GeoJSON of an item: of an asset with role or key ``labels``, else of one of that type.

    Raises:
        ItemError: there is none.
    """
    assets = item.content.get("assets")
    found = []
    for key, asset in (assets if isinstance(assets, dict) else {}).items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str) or not asset["href"]:
            continue
        kind, roles = str(asset.get("type") or "").split(";")[0], asset.get("roles")
        said = key == "labels" or (isinstance(roles, list) and bool(_ROLES & {str(role) for role in roles}))
        if kind in _GEOJSON or (said and kind in ("", "application/json")):
            found.append((not said, asset["href"]))
    if not found:
        if _properties(item.content).get("label:type") == "raster":
            raise ItemError(
                "Its labels are a raster, and only features can be cut out", fix="Give them as GeoJSON, too"
            )
        raise ItemError("The label item has no GeoJSON of labels", fix='Give its asset the role "labels"')
    return absolute_href(min(found, key=lambda each: each[0])[1], item.href)


def _features(collection: Document) -> list[Any]:
    """Return the features.  Raise SourceError if the document is not a GeoJSON of features."""
    kind, features = collection.content.get("type"), collection.content.get("features")
    if kind == "FeatureCollection" and isinstance(features, list):
        return features
    if kind == "Feature":
        return [collection.content]
    raise SourceError("The labels are not GeoJSON features", fix="Correct the asset", href=collection.href)


def _to_lonlat(collection: Document) -> Transformer:
    """Return the way from the coordinates to longitude and latitude.

    They are longitude and latitude already unless the old `crs` member names another CRS.

    Raises:
        SourceError: it names an unknown CRS.
    """
    given = collection.content.get("crs")
    name = "OGC:CRS84" if given is None else _properties(given).get("name") if isinstance(given, dict) else given
    try:
        return Transformer.from_crs(CRS.from_user_input(name), "OGC:CRS84", always_xy=True)
    except CRSError:
        raise SourceError(
            f"The labels have an unknown CRS {str(name)[:80]!r}",
            fix="Give longitude and latitude, or a known CRS",
            href=collection.href,
        ) from None


def _properties(of: Mapping[str, Any]) -> Mapping[str, Any]:
    found = of.get("properties")
    return found if isinstance(found, dict) else {}
