"""One installation at work: the stores, the encoder and the models that the settings name, each opened at first use.

Every use case takes a `Platform`.  Only opening, sharing and closing the parts belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from imagerag_assets.encoders.registry import encoder_fingerprint, load_encoder, taught_m
from imagerag_assets.errors import StoreError
from imagerag_assets.objects.store import ObjectStore, open_store
from imagerag_assets.patches.recipe import Recipe

if TYPE_CHECKING:
    from imagerag_assets.encoders.sentence import SentenceEncoder
    from imagerag_assets.encoders.types import Encoder
    from imagerag_assets.scenes.ground import GroundDistances
    from imagerag_assets.settings import Settings
    from imagerag_assets.stores.milvus import VectorStore

T = TypeVar("T")


class Platform:
    """The parts of one installation.  Safe to share between threads; not between processes.

    Constructing it opens, loads and contacts nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: dict[str, Any] = {}
        self._lock = RLock()
        self._owner: Platform | None = None
        self.collection: str | None = None
        """The patch collection that answers questions; None: the one behind the alias."""

    def using(self, encoder: str | None = None, *, collection: str | None = None, **settings: Any) -> Platform:
        """The same installation with `encoder` (a registry name) as its encoder, whatever is chosen meanwhile.

        The stores are this one's, which also closes them.

        Args:
            encoder: Default: as it is.
            collection: Answer questions from this patch collection, also if it is not the one in use.
            settings: Other settings of models and questions; not of where things are.
        """
        changes = settings if encoder is None else settings | {"encoder": encoder}
        pinned = Platform(self.settings.model_copy(update=changes))
        pinned._owner, pinned.collection = self._owner or self, collection
        return pinned

    @property
    def store(self) -> ObjectStore:
        """The object store at `settings.store_url`."""
        return self._once("store", lambda: open_store(self.settings))

    @property
    def ground_distances(self) -> GroundDistances:
        """Metres that a native pixel covers, of each scene."""
        from imagerag_assets.scenes.ground import GroundDistances  # pyproj and rasterio take a while to import

        return self._once("ground_distances", lambda: GroundDistances(self))

    @property
    def vectors(self) -> VectorStore:
        """The Milvus collections at `settings.milvus`.

        Raises:
            StoreError: Milvus cannot be opened or reached.
        """
        return self._once("vectors", self._open_vectors)

    @property
    def has_vectors(self) -> bool:
        """Return whether there is a Milvus to open; opening a missing Lite file would create it."""
        return not self.settings.milvus_is_lite or Path(self.settings.milvus).expanduser().exists()

    @property
    def encoder(self) -> Encoder:
        """The chosen encoder, loaded.

        Raises:
            UnknownEncoderError: no such registry name.
            EncoderError: it cannot be loaded.
        """
        # The registry shares loaded encoders, and `imagerag encoders use` may change which is active.
        return load_encoder(self.settings.active_encoder, self.settings)

    @property
    def fingerprint(self) -> str:
        """The chosen encoder's fingerprint.  An encoder whose fingerprint is known is not loaded.

        Raises:
            As :attr:`encoder`.
        """
        return encoder_fingerprint(self.settings.active_encoder, self.settings)

    @property
    def sentences(self) -> SentenceEncoder:
        """The sentence encoder, loaded when it first encodes."""
        from imagerag_assets.encoders.sentence import sentence_encoder  # torch takes seconds to import

        return sentence_encoder()

    @property
    def recipe(self) -> Recipe:
        """How the settings make the patches of a scene."""
        return Recipe.of(self.settings, taught_m=taught_m(self.settings.active_encoder, self.settings))

    @property
    def mllm(self) -> Any:
        """The multimodal LLM that answers, loaded.

        Raises:
            ModelError: it cannot be loaded.
        """
        from imagerag_assets.answering import load_mllm  # transformers takes seconds to import

        return load_mllm(self.settings)  # loaded once a process

    @property
    def reader(self) -> Any:
        """The language model that reads questions, loaded; None if it is not installed or the settings leave it out.

        Raises:
            ModelError: it cannot be loaded.
        """
        if self.settings.planner == "rules":
            return None
        from imagerag_assets.answering import question_reader  # transformers takes seconds to import

        if not question_reader.is_installed():
            return None
        return question_reader.open_reader(self.settings.mllm_cache_folder)  # loaded once a process

    def renew_indexes(self) -> list[str]:
        """Renew the indexes of the collections that rows were written into through this platform; return their names.

        Raises:
            StoreError: Milvus fails.
        """
        vectors: VectorStore | None = (self._owner or self)._opened.get("vectors")
        return [] if vectors is None else vectors.renew_indexes()

    @contextmanager
    def renewing_indexes_once(self) -> Iterator[None]:
        """Renew the indexes once when the context ends, for all scenes that are indexed in it.

        After an interrupt they stay as they are: questions find the new rows all the same, and the next ingest that
        writes some renews them.

        Raises:
            StoreError: Milvus fails.
        """
        try:
            yield
        except (Exception, GeneratorExit):
            with suppress(StoreError):
                self.renew_indexes()
            raise
        self.renew_indexes()

    def close(self) -> None:
        """Close what was opened.  Encoders stay loaded: they belong to the process."""
        with self._lock:
            opened, self._opened = self._opened, {}
        for part in opened.values():
            if callable(close := getattr(part, "close", None)):
                close()

    def __enter__(self) -> Platform:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _once(self, name: str, make: Callable[[], T]) -> T:
        if self._owner is not None:
            return self._owner._once(name, make)
        with self._lock:
            if name not in self._opened:
                self._opened[name] = make()
            return cast(T, self._opened[name])

    def _open_vectors(self) -> VectorStore:
        from imagerag_assets.stores.milvus import VectorStore  # pymilvus takes a second to import

        return VectorStore(self.settings)


class Deps(Protocol):
    """The parts of an installation that retrieval and knowledge use; `installation.platform.Platform` is one."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> ObjectStore: ...
    @property
    def encoder(self) -> Encoder: ...
    @property
    def vectors(self) -> VectorStore: ...
    @property
    def sentences(self) -> SentenceEncoder: ...
