"""Nouns for what no picture shows: "my boss", "the deadline", "a report".

They come from the lexicographers' files of WordNet 3.0: a noun is unseen if its first sense is a thought, a message, a
person, a time, ..., and none of its first three senses is an object, a plant, an animal, a substance or the like.
`python -m imagerag_assets.plans.unseen FOLDER` makes the list again from WordNet's `data.noun` and `index.noun`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

_SENSES = 3
_SEEN = frozenset({3, 5, 6, 13, 14, 15, 17, 19, 20, 27})
"""Numbers of lexicographers' files: Tops, animal, artifact, food, group, location, object, phenomenon, plant,
substance."""
_SOLID = frozenset({3, 5, 6, 17, 19, 20, 27})
_NOTICE = """# Nouns for what no picture shows, from WordNet 3.0; made by imagerag_assets/plans/unseen.py.
# WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.
# THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES,
# EXPRESS OR IMPLIED. Permission to use, copy, modify and distribute this software and database and its documentation
# for any purpose and without fee or royalty is granted, provided that this notice appears on all copies.
"""


def is_unseen(noun: str) -> bool:
    """Return whether a noun, in lower case and the singular, names what no picture shows."""
    return noun in _nouns()


@cache
def _nouns() -> frozenset[str]:
    text = resources.files("imagerag_assets.plans").joinpath("unseen.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def _unseen(folder: Path) -> Iterator[str]:
    files: dict[str, int] = {}
    for line in (folder / "data.noun").read_text("latin-1").splitlines():
        if not line.startswith(" "):
            offset, number, _ = line.split(" ", 2)
            files[offset] = int(number)
    for line in (folder / "index.noun").read_text("latin-1").splitlines():
        if line.startswith(" "):
            continue
        word, _, _, pointers, *rest = line.split()
        senses = [files[offset] for offset in rest[int(pointers) + 2 :]]
        if word.isalpha() and senses[0] not in _SEEN and not _SOLID.intersection(senses[:_SENSES]):
            yield word


def main() -> None:
    """Write the list."""
    from imagerag_assets.plans.spelling import frequency

    nouns = sorted(word for word in _unseen(Path(sys.argv[1])) if frequency(word))
    Path(__file__).with_suffix(".txt").write_text(_NOTICE + "\n".join(nouns) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
