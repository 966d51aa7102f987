"""Each watched source as an external asset: when it last delivered scenes, and whether it delivers often enough.

Its sensor reports a materialization whenever it requests scenes; nothing is computed here.  Scenes do not depend on it,
because every new delivery would make all scenes of the source stale.
See https://docs.dagster.io/guides/observe/asset-freshness-policies
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from imagerag_assets.escaping import markdown
from imagerag_assets.orchestration.assets.scenes import OWNERS
from imagerag_assets.watched_sources.sources import WatchedSource


def source_asset_key(name: str) -> dg.AssetKey:
    """Return the key of a watched source's asset."""
    return dg.AssetKey(f"source_{name}")


def source_specs(sources: Sequence[WatchedSource]) -> list[dg.AssetSpec]:
    """Return a spec for each source, with a freshness policy if its entry says how often scenes are expected."""
    return [
        dg.AssetSpec(
            source_asset_key(source.name),
            description=f"The watched source {markdown(source.source)}. Materialized when its sensor requests scenes.",
            group_name="sources",
            owners=OWNERS,
            kinds={"stac"},
            tags={"domain": "imagery"},
            metadata={"source": source.source, "collections": ", ".join(source.collections) or "all"},
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=source.fresh_within)
            if source.fresh_within
            else None,
        )
        for source in sources
    ]
