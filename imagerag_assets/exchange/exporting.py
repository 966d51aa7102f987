"""Export embeddings: GeoParquet files with a STAC collection, in a folder or a bucket.

``OUT/collection.json``, ``OUT/model.json``, and for each scene ``OUT/items/{scene_key}/{version16}/`` with its
item, its shard as it is, its patch table, overview and record.  `documents` says what they hold; `importing` reads
them back.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from imagerag_assets.encoders.registry import encoder_spec
from imagerag_assets.errors import ImageRAGError, InputError, SourceError, StoreError, describe
from imagerag_assets.exchange.documents import (
    ExportedFile,
    Product,
    collection_document,
    item_document,
    item_hrefs,
    read_files,
    read_product,
)
from imagerag_assets.ingestion.ingest import shard_key
from imagerag_assets.ingestion.patch_tables import table_key
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.without_secrets import clean_value
from imagerag_assets.objects.addresses import is_http, is_remote
from imagerag_assets.objects.aside import remove_left, reporting_full_disk, temporary_folder
from imagerag_assets.objects.store import ObjectStore, read_all
from imagerag_assets.scenes.records import SceneRecord, list_records, load_record, overview_key, record_key
from imagerag_assets.stores.shards import ShardInfo, ShardKey, verify_shard

COLLECTION, MODEL, ITEMS = "collection.json", "model.json", "items"
_FILES = {
    "embeddings": "embeddings.parquet",
    "patches": "patches.parquet",
    "overview": "overview.jpg",
    "record": "record.json",
}
_ITEM = "item.json"
_TO_COLLECTION = "../../../collection.json"
_CHUNK = 1 << 20
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SceneExport:
    """The result of exporting one scene."""

    scene: str
    status: Literal["exported", "skipped", "failed"]
    """Skipped: the same files were there already."""
    patches: int
    """Vectors; 0 when failed."""
    bytes: int
    """Size of all files of the scene; 0 when failed."""
    seconds: float
    error: str | None = None
    """One line."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class ExportReport:
    """The result of an export."""

    out: str
    collection: str | None
    """Address of the collection; None if no scene could be exported and nothing was changed."""
    encoder: str
    fingerprint: str
    division: str
    scenes: tuple[SceneExport, ...]
    pruned: tuple[str, ...] = ()
    """Folders below `out` of earlier copies that were deleted."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``imagerag export``."""
        names = ("exported", "skipped", "failed")
        totals: dict[str, Any] = {name: sum(each.status == name for each in self.scenes) for name in names}
        totals |= {name: sum(getattr(each, name) for each in self.scenes) for name in ("patches", "bytes")}
        totals["pruned"] = len(self.pruned)
        scenes = [scene.to_dict() for scene in self.scenes]
        return asdict(self) | {"scenes": scenes, "pruned": list(self.pruned), "totals": totals}


def export(
    platform: Platform,
    out: str,
    *,
    scenes: Sequence[str] = (),
    encoder: str | None = None,
    prune: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the embeddings of scenes, as they are now, with a STAC collection.

    The collection holds these scenes and those of earlier exports to the same place.  A scene that fails now keeps its
    earlier copy.  The collection is written last and whole: a killed export leaves the earlier one, or none.

    Args:
        platform: The installation.
        out: A folder or ``s3://`` prefix.
        scenes: Scene keys; default: all registered scenes.
        encoder: Registry name; default: the chosen one.
        prune: Take scenes that are not named out of the collection, and delete their copies and outdated ones.
        progress: Called with the number of scenes done, the number of all, and what is being done.

    Raises:
        InputError: nothing to export, a scene or encoder is unknown, or `out` holds something else.
        StoreError: `out` cannot be written.
    """
    if not out.strip() or is_http(out):
        raise InputError(f"{out!r} cannot be written to", fix="Give a folder or s3://bucket/prefix")
    target = ObjectStore(out, platform.settings)
    records = {key: load_record(platform, key) for key in dict.fromkeys(scenes)}  # report unknown ones first
    keys = list(records) or list_records(platform)
    if not keys:
        raise InputError(
            "There is nothing to export: no scene has been ingested yet", fix="Run: imagerag ingest SOURCE"
        )
    name = encoder or platform.settings.active_encoder
    key = shard_key(platform, records.get(keys[0]) or load_record(platform, keys[0]), encoder=name)
    _check_free(target, key)
    if not is_remote(out):
        remove_left(Path(target.url()), deep=True)
    product: Product | None = None
    results: list[SceneExport] = []
    items: list[tuple[str, dict[str, Any]]] = []
    for number, scene in enumerate(keys):
        started = time.perf_counter()
        if progress:
            progress(number, len(keys), f"exporting {scene}")
        with temporary_folder("export") as scratch:
            try:
                record = records.get(scene) or load_record(platform, scene)
                info = _shard(platform, shard_key(platform, record, encoder=name))
                product = product or _product(platform, name, info)
                item = _prepare(platform, product, record, info, Path(scratch))
            except MemoryError:
                raise
            except Exception as error:  # of one scene
                results.append(SceneExport(scene, "failed", 0, 0, time.perf_counter() - started, describe(error)))
                continue
            changed = _write(target, _folder(info.key), item, Path(scratch))
        items.append((f"./{_folder(info.key)}/{_ITEM}", item))
        size = sum(asset["file:size"] for asset in item["assets"].values())
        status: Literal["exported", "skipped"] = "exported" if changed else "skipped"
        results.append(SceneExport(scene, status, info.rows, size, time.perf_counter() - started))
    pruned: list[str] = []
    if product is not None and items:
        new = {item["id"] for _, item in items}
        kept = {each.scene for each in results if each.status == "failed"} if prune else None
        items += [(href, item) for href, item in _earlier(target, kept) if item["id"] not in new]
        target.write_json(MODEL, _model(platform, product))
        target.write_json(COLLECTION, collection_document(product, sorted(items, key=lambda each: each[1]["id"])))
        if prune:
            pruned = _delete_others(target, {href.removeprefix("./").rpartition("/")[0] for href, _ in items})
    address = target.url(COLLECTION) if items else None
    return ExportReport(target.url(), address, name, key.fingerprint, key.division_key, tuple(results), tuple(pruned))


def _earlier(target: ObjectStore, scenes: set[str] | None) -> list[tuple[str, dict[str, Any]]]:
    """Return href and item of the copies in the collection that is there now; `scenes`: of these only."""
    if not target.exists(COLLECTION):
        return []
    hrefs = [href for href in item_hrefs(target.read_json(COLLECTION)) if href.startswith(f"./{ITEMS}/")]
    wanted = [href for href in hrefs if scenes is None or href.split("/")[2] in scenes]

    def read(href: str) -> dict[str, Any] | None:
        try:
            item = target.read_json(href.removeprefix("./"))
            read_files(item, href)
            return item if item["properties"].keys() >= {"imagerag:source", "datetime"} and item["id"] else None
        except (ImageRAGError, KeyError, AttributeError, TypeError) as error:
            if isinstance(error, StoreError) and error.transient:
                raise
            return None  # damaged: it could not be imported

    found = zip(wanted, read_all(read, wanted), strict=True)
    return [(href, item) for href, item in found if item is not None]


def _check_free(target: ObjectStore, key: ShardKey) -> None:
    """Refuse a place that holds another collection, so that vectors are not mixed and nothing is overwritten."""
    if not target.exists(COLLECTION):
        return
    place = target.url(COLLECTION)
    try:
        there = read_product(target.read_json(COLLECTION), place)
    except (SourceError, AttributeError):
        raise InputError("The folder holds another STAC collection", fix="Give another folder", href=place) from None
    if (there.fingerprint, there.division) != (key.fingerprint, key.division_key):
        raise InputError(
            f"The folder holds embeddings of another encoder or division: stored={there.fingerprint} {there.division}, "
            f"to be written={key.fingerprint} {key.division_key}",
            fix="Give another folder",
            href=place,
        )


def _shard(platform: Platform, key: ShardKey) -> ShardInfo:
    if not platform.store.exists(key.path):
        raise StoreError(
            "The current version of the scene is not embedded by this encoder",
            fix="Run: imagerag ingest",
            scene=key.scene_key,
        )
    return verify_shard(platform.store, key, key.fingerprint)


def _product(platform: Platform, encoder: str, info: ShardInfo) -> Product:
    settings, recipe = platform.settings, platform.recipe
    patch_px = stride_px = None
    if recipe.division_name == "pyramid" and recipe.layout is None:
        patch_px, stride_px = settings.patch_px, max(1, round(settings.patch_px * (1 - settings.patch_overlap)))
    return Product(encoder, info.key.fingerprint, info.dim, recipe.key, patch_px, stride_px)


def _folder(key: ShardKey) -> str:
    return f"{ITEMS}/{key.scene_key}/{Path(key.path).stem}"


def _prepare(
    platform: Platform, product: Product, record: SceneRecord, info: ShardInfo, folder: Path
) -> dict[str, Any]:
    """Copy the files of a scene to a local folder; return the item that describes them."""
    scene = record.scene
    stored = {
        "embeddings": info.key.path,
        "patches": table_key(scene.scene_key, platform.recipe.division_key),
        "overview": overview_key(scene.scene_key),
    }
    if not platform.store.exists(stored["patches"]):  # it can be made again from the imagery
        del stored["patches"]
    files = {asset: copy_out(platform.store, key, folder / _FILES[asset]) for asset, key in stored.items()}
    files["record"] = _record(platform.store, scene.scene_key, folder / _FILES["record"])
    runtime = {
        "division": product.division,
        "bands": [band.name or band.common_name or band.asset_key for band in scene.imagery.bands],
        "modality": record.render.modality,
        "display_limits": [list(pair) for pair in record.render.limits],
    }
    return item_document(product, scene, files, rows=info.rows, runtime=runtime, collection_href=_TO_COLLECTION)


def _write(target: ObjectStore, folder: str, item: dict[str, Any], files: Path) -> bool:
    """Put a scene's files and then its item into place, unless the same item, and so its files, are there."""
    key = f"{folder}/{_ITEM}"
    with suppress(StoreError):
        if target.read_json(key) == item:
            return False
    for path in sorted(files.iterdir()):
        target.put_file(path, f"{folder}/{path.name}")
    target.write_json(key, item)
    return True


def copy_out(store: ObjectStore, key: str, path: Path) -> ExportedFile:
    """Copy an object to a local file; return its size and checksum.

    Raises:
        StoreError: it is missing or cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with store.open(key) as source, reporting_full_disk(path), path.open("wb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += file.write(chunk)
    return ExportedFile(path.name, size, digest.hexdigest())


def _record(store: ObjectStore, scene_key: str, path: Path) -> ExportedFile:
    """Write a record for others: without signatures, which earlier versions stored, and without where it came here."""
    record = clean_value(store.read_json(record_key(scene_key)))
    record["scene"].pop("imported_from", None)
    data = json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True).encode(errors="backslashreplace")
    with reporting_full_disk(path):
        path.write_bytes(data)
    return ExportedFile(path.name, len(data), hashlib.sha256(data).hexdigest())


def _model(platform: Platform, product: Product) -> dict[str, Any]:
    """Return a description of the encoder for people; the fingerprint identifies it."""
    spec = encoder_spec(product.encoder, platform.settings)
    return {
        "name": spec.name,
        "fingerprint": product.fingerprint,
        "dimensions": product.dim,
        "description": spec.description,
        "licence": spec.licence,
        "parameters": spec.parameters,
        "architecture": spec.architecture,
        "templates": list(spec.templates),
    }


def _delete_others(target: ObjectStore, folders: set[str]) -> list[str]:
    """Delete the copies that the collection no longer names, files of our names only; return their folders."""
    ours = {*_FILES.values(), _ITEM}
    deleted: dict[str, None] = {}
    for key in target.list(ITEMS):
        folder, _, name = key.rpartition("/")
        if folder not in folders and folder.count("/") == 2 and name in ours:
            target.delete(key)
            deleted[folder] = None
    return list(deleted)
