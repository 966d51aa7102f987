"""The kept installations of earlier releases, unpacked where a test wants them.

An installation is an archive of `home` (IMAGERAG_HOME), the sources it was made of, an export of it, and
`documents.json`: what commands that change nothing printed at the time.  How it was made is in the README beside it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
MADE_AT = "/srv/imagerag"
"""Where installations were made."""
_WITH_ADDRESSES = (
    "documents.json",
    "home/sources.toml",
    "home/objects/scenes/*/record.json",
    "home/objects/sources/*.json",
    "home/objects/failures/*.json",
    "home/objects/acquisitions/*/*",
    "home/objects/knowledge/*/current/*.json",
)
"""Files that name a place which has to exist.  Answers, the export and Dagster's history stay as they are."""


@dataclass(frozen=True)
class EarlierInstallation:
    """An unpacked installation."""

    root: Path

    @property
    def home(self) -> Path:
        """Its IMAGERAG_HOME."""
        return self.root / "home"

    @property
    def objects(self) -> Path:
        """Its object store."""
        return self.home / "objects"

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """What commands printed when it was made, by the words of the command."""
        kept = json.loads((self.root / "documents.json").read_text(encoding="utf-8"))
        return {" ".join(each["command"]): each["document"] for each in kept}

    @property
    def answers(self) -> list[dict[str, Any]]:
        """Its answer records, oldest first."""
        paths = sorted((self.objects / "answers").glob("*/answer.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    def answer_to(self, question: str, *, failed: bool = False) -> dict[str, Any]:
        """The first record of a question."""
        found = (each for each in self.answers if each["question"] == question and ("error" in each) is failed)
        return next(found)

    def embeddings(self) -> dict[str, tuple[str, int]]:
        """Every file of embeddings: its path, with its digest and its date in nanoseconds."""
        return {
            path.relative_to(self.objects).as_posix(): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for path in _files(self.objects / "embeddings")
        }


def unpack(name: str, root: Path) -> EarlierInstallation:
    """Unpack an installation into a new folder, with its files' dates, and point it to the sources unpacked beside it.

    Args:
        name: A folder of `tests/data`.
        root: Where to.
    """
    with tarfile.open(DATA / name / "installation.tar.xz") as archive:
        archive.extractall(root, filter="data")
    for pattern in _WITH_ADDRESSES:
        for path in root.glob(pattern):
            _move(path, root)
    return EarlierInstallation(root)


def _move(path: Path, root: Path) -> None:
    about, packed = path.stat(), path.suffix == ".gz"
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    content = content.replace(MADE_AT.encode(), str(root).encode())
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def missing_from(now: Any, then: Any, *, ignoring: frozenset[str], where: str = "") -> list[str]:
    """What a document of then says and the one of now does not, a line each; empty: all of it is still there.

    Args:
        now: A JSON document, which may have more names than `then`, but lists of the same length.
        then: What is looked for in it.
        ignoring: Names whose values are not compared, e.g. texts for people.
        where: The name of the part that is compared.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        gone = [f"{where}.{name}" for name in then if name not in now]
        inner = [
            line
            for name in then
            if name in now and name not in ignoring
            for line in missing_from(now[name], then[name], ignoring=ignoring, where=f"{where}.{name}")
        ]
        return gone + inner
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(now, then, strict=True))
        return [line for i, (a, b) in pairs for line in missing_from(a, b, ignoring=ignoring, where=f"{where}[{i}]")]
    if isinstance(then, float) and isinstance(now, int | float) and abs(now - then) <= 1e-4:
        return []
    return [] if now == then else [f"{where}: was {then!r}, is {now!r}"]
