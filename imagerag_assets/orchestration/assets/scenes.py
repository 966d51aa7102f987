"""The assets of a scene, from item to collection; each scene is a partition.  And the encoder, which they depend on.

`encoder` is observed, not made.  Its data version is its fingerprint, so that Dagster shows what a change makes stale.
What registering, dividing, embedding and indexing mean belongs to the room `ingestion`.
No `from __future__ import annotations` here: Dagster reads the annotation of `context` as an object.
See https://docs.dagster.io/guides/build/assets
"""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from imagerag_assets.escaping import markdown
from imagerag_assets.installation.platform import Platform
from imagerag_assets.orchestration.names import INDEX_TAG, LATER
from imagerag_assets.orchestration.partitions import SCENES, partition_scene
from imagerag_assets.orchestration.resources import Reporter
from imagerag_assets.orchestration.step_failures import RETRY, failures
from imagerag_assets.patches.recipe import CODE_VERSION as CODE_VERSION

if TYPE_CHECKING:
    from imagerag_assets.ingestion import ingest
    from imagerag_assets.scenes.records import SceneRecord

for _beta in ("multi_observable_source_asset", "Parameter `backfill_policy`"):
    warnings.filterwarnings("ignore", message=f".*{_beta}", category=dg.BetaWarning)

OWNERS = ["team:imagery"]
ENCODER = "encoder"
BACKFILL_TAG = "dagster/backfill"
FOR_SERVING = "for_serving_encoder"
"""Metadata: what was done for the collection that questions still use, or a text that says why nothing was done."""
SHORTAGE = "too_few_valid_pixels"
"""Metadata: what was done about a scene in which no patch has enough valid pixels."""
LAYOUT = "laid_out_in_pixels"
"""Metadata: why a scene's patches were not laid out in metres."""
ENCODER_POOL, MILVUS_POOL = "encoder", "milvus"
ONE_SCENE = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
"""One run a scene: a scene that fails does not fail others.  `backfill_embeddings` loads the encoder only once."""
_changed: Any = (
    dg.AutomationCondition.newly_missing()
    | dg.AutomationCondition.any_deps_updated()
    | dg.AutomationCondition.code_version_changed()
)
FOLLOW_UPSTREAM = (
    _changed.since_last_handled()
    & ~dg.AutomationCondition.any_deps_missing()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("follow_upstream")
"""Requests exactly the partitions whose item, encoder or code changed; `eager()` would miss a change of the code.
Sensors find new items, so `scene` itself has no condition."""


@dg.multi_observable_source_asset(
    specs=[
        dg.AssetSpec(
            ENCODER,
            description="The chosen image-text encoder. Its data version is its fingerprint, followed by the patch"
            " settings where these differ from the defaults. `imagerag encoders use NAME` and changed patch settings"
            " make earlier embeddings stale.",
            group_name="encoders",
            owners=OWNERS,
            kinds={"pytorch"},
            tags={"domain": "model"},
        )
    ],
    name="observe_encoder",
)
def encoder(platform: dg.ResourceParam[Platform]) -> Iterator[dg.ObserveResult]:
    """Observe which encoder is chosen, and its fingerprint."""
    with failures(platform):
        fingerprint = platform.fingerprint
    yield dg.ObserveResult(
        asset_key=ENCODER,
        data_version=dg.DataVersion(encoder_version(fingerprint, platform.recipe.key)),
        metadata={"name": platform.settings.active_encoder, "fingerprint": fingerprint},
    )


@dg.asset(
    partitions_def=SCENES,
    backfill_policy=ONE_SCENE,
    retry_policy=RETRY,
    code_version=CODE_VERSION,
    group_name="scenes",
    owners=OWNERS,
    kinds={"stac", "geotiff"},
    tags={"domain": "imagery"},
    description="A validated STAC item: its raster was opened in place, and its display limits and overview are stored."
    " `imagerag ingest SOURCE`, the job `scan_source` and the sensors of watched sources add scenes.",
)
def scene(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult[Any]:
    """Register the scene that the partition key stands for."""
    from imagerag_assets.ingestion import ingest

    key = context.partition_key
    with failures(platform):
        item = partition_scene(platform, key)
    with failures(platform, scene_key=key, item_href=item.item_href):
        record = ingest.register(platform, item)
    return dg.MaterializeResult(data_version=dg.DataVersion(record.scene.version), metadata=_scene_metadata(record))


@dg.asset(
    partitions_def=SCENES,
    backfill_policy=ONE_SCENE,
    automation_condition=FOLLOW_UPSTREAM,
    retry_policy=RETRY,
    code_version=CODE_VERSION,
    deps=[scene],
    group_name="scenes",
    owners=OWNERS,
    kinds={"geoparquet"},
    tags={"domain": "imagery"},
    description="The patches that the scene is cut into, with the area of each on the ground (GeoParquet).",
)
def patch_table(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult[Any]:
    """Divide the scene into patches, without reading a pixel."""
    from imagerag_assets.ingestion import ingest
    from imagerag_assets.scenes.records import load_record

    key = context.partition_key
    with failures(platform, scene_key=key, item_href=_item_href(platform, key)):
        info = ingest.patch_table(platform, key)
        version = load_record(platform, key).scene.version
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{info.division}:{version}"),
        metadata={
            "dagster/row_count": info.patches,
            "patches_to_embed": info.to_embed,
            "division": info.division,
            "patches_per_level": dg.MetadataValue.json(info.to_dict()["levels"]),
            "table": dg.MetadataValue.path(platform.store.url(info.path)),
            "seconds": round(info.seconds, 3),
        },
    )


@dg.asset(
    partitions_def=SCENES,
    backfill_policy=ONE_SCENE,
    automation_condition=FOLLOW_UPSTREAM,
    retry_policy=RETRY,
    code_version=CODE_VERSION,
    deps=[patch_table, ENCODER],
    group_name="scenes",
    owners=OWNERS,
    kinds={"pytorch", "geoparquet"},
    tags={"domain": "embedding"},
    pool=ENCODER_POOL,
    description="The shard: one vector of the chosen encoder for each patch with enough valid pixels. Shards are the"
    " source of truth; collections are rebuilt from them.",
)
def patch_embeddings(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform], reporter: dg.ResourceParam[Reporter]
) -> dg.MaterializeResult[Any]:
    """Embed the scene's patches, or keep the shard that already exists for this item, division and encoder."""
    from imagerag_assets.ingestion import ingest
    from imagerag_assets.scenes.records import load_record

    key = context.partition_key
    with failures(platform, scene_key=key, item_href=_item_href(platform, key)):
        result = ingest.embed(platform, key, progress=reporter.progress, keep_overviews=True)
        beside = ingest.embed_beside(platform, key, reporter.progress)
        if isinstance(beside, str):
            context.log.warning(beside)
        version = load_record(platform, key).scene.version
        with platform.store.open(result.shard) as file:
            size = file.seek(0, 2)
    metadata: dict[str, Any] = {
        "dagster/row_count": result.patches,
        "encoder": result.encoder,
        "fingerprint": result.fingerprint,
        "division": result.division,
        "seconds": round(result.seconds, 3),
        "kept_existing_shard": result.skipped,
        "shard": dg.MetadataValue.path(platform.store.url(result.shard)),
        "shard_bytes": size,
    }
    if not result.skipped:
        metadata |= {
            "dropped_nodata_patches": result.dropped or 0,
            "supertiles": result.supertiles,
            "supertiles_of_an_earlier_run": result.reused,
            "patches_per_second": round(result.patches / max(result.seconds, 1e-6), 1),
        }
    for name, note in ((SHORTAGE, result.note), (LAYOUT, result.layout)):
        if note:
            metadata[name] = note
            context.log.warning(note)
    metadata |= _beside(beside)
    data_version = dg.DataVersion(embeddings_version(result.fingerprint, result.division, version))
    return dg.MaterializeResult(data_version=data_version, metadata=metadata)


@dg.asset(
    partitions_def=SCENES,
    backfill_policy=ONE_SCENE,
    automation_condition=FOLLOW_UPSTREAM,
    retry_policy=RETRY,
    code_version=CODE_VERSION,
    deps=[patch_embeddings],
    group_name="scenes",
    owners=OWNERS,
    kinds={"milvus"},
    tags={"domain": "index"},
    pool=MILVUS_POOL,
    description="The scene's rows in the Milvus collection of the chosen encoder. Questions use the collection that the"
    " alias `patches` points to.",
)
def patch_collection(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult[Any]:
    """Make the scene's rows in the collection equal to its shard."""
    from imagerag_assets.ingestion import ingest
    from imagerag_assets.scenes.failures import clear_failure
    from imagerag_assets.scenes.records import load_record

    key = context.partition_key
    with failures(platform, scene_key=key, item_href=_item_href(platform, key)):
        # Of a backfill in the UI, the sensor `renew_indexes` renews it, as it does of a source's runs.
        now = context.run.tags.get(INDEX_TAG) != LATER and BACKFILL_TAG not in context.run.tags
        result = ingest.index(platform, key, build_index=now)
        beside = ingest.index_beside(platform, key, build_index=now)
        version = load_record(platform, key).scene.version
        clear_failure(platform, key, _item_href(platform, key))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{result.collection}:{version}"),
        metadata={
            "dagster/row_count": result.rows,
            "collection": result.collection,
            "alias": result.alias or "none",
            "seconds": round(result.seconds, 3),
            "rows_were_there": result.skipped,
            "removed_outdated_shards": result.removed_shards,
            **_beside(beside),
        },
    )


def encoder_version(fingerprint: str, recipe_key: str) -> str:
    """Return the data version of an encoder with a recipe; the first recipe is not named.

    What depends on the encoder becomes stale when the settings of patches change, too.
    """
    from imagerag_assets.patches.recipe import Recipe

    return fingerprint if recipe_key == Recipe().key else f"{fingerprint}:{recipe_key}"


def embeddings_version(fingerprint: str, recipe_key: str, scene_version: str) -> str:
    """Return the data version of a scene's embeddings."""
    return f"{encoder_version(fingerprint, recipe_key)}:{scene_version}"


def _beside(result: "ingest.EmbedResult | ingest.IndexResult | str | None") -> dict[str, Any]:
    """Return what was done for the encoder that questions still use, or why it was not."""
    if result is None:
        return {}
    return {FOR_SERVING: result if isinstance(result, str) else dg.MetadataValue.json(result.to_dict())}


def _item_href(platform: Platform, scene_key: str) -> str | None:
    from imagerag_assets.scenes.records import load_record

    with failures(platform, scene_key=scene_key):
        return load_record(platform, scene_key).scene.item_href


def _scene_metadata(record: "SceneRecord") -> dict[str, Any]:
    from imagerag_assets.orchestration.answer_pages import scene_picture

    item, grid = record.scene, record.grid
    name = grid.crs_wkt.split('"')[1] if grid.crs_wkt and '"' in grid.crs_wkt else "none"
    bands = ", ".join(f"{band.name or band.common_name or band.asset_key}#{band.index}" for band in item.imagery.bands)
    metadata: dict[str, Any] = {
        "preview": dg.MetadataValue.md(scene_picture(item.scene_key)),
        "width_px": grid.width,
        "height_px": grid.height,
        "bands": bands,
        "modality": record.render.modality,
        "crs": name,
        "overviews_in_file": grid.has_overviews,
        "acquired": "/".join(
            moment.isoformat() for moment in (item.acquired_at, item.acquired_until) if moment is not None
        )
        or "unknown",
        "etag": item.version,
        "item": item.item_href or "inline",
        "imagery": dg.MetadataValue.md("\n".join(f"- {markdown(href)}" for href in item.imagery.hrefs)),
    }
    if item.cloud_cover is not None:
        metadata["cloud_cover_percent"] = float(item.cloud_cover)
    if record.notes:
        metadata["notes"] = dg.MetadataValue.md("\n".join(f"- {markdown(note)}" for note in record.notes))
    return metadata
