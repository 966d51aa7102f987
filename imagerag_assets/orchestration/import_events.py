"""Events of an import: a partition for each scene, and materializations that no run made.

The import itself belongs to `exchange.importing`.
See https://docs.dagster.io/guides/build/assets/external-assets
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from imagerag_assets.orchestration._dagster_private import data_version_tags
from imagerag_assets.orchestration.assets.scenes import embeddings_version
from imagerag_assets.orchestration.partitions import add_partition
from imagerag_assets.orchestration.runner import Runner

if TYPE_CHECKING:
    from imagerag_assets.exchange.importing import SceneImport


def import_source(runner: Runner, source: str) -> Iterator[SceneImport]:
    """Import the scenes of an export one by one, and report each to Dagster's asset catalog.

    Args:
        runner: The installation.
        source: Folder or bucket prefix that `imagerag export` wrote.

    Raises:
        ImageRAGError: As `open_export` and `import_scenes` say.
    """
    from imagerag_assets.exchange.importing import import_scenes, open_export

    export = open_export(runner.platform, source)
    product = export.product
    for result in import_scenes(runner.platform, export, progress=runner.progress):
        if result.record is not None:
            scene = result.record.scene
            add_partition(runner.platform, runner.instance, scene)
            if result.status == "imported":
                collection = result.collection or ""
                versions = {
                    "scene": scene.version,
                    "patch_table": f"{product.division}:{scene.version}",
                    "patch_embeddings": embeddings_version(product.fingerprint, product.division, scene.version),
                    "patch_collection": f"{collection}:{scene.version}",
                }
                for asset, version in versions.items():
                    runner.instance.report_runless_asset_event(_made(asset, version, result, export.store.url()))
        yield result


def _made(asset: str, version: str, result: SceneImport, source: str) -> dg.AssetMaterialization:
    metadata: dict[str, dg.MetadataValue] = {"imported_from": dg.MetadataValue.path(source)}
    if asset in ("patch_embeddings", "patch_collection"):
        metadata["dagster/row_count"] = dg.MetadataValue.int(result.patches)
    return dg.AssetMaterialization(
        asset_key=asset,
        partition=result.scene,
        metadata=metadata,
        tags=data_version_tags(version),
        description="Imported: embedded by another installation",
    )
