"""Import embeddings that another installation exported: nothing is embedded again, and no imagery is read.

Each file is copied to a temporary folder and checked (size, checksum, content) before anything of its scene is stored;
then the scene is indexed as after an ingest.  `exporting` and `documents` define what an export looks like.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from imagerag_assets.encoders.registry import encoder_fingerprint
from imagerag_assets.errors import FingerprintError, ImageRAGError, SettingsError, SourceError, StoreError, describe
from imagerag_assets.exchange.documents import ExportedFile, Product, item_hrefs, read_files, read_product
from imagerag_assets.exchange.exporting import COLLECTION, copy_out
from imagerag_assets.ingestion.ingest import index, is_current
from imagerag_assets.ingestion.patch_tables import table_key
from imagerag_assets.ingestion.shard_checks import NORM_TOLERANCE
from imagerag_assets.installation.platform import Platform
from imagerag_assets.objects.aside import temporary_folder
from imagerag_assets.objects.store import ObjectStore
from imagerag_assets.scenes.failures import clear_failure
from imagerag_assets.scenes.intervals import note_interval
from imagerag_assets.scenes.records import SceneRecord, overview_key, record_key
from imagerag_assets.scenes.removed import refuse_removed
from imagerag_assets.stac.documents import is_folder
from imagerag_assets.stac.keys import is_scene_key, safe_key
from imagerag_assets.stores.shard_columns import embeddings_of, part_schema
from imagerag_assets.stores.shards import ShardInfo, ShardKey, iter_batches, restamp, shard_info

Progress = Callable[[int, int, str], None]


_TYPES = TypeAdapter(SceneRecord)


@dataclass(frozen=True)
class SceneImport:
    """The result of importing one scene."""

    scene: str
    status: Literal["imported", "skipped", "failed"]
    """Skipped: it was there already."""
    patches: int
    """Rows of the scene that can be searched now; 0 if it failed."""
    seconds: float
    error: str | None = None
    """One line."""
    record: SceneRecord | None = None
    """None if the import failed."""
    collection: str | None = None
    """Collection in which it was indexed; None if it was not."""

    def to_dict(self) -> dict[str, Any]:
        """Return an element of ``scenes`` in the JSON of ``imagerag import``."""
        names = ("scene", "status", "patches", "error")
        return {name: getattr(self, name) for name in names} | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class Export:
    """An export that this installation can import."""

    store: ObjectStore
    product: Product
    items: tuple[str, ...]
    """Object keys."""


def open_export(platform: Platform, source: str) -> Export:
    """Read the collection of an export and check that its vectors can be used here.

    Args:
        platform: The installation.
        source: The folder or prefix that was exported to, or the collection.json in it.

    Raises:
        SourceError: it cannot be read or is not an export.
        FingerprintError: its encoder is not the one chosen here.
        SettingsError: its scenes were cut with other patch settings.
    """
    source = source.strip()
    if source.endswith("/" + COLLECTION) or source == COLLECTION:
        source = source.removesuffix(COLLECTION) or "."
    elif not source or not is_folder(source, platform.settings):
        raise SourceError("Not an imagerag export", fix=f"Name a folder or prefix with a {COLLECTION}", href=source)
    store = ObjectStore(source, platform.settings)
    if not store.exists(COLLECTION):
        raise SourceError(
            "The export is not complete", fix="Name what `imagerag export` wrote, or export again", href=store.url()
        )
    collection = _document(store, COLLECTION)
    product = read_product(collection, store.url(COLLECTION))
    _check_usable(platform, product, store.url(COLLECTION))
    return Export(store, product, tuple(str(PurePosixPath(href)) for href in item_hrefs(collection)))


def import_scenes(platform: Platform, export: Export, *, progress: Progress | None = None) -> Iterator[SceneImport]:
    """Import the scenes of an export one by one; a damaged scene does not stop the others.

    A scene that is here in the exported version is skipped; one in another version is replaced, as by an ingest.

    Args:
        platform: The installation.
        export: From :func:`open_export`.
        progress: Called with the number of scenes done, the number of all, and what is being done.

    Raises:
        UnknownEncoderError, EncoderError, SettingsError: no scene can be imported with these settings.
    """
    collection: str | None = None
    dim = platform.encoder.dim
    for number, key in enumerate(export.items):
        started = time.perf_counter()
        scene = safe_key(PurePosixPath(key).parent.parent.name)
        if progress:
            progress(number, len(export.items), f"importing {scene}")
        try:
            with temporary_folder("import") as scratch:
                result = _import_scene(platform, export, key, Path(scratch), dim)
        except MemoryError:
            raise
        except Exception as error:  # of one scene, whose files come from elsewhere
            yield SceneImport(scene, "failed", 0, time.perf_counter() - started, describe(error))
            continue
        collection = result.collection or collection
        yield result
    if collection is not None:
        platform.vectors.build_index(collection)


def _check_usable(platform: Platform, product: Product, href: str) -> None:
    settings = platform.settings
    required = platform.fingerprint
    if product.fingerprint != required:
        raise FingerprintError(
            f"The embeddings were made by another encoder: stored={product.fingerprint} ({product.encoder}), "
            f"required={required} ({settings.active_encoder})",
            fix=_fix(platform, product),
            href=href,
        )
    if product.division != platform.recipe.key:
        raise SettingsError(
            f"The scenes were cut with different patch settings: stored={product.division}, "
            f"required={platform.recipe.key}",
            fix="Set IMAGERAG_DIVISION, IMAGERAG_PATCH_PX, IMAGERAG_PATCH_OVERLAP and IMAGERAG_PATCH_M to what it was "
            "exported with",
            href=href,
        )


def _fix(platform: Platform, product: Product) -> str:
    with suppress(ImageRAGError):
        if encoder_fingerprint(product.encoder, platform.settings) == product.fingerprint:
            return f"Run: imagerag encoders use {product.encoder}"
    return f"Add that encoder to {platform.settings.registry_file} and use it, or ingest the imagery here"


def _import_scene(platform: Platform, export: Export, key: str, folder: Path, dim: int) -> SceneImport:
    """Check the files of one item, store them and index their rows; the caller rebuilds the index itself.

    Raises:
        ImageRAGError: the item or one of its files is missing or damaged; nothing was stored.
    """
    started = time.perf_counter()
    files = read_files(_document(export.store, key), export.store.url(key))
    local = {asset: _fetch(export.store, key, file, folder) for asset, file in files.items()}
    record = read_record(local["record"], export.store.url(key))
    scratch = ObjectStore(str(folder), platform.settings)
    info = _check_shard(scratch, files["embeddings"].name, record, export.product, dim)
    _check_picture(local["overview"])
    scene_key = record.scene.scene_key
    refuse_removed(platform, scene_key)
    if is_current(platform, record.scene):
        return SceneImport(scene_key, "skipped", info.rows, time.perf_counter() - started, record=record)
    store = platform.store
    restamp(local["embeddings"], restamped := folder / "restamped.parquet")
    store.put_file(restamped, info.key.path)
    if "patches" in local:
        store.put_file(local["patches"], table_key(scene_key, platform.recipe.division_key))
    store.put_file(local["overview"], overview_key(scene_key))
    note_interval(platform, record.scene)
    store.write_json(record_key(scene_key), record.to_dict())
    indexed = index(platform, scene_key, build_index=False)
    clear_failure(platform, scene_key)
    return SceneImport(
        scene=scene_key,
        status="imported",
        patches=indexed.rows,
        seconds=time.perf_counter() - started,
        record=record,
        collection=indexed.collection,
    )


def _document(store: ObjectStore, key: str) -> dict[str, Any]:
    document = store.read_json(key)
    if not isinstance(document, dict):
        raise SourceError("This JSON is not STAC", fix="Export it again", href=store.url(key))
    return document


def _fetch(store: ObjectStore, item_key: str, file: ExportedFile, folder: Path) -> Path:
    """Copy a file of an item to a local file, and check its size and checksum."""
    key = f"{item_key.rpartition('/')[0]}/{file.name}"
    found = copy_out(store, key, folder / file.name)
    if found != file:
        what = f"has {found.size} of {file.size} bytes" if found.size != file.size else "has another checksum"
        raise StoreError(f"A file of the export is damaged: it {what}", fix="Export it again", file=store.url(key))
    return folder / file.name


def read_record(path: Path, origin: str) -> SceneRecord:
    """Return the record of an export, after checking the types of all that it holds.

    Args:
        path: Of the record here.
        origin: Of the document that it was fetched from: what it says of files is trusted as far as that.

    Raises:
        StoreError: it is not a record.
    """
    try:
        record = SceneRecord.from_dict(json.loads(path.read_bytes()))
        _TYPES.validate_python(asdict(record))  # `from_dict` looks at none
        if not is_scene_key(record.scene.scene_key) or min(record.grid.width, record.grid.height) < 1:
            raise ValueError("its key or size is none")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except Exception as error:  # its JSON may hold anything
        said = f"{type(error).__name__}: {error}"
    else:
        return replace(record, scene=replace(record.scene, imported_from=origin))
    raise StoreError(f"The scene's record cannot be read ({said[:200]})", fix="Export it again")


def _check_picture(path: Path) -> None:
    try:
        with Image.open(path) as picture:
            picture.verify()
    except (OSError, SyntaxError) as error:
        raise StoreError(f"The overview is not a picture: {error}", fix="Export it again") from None


def _check_shard(scratch: ObjectStore, name: str, record: SceneRecord, product: Product, dim: int) -> ShardInfo:
    """Return what a shard says about itself, after checking it against the collection and the record."""
    scene = record.scene
    wanted = ShardKey(scene.scene_key, product.division, product.fingerprint, scene.version)
    try:
        info = shard_info(scratch, name)
        problem = _mismatch(info, wanted, dim) or _wrong_rows(scratch, name, scene.scene_key, dim)
    except (StoreError, pa.ArrowException) as error:
        problem = error.message if isinstance(error, StoreError) else str(error)
    if problem:
        raise StoreError(f"The embeddings are not usable: {problem}", fix="Export it again", scene=scene.scene_key)
    return info


def _mismatch(info: ShardInfo, wanted: ShardKey, dim: int) -> str:
    if info.key != wanted:
        return f"they are of {info.key}, not of {wanted}"
    return "" if info.dim == dim else f"a vector has {info.dim} numbers, the encoder gives {dim}"


def _wrong_rows(scratch: ObjectStore, name: str, scene_key: str, dim: int) -> str:
    expected = part_schema(dim)
    for batch in iter_batches(scratch, name):
        if not batch.schema.remove_metadata().equals(expected.append(pa.field("geometry", pa.binary()))):
            return "they have other columns than a shard"
        if not all(each.startswith(f"{scene_key}:") for each in batch.column("patch_id").to_pylist()):
            return "there are patches of another scene"
        lengths = np.linalg.norm(embeddings_of(batch), axis=1)
        if not (np.abs(lengths - 1) <= NORM_TOLERANCE).all():  # false of NaN, too
            return "there are vectors that are not of length 1"
    return ""
