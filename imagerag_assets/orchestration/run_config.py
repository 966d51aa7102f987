"""What may stand in the configuration of a run, which Dagster stores as it is typed: no secret.

No `from __future__ import annotations` here: Dagster reads the annotations of configurations as objects.
"""

import dagster as dg

from imagerag_assets.orchestration._dagster_private import refuse_in_config
from imagerag_assets.orchestration.stored_texts import WHY, storable


def _why_not(text: str) -> str | None:
    return WHY if storable(text) != text else None


refuse_in_config(_why_not)


class Config(dg.Config):
    """Base of the configurations of assets and ops; a secret in a text of one is refused before a run is made."""
