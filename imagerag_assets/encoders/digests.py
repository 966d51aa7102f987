"""sha256 digests of what decides an encoder's vectors."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def digest_of(described: dict[str, Any]) -> str:
    """Return the digest, in hexadecimal, of a JSON value."""
    return hashlib.sha256(json.dumps(described, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def weights_digest(model: torch.nn.Module) -> str:
    """Return the digest, in hexadecimal, of all weights of a model, with their names, types and shapes."""
    import torch

    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
