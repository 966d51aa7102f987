"""On which device, and in which arithmetic, an encoder runs.

bfloat16 is chosen only if the hardware multiplies it.  Elsewhere it is emulated, which is slower and less exact.
"""

from __future__ import annotations

from typing import Literal

import torch

from imagerag_assets.errors import SettingsError
from imagerag_assets.settings import Settings


def choose_device(settings: Settings) -> torch.device:
    """Return the torch device of IMAGERAG_DEVICE; ``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        SettingsError: the device does not exist here.
    """
    wanted = settings.device
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise SettingsError(
            f"IMAGERAG_DEVICE={wanted!r} is not a torch device", fix="Use auto, cpu, cuda or mps"
        ) from None
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(device.type, False):
        raise SettingsError(f"IMAGERAG_DEVICE={wanted!r} is not on this machine", fix="Use auto or cpu")
    return device


def use_bfloat16(
    device: torch.device, setting: Literal["auto", "float32", "bfloat16"], spec: Literal["auto", "float32", "bfloat16"]
) -> bool:
    """Return whether to run under bfloat16 autocast.  The encoder's entry takes precedence over the setting."""
    choice = setting if spec == "auto" else spec
    if choice != "auto":
        return choice == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and multiplies_bfloat16()


def multiplies_bfloat16() -> bool:
    """Return whether the processor has instructions that multiply bfloat16."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
