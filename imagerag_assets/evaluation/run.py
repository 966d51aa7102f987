"""Run questions: ask each one, keep every answer at once, and continue a killed run where it stopped.

A run is a folder.  `run.json` says what was asked and how; `answers.jsonl` has one answer per question (while the run
is unfinished, they are in `.answers.part`).  `metrics` computes the figures, and `report` writes them for people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from imagerag_assets import __version__
from imagerag_assets.errors import FingerprintError, ImageRAGError, InputError
from imagerag_assets.evaluation.cases import Case, Judged, judge
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving, target_of
from imagerag_assets.objects.aside import remove_left, replace_text
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.questions.evidence import Viewer
from imagerag_assets.questions.provenance import DECIDING_SETTINGS
from imagerag_assets.scenes.failures import list_failures
from imagerag_assets.scenes.records import find_record

Progress = Callable[[int, int, str], None]
Answer = dict[str, Any]

ABOUT, ANSWERS = "run.json", "answers.jsonl"
OPTIONS = ("mode", "retrieval", "division", "path", "top_k", "answer")
"""Fields of `questions.question.Question` that a run sets for all its questions."""
_SETTINGS = (*DECIDING_SETTINGS, "division", "overview_px")
"""Settings that the answers of a run depend on, including the division and overviews of its scenes."""
_PART = ".answers.part"


@dataclass(frozen=True)
class Run:
    """A finished run."""

    about: Mapping[str, Any]
    """What was asked and how: ``options``, ``settings``, ``encoder``, ``fingerprint``, and ``missing``, the scenes
    that are not ingested, with the pictures that a benchmark names for them."""
    judged: Mapping[str, Judged]
    """Judged answers by question id, in the order of the file."""

    @property
    def failed(self) -> int:
        """Number of questions that could not be answered; they count as misses."""
        return sum(each.failed for each in self.judged.values())


def run_cases(
    platform: Platform,
    cases: Sequence[Case],
    folder: Path,
    *,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Ask the questions about ingested scenes, except those that `folder` already has answers to.

    Args:
        platform: The installation.
        cases: Questions with their truth.
        folder: Folder of the run; created if missing.
        options: Values for some of `OPTIONS`.
        progress: Called with the questions done, the number of questions, and the question.

    Raises:
        InputError: the folder holds another run or cannot be written, or no question can be asked because of missing
            scenes.
        QuestionError: an option is not valid.
        FingerprintError: the collection belongs to another encoder.
    """
    chosen = _checked(options or {})
    missing = missing_scenes(platform, cases)
    asked = [case for case in cases if not missing.keys() & set(case.scenes)]
    if not asked:
        names = ", ".join(list(missing.values())[:3])
        raise InputError(
            f"None of {len(cases)} questions can be asked: {len(missing)} scenes are not ingested ({names})",
            fix="Ingest them; for a benchmark, give the folder of its pictures with --images",
        )
    about = {
        "questions": _digest(asked),
        "asked": len(asked),
        "missing": missing,
        "options": chosen,
        "settings": {name: getattr(platform.settings, name) for name in _SETTINGS},
        **_encoder(platform),
        "version": __version__,
    }
    try:
        _claim(folder, about)
        done = _read_answers(folder)
        with Viewer(platform) as viewer, _reopened(folder / _PART, done.values()) as part:
            for number, case in enumerate(asked, start=1):
                if case.id not in done:
                    done[case.id] = _ask(platform, case, chosen, viewer)
                    _append(part, done[case.id])
                if progress:
                    progress(number, len(asked), case.question[:60])
        replace_text(folder / ANSWERS, "".join(_line(done[case.id]) for case in asked))
        (folder / _PART).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"The run cannot be written: {error}", fix="Give another folder with --out") from None
    return Run(about, _judged(asked, done, chosen))


def load_run(folder: Path, cases: Sequence[Case]) -> Run:
    """Load a finished run and judge it by these cases; answers to other questions are left out.

    Raises:
        InputError: the folder has no finished run.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        done = _parse((folder / ANSWERS).read_text(encoding="utf-8"))
        options = about["options"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "The folder has no finished run", fix="Give the --out folder of an evaluation", folder=folder
        ) from None
    return Run(about, _judged([case for case in cases if case.id in done], done, options))


def missing_scenes(platform: Platform, cases: Iterable[Case]) -> dict[str, str]:
    """Return the scenes of cases that are not ingested.

    Each has the picture that a benchmark names, or else its key, and the reason if its ingest failed.
    """
    named = {
        scene: str(image or scene)
        for case in cases
        for scene, image in zip(case.scenes, case.images or [None] * len(case.scenes), strict=True)
    }
    missing = {scene: name for scene, name in named.items() if find_record(platform, scene) is None}
    reasons = {failure.scene: failure.error for failure in list_failures(platform)} if missing else {}
    return {scene: f"{name}: {reasons[scene]}" if scene in reasons else name for scene, name in missing.items()}


def _encoder(platform: Platform) -> dict[str, str]:
    """Return the name and fingerprint of the encoder that answers questions; a switch of encoders changes it last."""
    serving = find_serving(platform)
    target = target_of(platform) if serving is None else serving.target
    return {"encoder": target.encoder, "fingerprint": target.fingerprint}


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a run.  Raises QuestionError if one is not valid."""
    mode = options.get("mode", "imagerag")
    plain = Question("?", **{**options, "mode": "imagerag" if mode == "oracle" else mode})  # oracle needs a region
    return {name: getattr(plain, name) for name in OPTIONS} | {"mode": mode}


def _ask(platform: Platform, case: Case, options: Mapping[str, Any], viewer: Viewer) -> Answer:
    changes: dict[str, Any] = {}
    if options["mode"] == "oracle":
        # A question about the whole scene has no known region to show.
        changes = {"roi": case.roi, "scenes": case.scenes[:1]} if case.roi is not None else {"mode": "global"}
    try:
        question = Question(
            **{
                "question": case.question,
                "choices": case.choices,
                "scenes": case.scenes,
                "id": case.id,
                **options,
                **case.options,
                **changes,
            }
        )
        # The run records failed questions and asks them again, so the store need not keep them.
        return ask(platform, question, viewer=viewer, keep_failed=False).to_dict()
    except FingerprintError:
        raise  # no question can be answered
    except ImageRAGError as error:
        return {"id": case.id, "error": error.to_dict()}


def _judged(cases: Iterable[Case], answers: Mapping[str, Answer], options: Mapping[str, Any]) -> dict[str, Judged]:
    return {case.id: judge(case, answers[case.id], answered=bool(options["answer"])) for case in cases}


def _digest(cases: Sequence[Case]) -> str:
    # A case without these keeps the digest that it had before they existed.
    added = ("options", "truth", "several")
    rows = [{name: value for name, value in asdict(case).items() if name not in added or value} for case in cases]
    text = json.dumps(rows, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _claim(folder: Path, about: dict[str, Any]) -> None:
    """Claim the folder for this run.  Raises InputError if it belongs to another run."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_left(folder)
    file = folder / ABOUT
    if not file.exists():
        replace_text(file, json.dumps(about, ensure_ascii=False, indent=1))
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        other = [name for name, value in about.items() if found.get(name) != value]
    except (ValueError, AttributeError):
        other = [ABOUT]
    if other:
        raise InputError(
            f"The folder holds another run with different {', '.join(other)}", fix="Give another folder", folder=folder
        )


def _read_answers(folder: Path) -> dict[str, Answer]:
    """Read the answers of a finished or an unfinished run, except failed ones, which are asked again."""
    done: dict[str, Answer] = {}
    for name in (ANSWERS, _PART):
        if (folder / name).exists():
            done |= _parse((folder / name).read_text(encoding="utf-8"))
    return {id: answer for id, answer in done.items() if "error" not in answer}


def _parse(text: str) -> dict[str, Answer]:
    """Parse answers, by id; skip a last line that a kill cut short."""
    answers = [json.loads(line) for line in text.split("\n")[:-1] if line]
    return {str(answer["id"]): answer for answer in answers}


def _reopened(part: Path, answers: Iterable[Answer]) -> IO[str]:
    replace_text(part, "".join(map(_line, answers)))
    return part.open("a", encoding="utf-8", errors="backslashreplace")


def _append(part: IO[str], answer: Answer) -> None:
    part.write(_line(answer))
    part.flush()


def _line(answer: Answer) -> str:
    return json.dumps(answer, ensure_ascii=False) + "\n"
