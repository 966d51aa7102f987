"""The sensor that evaluates automation conditions: which scenes are embedded again when item or encoder changed.

The conditions stand with the assets.  See https://docs.dagster.io/guides/automate/declarative-automation
"""

from __future__ import annotations

import dagster as dg

from imagerag_assets.orchestration.assets import SCENE_ASSETS

EMBED_STALE = dg.AutomationConditionSensorDefinition(
    name="embed_stale",
    target=dg.AssetSelection.assets(*SCENE_ASSETS),
    default_status=dg.DefaultSensorStatus.STOPPED,  # embedding everything anew can take days: a person says when
    description="Embeds and indexes the scenes whose item or encoder changed. Switch it on to have a change of encoder"
    " followed without a command; moving to the new one stays with backfill_embeddings, which then only checks.",
)
