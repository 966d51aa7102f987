"""Write the demo's report: one self-contained HTML page with overview, cues, answers and lineage."""

from __future__ import annotations

import base64
import platform as machine
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from imagerag_assets import __version__
from imagerag_assets.errors import StoreError
from imagerag_assets.ingestion.ingest import SceneResult
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.status import status
from imagerag_assets.lineage.trace import trace_tree
from imagerag_assets.objects.aside import remove_left, replace_text
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.questions.answer_records import answer_folder


def write_report(
    out: Path, platform: Platform, scenes: Sequence[SceneResult], answers: Sequence[DemoAnswer], seconds: float
) -> Path:
    """Write `out/index.html` aside, rename it into place, and return its path.

    Raises:
        StoreError: the folder cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("imagerag_assets.demo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known = [a for a in answers if a.right is not None]
    page = environment.get_template("report.html").render(
        version=__version__,
        python=machine.python_version(),
        seconds=seconds,
        scenes=[scene.to_dict() for scene in scenes],
        status=status(platform),
        right=sum(bool(a.right) for a in known),
        known=len(known),
        answers=[_view(platform, answer) for answer in answers],
    )
    target = out / "index.html"
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_left(out)
        replace_text(target, page)
    except OSError as error:
        raise StoreError(
            f"The report cannot be written: {error}", fix="Give another folder with --out", path=out
        ) from None
    return target


def _view(platform: Platform, answer: DemoAnswer) -> dict[str, Any]:
    record = answer.answer
    folder = answer_folder(record.answer_id)
    cues = [
        cue.to_dict() | {"picture": _picture(platform, f"{folder}/evidence/cue-{cue.rank}.jpg")} for cue in record.cues
    ]
    return {
        "kind": answer.kind,
        "expected": answer.expected,
        "right": answer.right,
        "record": record.to_dict(),
        "overview": _picture(platform, f"{folder}/evidence/overview.jpg"),
        "cues": cues,
        "lineage": trace_tree(platform, record.answer_id),
    }


def _picture(platform: Platform, key: str) -> str | None:
    """Return a JPEG of the store as a data URL, or None if it does not exist."""
    if not platform.store.exists(key):
        return None
    return "data:image/jpeg;base64," + base64.b64encode(platform.store.read_bytes(key)).decode()


@dataclass(frozen=True)
class DemoAnswer:
    """One question of the demo with its answer; `expected` is None if no right answer is known."""

    kind: str
    expected: str | None
    answer: AnswerRecord

    @property
    def right(self) -> bool | None:
        """Whether the chosen answer is the expected one; None if no right answer is known."""
        if self.expected is None:
            return None
        return bool(self.answer.choice and self.answer.choices[self.answer.choice] == self.expected)
