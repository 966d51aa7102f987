"""Choose the encoder to embed with, and find out which scenes that makes stale.

Embedding with it, and switching questions over to it, belong to the room `encoder_switch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings


def use_encoder(name: str, settings: Settings) -> dict[str, Any]:
    """Load the encoder `name`, choose it, and report its fingerprint to Dagster, which then shows what is stale.

    Returns:
        ``encoder`` and ``before``: the chosen encoder and the one before it.  ``scenes`` and ``stale``: the number of
        scenes, and of those not embedded with it.  ``next``: the command to run, or empty.  ``note``: empty, or which
        setting overrides the choice.

    Raises:
        UnknownEncoderError: The registry has no such encoder.
        EncoderError: It cannot be loaded; nothing was chosen.
        StoreError: The choice cannot be written.
    """
    from imagerag_assets.encoders.registry import choose_encoder, load_encoder
    from imagerag_assets.installation.status import stale_scenes
    from imagerag_assets.orchestration.build import open_runner
    from imagerag_assets.scenes.records import list_records

    fingerprint = load_encoder(name, settings).fingerprint
    before = settings.active_encoder
    choose_encoder(name, settings)
    with open_runner(settings) as runner:
        runner.observe_encoder()
        scenes = list_records(runner.platform)
        stale = stale_scenes(runner.platform, scenes, fingerprint, [])
    overridden = settings.encoder is not None and settings.encoder != name
    return {
        "encoder": name,
        "before": before,
        "scenes": len(scenes),
        "stale": len(stale),
        "next": "imagerag backfill" if scenes else "",
        "note": f"IMAGERAG_ENCODER={settings.encoder} is set and goes first: unset it" if overridden else "",
    }
