"""Choose the encoder that is wanted, and say what that makes stale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings


def use_encoder(name: str, settings: Settings) -> dict[str, Any]:
    """Make `name` the wanted encoder, once it has shown that it loads; Dagster is told, so that what is stale shows.

    Returns:
        ``encoder`` and ``before``; ``scenes``, and how many of them are ``stale``: not embedded by it; ``next``: what
        to run, or empty; and ``note``: empty, or why something else goes first.

    Raises:
        UnknownEncoderError: there is no such encoder.
        EncoderError: it cannot be loaded; nothing was chosen.
        StoreError: the choice cannot be written.
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
