"""An opened installation: what a notebook or a script does with one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from imagerag_assets.concepts.crops import Crop
from imagerag_assets.concepts.store import add_examples
from imagerag_assets.concepts.types import Sign
from imagerag_assets.ingestion.inventory import SceneFilter, list_scenes
from imagerag_assets.ingestion.source import ingest
from imagerag_assets.installation.platform import Platform
from imagerag_assets.python_api.answers import Answer, Cue, Cues
from imagerag_assets.python_api.scene_list import Scene, Scenes
from imagerag_assets.questions.answer_records import load_answer
from imagerag_assets.questions.ask import ask
from imagerag_assets.questions.concept_examples import crop_of_box, crops_of_cues, crops_of_files
from imagerag_assets.questions.question import Question, interval
from imagerag_assets.settings import load_settings

if TYPE_CHECKING:
    from imagerag_assets.ingestion.results import SceneResult

SceneNames = str | Scene | Iterable[str | Scene] | Scenes
"""One scene or several, by key or as `Installation.scenes` lists them."""


def open_installation(home: str | Path | None = None, **settings: Any) -> Installation:
    """Open an installation; nothing is loaded or contacted before it is needed.

    Args:
        home: Folder of its state; default: ``IMAGERAG_HOME``, which is ``.imagerag`` if it is not set.
        settings: Settings by name, such as ``top_k=5`` for ``IMAGERAG_TOP_K``; they win over variables and ``.env``.

    Raises:
        SettingsError: A setting has no valid value; the message names it.
    """
    given = settings if home is None else {"home": Path(home), **settings}
    return Installation(Platform(load_settings(**given)))


class Installation:
    """An installation that is open.  Close it, or use it with ``with``; not for several processes at once.

    Example:
        >>> with ia.open() as installation:
        ...     answer = installation.ask("How many parking lots are there?")
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        """Its parts, for the functions of the rooms below."""

    def ask(
        self,
        question: str,
        *,
        scenes: SceneNames = (),
        choices: Mapping[str, str] | None = None,
        bbox: Sequence[float] | None = None,
        datetime: str | None = None,
        top_k: int | None = None,
        after: Answer | str | None = None,
        **options: Any,
    ) -> Answer:
        """Answer a question and store the answer with its evidence.

        Args:
            question: In plain words.
            scenes: Look only at these scenes.
            choices: Choices by letter, at least two; without them the answer is free text.
            bbox: Look only at this area: west, south, east, north in degrees; west > east across the antimeridian.
            datetime: Look only at scenes acquired in START/END; ``..`` leaves an end open; a single date is that day.
            top_k: Show at most this many cues for a question about one thing.
            after: Follow up on this answer: reuse its phrases, scenes and area.
            options: Any other field of a `Question`, such as ``path="slow"``.

        Raises:
            InputError: The question, a scene or the area cannot be used, or nothing was ingested yet.
            ModelError: The language model failed; the question is kept.
            StoreError: A store failed.
        """
        followed = after.id if isinstance(after, Answer) else after
        given = {"choices": dict(choices or {}), "bbox": None if bbox is None else tuple(bbox), "datetime": datetime,
                 "top_k": top_k, "after": followed}  # fmt: skip
        return self._ask(Question(question, scenes=_keys(scenes), **given, **options))

    def find(
        self,
        what: str,
        *,
        scenes: SceneNames = (),
        bbox: Sequence[float] | None = None,
        datetime: str | None = None,
        top_k: int | None = None,
        **options: Any,
    ) -> Cues:
        """Find where something is to be seen, without an answer in words.

        Args:
            what: A thing, e.g. ``"storage tank"`` or, of a concept, ``"my:pumpjack"``.
            scenes, bbox, datetime, top_k, options: As for :meth:`ask`.

        Returns:
            The places, the best first; empty where nothing passed the threshold.

        Raises:
            InputError, StoreError: As for :meth:`ask`.
        """
        plan = json.dumps([{"op": "where", "thing": what}])
        area = None if bbox is None else tuple(bbox)
        found = Question(
            what, plan=plan, answer=False, scenes=_keys(scenes), bbox=area, datetime=datetime, top_k=top_k, **options
        )
        return self._ask(found).cues

    def find_like(self, example: str | Path, *, scenes: SceneNames = (), top_k: int | None = None) -> Cues:
        """Find what looks like an example.

        Args:
            example: A picture file, or the ``patch_id`` of a cue.
            scenes, top_k: As for :meth:`ask`.

        Raises:
            InputError, StoreError: As for :meth:`ask`.
        """
        return self._ask(Question("", like=str(example), scenes=_keys(scenes), top_k=top_k)).cues

    def teach(
        self,
        name: str,
        *examples: Cue | tuple[str, Sequence[int]] | str | Path,
        good: bool = True,
        word: str | None = None,
    ) -> int:
        """Show examples of a kind of thing, which questions then name as ``my:NAME``.

        Args:
            name: Its name: at most 40 letters a-z, digits, ``-`` and ``_``.
            examples: Each a cue, a scene's key with a window (x0, y0, x1, y1 in native pixels), or a picture file.
            good: Whether they show it, or what it is not (thumbs down).
            word: What people call it; default: its name.

        Returns:
            The concept's version, which grows with each change.

        Raises:
            ConceptError: The name or an example cannot be used.
            UnknownSceneError, RasterError, StoreError: An example's scene cannot be found or read.
        """
        crops: list[Crop] = []
        for each in examples:
            if isinstance(each, Cue):
                crops += crops_of_cues(self.platform, each.answer_id, [each.rank])
            elif isinstance(each, tuple):
                scene, (x0, y0, x1, y1) = each
                crops.append(crop_of_box(self.platform, scene, (x0, y0, x1, y1)))
            else:
                crops += crops_of_files([Path(each)])
        sign: Sign = "positive" if good else "negative"
        return add_examples(self.platform, name, [(sign, crop) for crop in crops], word=word).version

    def ingest(self, source: str | Path, *, limit: int | None = None) -> list[SceneResult]:
        """Ingest a source: a raster, a folder, a STAC catalog, an item, a bucket prefix or an API.

        Scenes that are here already are skipped, and one that fails does not stop the others.  Dagster records nothing
        of this; use ``imagerag ingest`` where the history matters.

        Args:
            source: Its path or address.
            limit: Take at most this many scenes.

        Returns:
            One result a scene, with ``scene``, ``status``, ``patches`` and ``error``.

        Raises:
            SourceError: The source cannot be reached or understood.
            SettingsError, UnknownEncoderError: No scene can be ingested with these settings.
        """
        return list(ingest(self.platform, str(source), limit=limit))

    def scenes(
        self,
        *,
        collections: Sequence[str] = (),
        bbox: Sequence[float] | None = None,
        datetime: str | None = None,
    ) -> Scenes:
        """Return the ingested scenes.

        Args:
            collections: Only those of these STAC collections.
            bbox: Only those that meet this area: west, south, east, north in degrees.
            datetime: Only those acquired in START/END.

        Raises:
            StoreError: The store cannot be read.
        """
        start, end = interval(datetime)
        area = Question("?", bbox=None if bbox is None else tuple(bbox)).bbox
        found = list_scenes(self.platform, SceneFilter(tuple(collections), (), start, end, area))
        return Scenes(Scene(each) for each in found["scenes"])

    def answer(self, answer_id: str) -> Answer:
        """Return an earlier answer.

        Raises:
            UnknownAnswerError: There is none with this id.
            StoreError: It cannot be read.
        """
        return Answer(load_answer(self.platform, answer_id), self.platform)

    def close(self) -> None:
        """Close the stores; loaded models stay with the process."""
        self.platform.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Installation({str(self.platform.settings.home)!r})"

    def _ask(self, question: Question) -> Answer:
        return Answer(ask(self.platform, question), self.platform)


def _keys(scenes: SceneNames) -> tuple[str, ...]:
    named = [scenes] if isinstance(scenes, str | Scene) else scenes
    return tuple(each.key if isinstance(each, Scene) else each for each in named)
