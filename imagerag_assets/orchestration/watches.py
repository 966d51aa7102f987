"""Add, ask and remove standing questions, in the store and in Dagster's partitions.

The command line and the job `add_watch` use this.  The asset is in `assets.standing_answers`; what a watch is, and when
it is due, belongs to the room `standing_questions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imagerag_assets.errors import ImageRAGError, describe
from imagerag_assets.orchestration.names import WATCHES_NAME

if TYPE_CHECKING:
    from imagerag_assets.orchestration.runner import Runner
    from imagerag_assets.questions.question import Question


def add_watch(runner: Runner, question: Question, *, name: str = "", ask_now: bool = True) -> dict[str, Any]:
    """Save a standing question, and ask it for the first time if a scene covers it.

    Returns:
        ``watch``; ``answer``, None if it was not asked; and ``note``, which says why.

    Raises:
        InputError: It cannot be a standing question.
        ImageRAGError: It cannot be answered; it is saved nevertheless.
    """
    from imagerag_assets.standing_questions import store as watch_store
    from imagerag_assets.standing_questions.asking import something_to_ask

    watch = watch_store.add_watch(runner.platform, question, name=name)
    runner.instance.add_dynamic_partitions(WATCHES_NAME, [watch.watch_id])
    answer, note = None, ""
    if not ask_now:
        note = "It will be asked when a new acquisition covers it"
    elif not something_to_ask(runner.platform, watch):
        note = "No scene covers it yet; it will be asked when one does"
    else:
        answer = ask_one(runner, watch.watch_id)
    return {"watch": watch.to_dict(), "answer": answer, "note": note}


def ask_one(runner: Runner, watch_id: str) -> dict[str, Any]:
    """Ask one standing question in a run of `ask_standing`; return its newest answer.

    Raises:
        ImageRAGError: It cannot be answered.
    """
    from imagerag_assets.standing_questions import store as watch_store

    if not runner.instance.has_dynamic_partition(WATCHES_NAME, watch_id):
        runner.instance.add_dynamic_partitions(WATCHES_NAME, [watch_id])
    answer_id = runner.ask_standing(watch_id)
    return next(each.to_dict() for each in watch_store.series(runner.platform, watch_id) if each.answer_id == answer_id)


def ask_watches(runner: Runner, watch_ids: Sequence[str] = ()) -> dict[str, Any]:
    """Ask the named standing questions, or those that are due.  One that fails does not stop the others.

    Returns:
        ``asked``: the answers.  ``failed``: ``watch_id`` and ``error`` of each question that failed.

    Raises:
        UnknownWatchError: A named one does not exist; none was asked.
    """
    from imagerag_assets.standing_questions import store as watch_store
    from imagerag_assets.standing_questions.asking import due

    watches = [watch_store.load_watch(runner.platform, watch_id) for watch_id in dict.fromkeys(watch_ids)]
    if not watch_ids:
        watches = [each.watch for each in due(runner.platform)]
    asked: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for number, watch in enumerate(watches):
        if runner.progress:
            runner.progress(number, len(watches), f"asking {watch.watch_id}")
        try:
            asked.append(ask_one(runner, watch.watch_id))
        except ImageRAGError as error:
            failed.append({"watch_id": watch.watch_id, "error": describe(error)})
    return {"asked": asked, "failed": failed}


def remove_watch(runner: Runner, watch_id: str) -> dict[str, Any]:
    """Delete a standing question and its partition; the records of its answers and its events stay.

    Raises:
        UnknownWatchError: There is no such watch.
    """
    from imagerag_assets.standing_questions import store as watch_store

    answers = watch_store.remove_watch(runner.platform, watch_id)
    if runner.instance.has_dynamic_partition(WATCHES_NAME, watch_id):
        runner.instance.delete_dynamic_partition(WATCHES_NAME, watch_id)
    return {"removed": watch_id, "answers": answers}
