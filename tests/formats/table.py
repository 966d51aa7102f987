"""The tables of docs/formats.md, from what the tests check.

python -m tests.formats.table            # write the page
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from imagerag_assets.stac.types import Scene
from tests.formats.providers import PROVIDED
from tests.formats.situations import SITUATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
_HEAD = """# Formats and providers

<!-- Made by `python -m tests.formats.table`. Do not edit: change tests/formats/ and run it again. -->

What happens with files and items of many kinds. Each line is a small file or item that the tests make and look at.
In which order file, item and collection count is in [sources.md](sources.md#what-is-used-of-file-item-and-collection).
"""


def shown(scene: Scene) -> str:
    """Return the assets and bands shown as red, green and blue; one asset and band where all are the same."""
    imagery = scene.imagery
    pairs = [(band.asset_key, band.index) for band in imagery.bands]
    if len(set(pairs)) == 1:
        pairs = pairs[:1]
    groups = [(key, [str(index) for _, index in group]) for key, group in groupby(pairs, key=lambda pair: pair[0])]
    return ", ".join(f"{key} {' '.join(indexes)}" for key, indexes in groups)


def page() -> str:
    """Return the text of docs/formats.md."""
    situations = [(each.name, each.happens) for each in SITUATIONS]
    items = [(each.provider, each.name, f"`{each.shown}`") for each in PROVIDED]
    providers = len({each.provider for each in PROVIDED})
    return "\n".join(
        [
            _HEAD,
            "## Formats and situations\n",
            f"{len(SITUATIONS)} kinds of files and what their items say of them.\n",
            *_table(("file", "what happens"), situations),
            "\n## Items of providers\n",
            f"{len(PROVIDED)} items of {providers} providers. "
            "Their layout is that of the provider; pixels and ids are made up. The bands are those shown as red, green "
            "and blue; a file that has fewer than three and that nobody describes is shown grey.\n",
            *_table(("provider", "item", "assets and bands shown"), items),
            "",
        ]
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
