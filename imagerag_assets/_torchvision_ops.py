"""Make `import torchvision` possible where its compiled ops cannot be loaded.

A torchvision wheel built for another torch build has no usable compiled ops, and its import then fails at the
registration of their fake kernels.  open_clip, timm and transformers import it only for transforms, which are pure
Python.  When the ops are absent this module declares their schemas, so that the Python parts load; an op that is called
still fails.  Nothing else belongs here.  Import it before anything that imports torchvision.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: torch.library.Library | None = None  # schemas live as long as the library object


def ensure_torchvision_importable() -> bool:
    """Declare the missing op schemas; return True when they had to be declared, False when the real ops load."""
    global _library
    if _library is not None:
        return True
    if find_spec("torchvision") is None or _real_ops_load():
        return False
    _library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        _library.define(schema)
    return True


def _real_ops_load() -> bool:
    """Load torchvision's extension the way its package does, and say whether the ops are there afterwards."""
    spec = find_spec("torchvision")
    assert spec is not None and spec.submodule_search_locations
    from pathlib import Path

    for folder in spec.submodule_search_locations:
        for extension in Path(folder).glob("_C*.*"):
            try:
                torch.ops.load_library(str(extension))
            except OSError:
                continue
    return torch._C._dispatch_has_kernel("torchvision::nms")


ensure_torchvision_importable()
