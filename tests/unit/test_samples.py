"""The samples that tests read: small, each with a source and a licence, the chips as they were published."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

MOST_BYTES = 6_000_000


def test_samples_are_small_and_each_has_a_source(samples: Path) -> None:
    files = [path for path in samples.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES
    told = (samples / "README.md").read_text(encoding="utf-8")
    assert not [path.name for path in samples.iterdir() if path.is_dir() and f"`{path.name}/`" not in told]


def test_chips_are_as_they_were_published(samples: Path) -> None:
    folder = samples / "ucmerced"
    with (folder / "index.csv").open(newline="", encoding="utf-8") as lines:
        rows = {row["file"]: row for row in csv.DictReader(lines)}
    assert rows.keys() == {path.relative_to(folder).as_posix() for path in folder.glob("images_jpg/*/*")}
    assert {row["split"] for row in rows.values()} == {"dev"}
    assert len({row["class"] for row in rows.values()}) == 21
    for name, row in rows.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == row["sha256"]
