"""Names of the divisions, for code that only has to know which there are.  What they cut is in `divisions`."""

import re
from typing import Literal, get_args

PaperDivision = Literal["vit", "cc", "grid"]
"""A division of the ImageRAG paper."""
PAPER: tuple[str, ...] = get_args(PaperDivision)
PAPER_DEFAULT: PaperDivision = "cc"
"""The one used where a question names none: the best of the three on mosaics of chips."""


def in_pixels(division_key: str) -> str:
    """Return the key of the division that cuts as this one does where both start at the same level.

    That is the key without its tags of metres, which `recipe.Recipe.division_key` adds.
    """
    return re.sub(r"-m[^-]+(-n\d+)?$", "", division_key)
