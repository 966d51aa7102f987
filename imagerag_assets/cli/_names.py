"""Look at the names that were typed before anything slow is loaded: scenes, answers, encoders, sources.

A wrong one is said with the nearest right one, and no run is recorded for it.  What is looked at here is looked at
again where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from imagerag_assets.errors import SourceError, StoreError

if TYPE_CHECKING:
    from imagerag_assets.objects.store import ObjectStore
    from imagerag_assets.questions.question import Question
    from imagerag_assets.settings import Settings

_PARTS_OF_PATCH_ID = 5


@dataclass(frozen=True)
class Stored:
    """Settings and object store of an installation, without models and Milvus."""

    settings: Settings
    store: ObjectStore

    @classmethod
    def of(cls, settings: Settings) -> Stored:
        """Open the object store."""
        from imagerag_assets.objects.store import open_store

        return cls(settings, open_store(settings))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that was probably meant."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.5)), None)


def check_question(settings: Settings, question: Question) -> None:
    """Look at the scenes, the answer and the example that a question names.

    Raises:
        UnknownSceneError, RemovedSceneError: A scene is not there.
        UnknownAnswerError: The answer that it follows up is not there.
        QuestionError: The picture that it gives as an example cannot be read.
    """
    from imagerag_assets.scenes.records import load_record
    from imagerag_assets.scenes.removed import refuse_removed

    here = Stored.of(settings)
    parts = (question.like or "").split(":")
    is_patch = len(parts) == _PARTS_OF_PATCH_ID
    for scene in [*question.scenes, *(parts[:1] if is_patch else ())]:
        refuse_removed(here, scene)
        load_record(here, scene)
    if question.after is not None:
        from imagerag_assets.questions.answer_records import load_answer

        load_answer(here, question.after)


def check_encoder(settings: Settings, name: str | None = None) -> None:
    """Look whether an encoder is in the registry; default: the chosen one.

    Raises:
        UnknownEncoderError: It is not.
    """
    from imagerag_assets.encoders.registry import encoder_spec

    encoder_spec(name or settings.active_encoder, settings)


def check_source(settings: Settings, source: str) -> None:
    """Look whether a source of this machine is there.

    Raises:
        SourceError: It is not; the message names what lies where it should.
    """
    if not source.strip() or "://" in source or "{" in source:
        return
    path = Path(source.strip()).expanduser()
    if path.exists():
        return
    fix = "Check the path"
    from imagerag_assets.watched_sources.sources import list_sources

    watched = {each.name: each.source for each in list_sources(settings)}
    if source in watched:
        fix = f"To ingest the watched source of that name, give its address: {watched[source]}"
    else:
        try:
            beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        except OSError as error:
            raise StoreError(f"A folder cannot be read ({error.strerror})", path=str(path.parent)) from None
        close = nearest(path.name, beside)
        if close:
            fix = f"Did you mean {path.parent / close}?"
    raise SourceError("Not found", fix=fix, href=str(path.absolute()))
