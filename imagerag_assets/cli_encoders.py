"""What `imagerag encoders` shows and `imagerag encoders use` writes.

The registry itself, and loading, are in `encoders`.
"""

from __future__ import annotations

import os
from typing import Any

from imagerag_assets.encoders.registry import encoder_spec, list_encoders
from imagerag_assets.errors import StoreError
from imagerag_assets.settings import Settings


def describe_encoders(settings: Settings) -> dict[str, Any]:
    """The registry and the active encoder; loads none and downloads nothing.

    Raises:
        SettingsError: the user's registry file is not valid.
    """
    active = settings.active_encoder
    return {
        "active": active,
        "encoders": [
            {
                "name": spec.name,
                "active": spec.name == active,
                "architecture": spec.architecture,
                "checkpoint": spec.checkpoint,
                "parameters": spec.parameters,
                "licence": spec.licence,
                "description": spec.description,
            }
            for spec in list_encoders(settings)
        ],
    }


def use_encoder(name: str, settings: Settings) -> dict[str, Any]:
    """Make `name` the active encoder of this installation; nothing is loaded or downloaded.

    Returns:
        ``encoder`` and ``before``, and ``note``: empty, or why something else goes first.

    Raises:
        UnknownEncoderError: there is no such encoder.
        StoreError: the choice cannot be written.
    """
    encoder_spec(name, settings)
    before = settings.active_encoder
    path = settings.active_encoder_file
    aside = path.with_name(f"{path.name}.{os.getpid()}.aside")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(name + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise StoreError(f"The choice cannot be written to {path}: {error}", fix="Correct IMAGERAG_HOME") from None
    finally:
        aside.unlink(missing_ok=True)
    note = ""
    if settings.encoder and settings.encoder != name:
        note = f"IMAGERAG_ENCODER={settings.encoder} is set and goes first: unset it"
    return {"encoder": name, "before": before, "note": note}
