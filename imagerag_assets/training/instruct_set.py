"""Store cue-instruction examples in a folder, read them back, and turn them into prompts.

``train.jsonl`` and ``validation.jsonl`` hold one example per line, ``pictures/`` their pictures, and ``about.json`` the
rest.  The code that answers questions builds the prompts when they are needed, so a model is trained on what it will
be given.  `instruct_data` makes the examples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from imagerag_assets.answering.findings import findings
from imagerag_assets.answering.types import CueView, Prompt
from imagerag_assets.errors import InputError
from imagerag_assets.json_text import read_json
from imagerag_assets.objects.local_files import read_text

ABOUT, TRAIN, VALIDATION = "about.json", "train.jsonl", "validation.jsonl"
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class ExampleCue:
    """A cue of an example."""

    picture: str
    """Path of the picture in the folder."""
    box: Box
    """(x0, y0, x1, y1) on the 0-1000 scale of the overview, y down."""
    phrase: str
    confidence: float
    shows: bool
    """Whether the cue shows its phrase; for people and figures only, the prompt does not say it."""


@dataclass(frozen=True)
class Example:
    """A question with its evidence and its answer."""

    id: str
    scene: str
    kind: str
    overview: str | None
    """Path of the overview in the folder; None: the prompt has none."""
    cues: tuple[ExampleCue, ...]
    """Most confident first."""
    phrases: tuple[str, ...]
    """What was looked for; empty if nothing was."""
    question: str
    answer: str
    """The letter of the right choice, or words."""
    choices: dict[str, str] = field(default_factory=dict)

    def prompt(self, folder: Path) -> Prompt:
        """Build the prompt that a model is given.

        Raises:
            OSError: a picture cannot be read.
        """
        cues = tuple(CueView(_open(folder / c.picture), c.box, c.phrase, c.confidence) for c in self.cues)
        overview = _open(folder / self.overview) if self.overview else None
        return Prompt(self.question, self.choices, overview, cues, findings(self.phrases, cues, self.choices))

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Example:
        """Read a stored line.

        Raises:
            KeyError, TypeError, ValueError: the record is malformed.
        """
        cues = tuple(ExampleCue(**cue | {"box": _box(cue["box"])}) for cue in row["cues"])
        made = cls(**row | {"cues": cues, "phrases": tuple(row["phrases"])})
        if made.choices and made.answer not in made.choices:
            raise ValueError(f"the answer {made.answer!r} is not among the choices")
        return made


def write_examples(file: Path, examples: Iterable[Example]) -> None:
    """Write one example per line."""
    with file.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        for example in examples:
            stream.write(json.dumps(asdict(example), ensure_ascii=False) + "\n")


def read_examples(folder: Path, name: str) -> list[Example]:
    """Read the examples in one file of a folder.

    Raises:
        InputError: the file cannot be read, is empty, or has a malformed line.
    """
    file = folder / name
    try:
        lines = read_text(file).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The training data cannot be read: {error}", fix="Make it with: imagerag train data LABELS --out DIR"
        ) from None
    examples = []
    for number, line in enumerate(lines, 1):
        try:
            examples.append(Example.from_dict(read_json(line)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"Not a training example: {type(error).__name__}: {error}",
                fix="Make the data again with: imagerag train data",
                file=file,
                line=number,
            ) from None
    if not examples:
        raise InputError("The file has no examples", fix="Make more questions", file=file)
    return examples


def digest_of(folder: Path) -> str:
    """Return 16 hex digits that change with the examples, or with the scenes of their pictures."""
    total = hashlib.sha256()
    for name in (ABOUT, TRAIN, VALIDATION):
        total.update((folder / name).read_bytes())
    return total.hexdigest()[:16]


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _box(value: Any) -> Box:
    x0, y0, x1, y1 = (int(v) for v in value)
    return x0, y0, x1, y1
