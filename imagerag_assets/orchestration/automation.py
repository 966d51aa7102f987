"""The sensor that evaluates automation conditions: it embeds scenes again when their item or the encoder changed.

The conditions themselves are defined with the assets.  See https://docs.dagster.io/guides/automate/declarative-automation
"""

from __future__ import annotations

import dagster as dg

from imagerag_assets.orchestration.assets import SCENE_ASSETS

EMBED_STALE = dg.AutomationConditionSensorDefinition(
    name="embed_stale",
    target=dg.AssetSelection.assets(*SCENE_ASSETS),
    default_status=dg.DefaultSensorStatus.STOPPED,  # embedding everything again can take days: a person decides when
    description="Embeds and indexes the scenes whose item or encoder changed. Turn it on to embed with a newly chosen"
    " encoder automatically. Questions move to that encoder when you run backfill_embeddings, which then only checks.",
)
