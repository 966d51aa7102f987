"""Run the demo: draw scenes, ingest them through Dagster, build the knowledge bases, ask questions, write a report.

The code is the same as for real scenes; only the choice of questions belongs here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagerag_assets.demo.report import DemoAnswer, write_report
from imagerag_assets.demo.scenes import generate_demo
from imagerag_assets.errors import StoreError
from imagerag_assets.knowledge.glossary import texts_of
from imagerag_assets.orchestration.build import open_runner
from imagerag_assets.questions.question import Question
from imagerag_assets.settings import Settings
from imagerag_assets.training.question_maker import KINDS

Progress = Callable[[int, int, str], None]
_PER_KIND = 2


def run_demo(settings: Settings, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Run the demo in the installation that `settings` describe.

    Args:
        settings: Settings of the installation, which receives the scenes and answers.
        out: Folder of the report; `index.html` in it is replaced.
        progress: Called with (done, total, what).

    Returns:
        ``{"report", "scenes", "answers", "right", "asked_with_known_answer", "seconds"}``

    Raises:
        ImageRAGError: a step failed.
    """
    started = time.perf_counter()
    catalog = generate_demo(settings.home / "demo", progress=progress)
    with open_runner(settings, progress=progress) as runner:
        scenes = list(runner.ingest_source(str(catalog.catalog)))
        failed = [scene for scene in scenes if scene.status == "failed"]
        if failed:
            raise StoreError(
                f"{len(failed)} of {len(scenes)} demo scenes failed: {failed[0].error}", scene=failed[0].scene
            )
        runner.build_knowledge("labels", str(catalog.knowledge / "labels"))
        runner.build_knowledge("captions", str(catalog.knowledge / "captions.jsonl"))
        asked = choose_questions(catalog.questions)
        answers = []
        for number, (kind, expected, question) in enumerate(asked):
            if progress:
                progress(number, len(asked), f"asking: {question.question}")
            answers.append(DemoAnswer(kind, expected, runner.ask(question)))
        report = write_report(out, runner.platform, scenes, answers, time.perf_counter() - started)
    known = [a for a in answers if a.right is not None]
    return {
        "report": str(report),
        "scenes": [scene.to_dict() for scene in scenes],
        "answers": [
            {
                "kind": a.kind,
                "question": a.answer.question,
                "answer": a.answer.answer,
                "expected": a.expected,
                "right": a.right,
                "path": a.answer.path,
                "answer_id": a.answer.answer_id,
            }
            for a in answers
        ],
        "right": sum(bool(a.right) for a in known),
        "asked_with_known_answer": len(known),
        "seconds": time.perf_counter() - started,
    }


def choose_questions(file: Path) -> list[tuple[str, str | None, Question]]:
    """Choose the demo's questions: some of every kind, one in free words, and one in an analyst's jargon.

    Questions of one kind are about different scenes.

    Returns:
        (kind, expected answer or None, question).
    """
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    chosen: list[tuple[str, str | None, Question]] = []
    for kind in KINDS:
        of_kind = [line for line in lines if line["kind"] == kind]
        scenes = list(dict.fromkeys(line["scene"] for line in of_kind))
        for scene in scenes[:_PER_KIND]:
            line = next(line for line in of_kind if line["scene"] == scene)
            question = Question(line["question"], choices=line["choices"], scenes=(scene,), id=line["id"])
            chosen.append((kind, line["choices"][line["answer"]], question))
    first = next((line for line in lines if line["kind"] == "position"), None)
    if first:
        text = f"Where is the {first['class']}?"
        chosen.append(("free words", None, Question(text, scenes=(first["scene"],), id="free")))
    for line in lines:
        if line["kind"] == "position" and (names := texts_of(line["class"], {})[1:]):
            question = Question(f"Where is the {names[0]}?", scenes=(line["scene"],), id="jargon")
            chosen.append(("jargon, through the knowledge base", None, question))
            break
    return chosen
