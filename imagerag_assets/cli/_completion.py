"""What the shell offers at Tab: scenes, answers, encoders, watched sources and standing questions of the installation.

Whatever goes wrong offers nothing, as a shell is no place for an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from imagerag_assets.cli._names import Stored

Complete = Callable[[str], list[str]]
_OFFERED = 100  # the newest answers, and no more names than a terminal can show


def _completing(names: Callable[[], Iterable[str]]) -> Complete:
    def complete(incomplete: str) -> list[str]:
        try:
            return [name for name in names() if name.startswith(incomplete)][:_OFFERED]
        except Exception:
            return []

    return complete


def _scenes() -> Iterable[str]:
    from imagerag_assets.scenes.records import list_records
    from imagerag_assets.settings import load_settings

    return list_records(Stored.of(load_settings()))


def _answers() -> Iterable[str]:
    from imagerag_assets.questions.answer_records import list_answers
    from imagerag_assets.settings import load_settings

    return reversed(list_answers(Stored.of(load_settings())))


def _encoders() -> Iterable[str]:
    from imagerag_assets.encoders.registry import list_encoders
    from imagerag_assets.settings import load_settings

    return [spec.name for spec in list_encoders(load_settings())]


def _sources() -> Iterable[str]:
    from imagerag_assets.settings import load_settings
    from imagerag_assets.watched_sources.sources import list_sources

    return [each.name for each in list_sources(load_settings())]


def _watches() -> Iterable[str]:
    from imagerag_assets.settings import load_settings
    from imagerag_assets.standing_questions.store import list_watches

    return list_watches(Stored.of(load_settings()))


scenes = _completing(_scenes)
answers = _completing(_answers)
encoders = _completing(_encoders)
sources = _completing(_sources)
watches = _completing(_watches)
