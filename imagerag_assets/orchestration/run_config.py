"""What may stand in the configuration of a run, which Dagster stores as it is typed: no secret.

No `from __future__ import annotations` here: Dagster reads the annotations of configurations as objects.
"""

from typing import Any

import dagster as dg

from imagerag_assets.online_layers.address import is_layer
from imagerag_assets.online_layers.secrets import hide_keys
from imagerag_assets.orchestration._dagster_private import refuse_in_config
from imagerag_assets.signatures import without_signatures

_WHY = (
    "The address has a password, a signature or a key in it, and Dagster would store it. Write {env: NAME} in its place"
    " and set that variable to the address where the run works, add it to sources.toml, or use: imagerag ingest"
)


def _why_not(text: str) -> str | None:
    return _WHY if storable(text) != text else None


def storable(value: Any) -> Any:
    """Return a value of a configuration with each address in it without its secrets."""
    if isinstance(value, dict):
        return {name: storable(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(inner) for inner in value]
    if not isinstance(value, str) or "://" not in value:
        return value
    if is_layer(value):
        address, mark, options = value.partition("#")
        return hide_keys(address) + mark + options
    return without_signatures(value)


refuse_in_config(_why_not)


class Config(dg.Config):
    """Base of the configurations of assets and ops; a secret in a text of one is refused before a run is made."""
