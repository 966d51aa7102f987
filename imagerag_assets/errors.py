"""Every error a person may meet: one base class, one-line subclasses.

A message says what happened, to which scene / item / file, and what to do about it.  `exit_code` is the command line's
(2 bad usage or input, 1 anything else).  Nothing here logs, retries or formats for a terminal.
"""

from __future__ import annotations


class ImageRAGError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What is wrong, in one line, without a full stop.
        fix: What the person can do, in one line; may be empty.
        transient: The same attempt may succeed later, as nothing is wrong with the input: the network, a server that is
            down or overloaded.  Only such errors are worth repeating.
        ids: What it is about, e.g. ``scene="T07HFE"``, ``href="s3://..."``; shown in the message, kept as attributes.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str = "", transient: bool = False, **ids: object) -> None:
        self.message, self.fix, self.ids = _one_line(message), _one_line(fix), ids
        self.transient = transient
        super().__init__(str(self))

    def __str__(self) -> str:
        about = "".join(f" [{key}={_one_line(str(value))}]" for key, value in self.ids.items())
        return f"{self.message}{about}" + (f". {self.fix}" if self.fix else "")

    def to_dict(self) -> dict[str, str]:
        """JSON-able form, as results and records hold it in place of an answer."""
        return {"type": type(self).__name__, "message": self.message, "fix": self.fix}

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.fix, self.transient, self.ids)


def _rebuild(
    cls: type[ImageRAGError], message: str, fix: str, transient: bool, ids: dict[str, object]
) -> ImageRAGError:
    return cls(message, fix=fix, transient=transient, **ids)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class InputError(ImageRAGError):
    """Bad usage or input: exit code 2."""

    exit_code = 2


class SettingsError(InputError):
    """A setting has no valid value."""


class SourceError(InputError):
    """A source (catalog, bucket, API) cannot be reached, read or understood."""


class RepeatedPagesError(SourceError):
    """An API gives pages again that it gave before, and would do so for ever."""


class QuestionError(InputError):
    """A question, choice, area or time range cannot be used."""


class UnknownSceneError(InputError):
    """A scene was named that is not in the store or the source."""


class UnknownEncoderError(InputError):
    """An encoder was named that is not in the registry."""


class UnknownAnswerError(InputError):
    """An answer id was given that has no record."""


class UnknownWatchError(InputError):
    """A standing question was named that there is none of."""


class ItemError(ImageRAGError):
    """One STAC item is not usable: no imagery, bad id, dangling href, duplicate."""


class RasterError(ImageRAGError):
    """One raster cannot be opened or read."""


class EncoderError(ImageRAGError):
    """An encoder cannot be loaded or gave unusable vectors."""


class StoreError(ImageRAGError):
    """Object store, shard or Milvus trouble."""


class LockedError(StoreError):
    """Another process does this work already."""


class GateError(ImageRAGError):
    """A switch of encoders was not let through."""


class FingerprintError(StoreError):
    """Stored and required versions differ."""


class CheckError(ImageRAGError):
    """A scene did not pass a check that what follows depends on."""


class KnowledgeError(InputError):
    """A knowledge source is unusable."""


class ModelError(ImageRAGError):
    """The multimodal LLM cannot be loaded or gave no usable reply."""


def describe(error: BaseException) -> str:
    """An error in one line; one that was not raised on purpose with the name of its class."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ImageRAGError) else f"{type(error).__name__}: {text}".rstrip(": ")
