"""Each watched source as an external asset: when it delivered last, and whether that is as often as it should.

Its sensor reports a materialisation whenever it requests scenes; nothing is computed here.  Scenes do not depend on it:
a new delivery would mark every scene of the source as stale.
See https://docs.dagster.io/guides/observe/asset-freshness-policies
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from imagerag_assets.orchestration.assets.scenes import OWNERS
from imagerag_assets.orchestration.previews import plain
from imagerag_assets.watched_sources.sources import WatchedSource


def source_asset_key(name: str) -> dg.AssetKey:
    """Key of the asset of a watched source."""
    return dg.AssetKey(f"source_{name}")


def source_specs(sources: Sequence[WatchedSource]) -> list[dg.AssetSpec]:
    """One spec a source; with a freshness policy where the entry says how often scenes are expected."""
    return [
        dg.AssetSpec(
            source_asset_key(source.name),
            description=f"Watched: {plain(source.source)}. Materialised when its sensor requests scenes.",
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
