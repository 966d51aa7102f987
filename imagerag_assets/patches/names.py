"""Names of the divisions, for code that only has to know which there are.  What they cut is in `divisions`."""

from typing import Literal, get_args

PaperDivision = Literal["vit", "cc", "grid"]
"""A division of the ImageRAG paper."""
PAPER: tuple[str, ...] = get_args(PaperDivision)
PAPER_DEFAULT: PaperDivision = "cc"
"""The one used where a question names none: the best of the three on mosaics of chips."""
