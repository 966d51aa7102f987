"""Every error that a person may see: one base class, one-line subclasses.

A message says what happened, to which scene, item or file, and what to do about it.  `exit_code` is what the command
line exits with: 2 after bad usage or input, 1 after anything else.  Nothing here logs, retries or formats.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from imagerag_assets.escaping import one_line
from imagerag_assets.masking import masked


class ImageRAGError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What is wrong, in one line, without a full stop.
        fix: What the person can do, in one line; may be empty.
        transient: The same attempt may succeed later because nothing is wrong with the input: the network failed, or a
            server is down or overloaded.  Only such errors are worth repeating.
        ids: What the error is about, e.g. ``scene="T07HFE"``, ``href="s3://..."``.  The message shows them.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str = "", transient: bool = False, **ids: object) -> None:
        self.message, self.fix = _one_line(message), _one_line(fix)
        self.ids = {name: masked(value) if isinstance(value, str) else value for name, value in ids.items()}
        self.transient = transient
        super().__init__(str(self))

    def __str__(self) -> str:
        about = "".join(f" [{key}={_one_line(str(value))}]" for key, value in self.ids.items())
        return f"{self.message}{about}" + (f". {self.fix}" if self.fix else "")

    def to_dict(self) -> dict[str, str]:
        """Return the form for JSON, which results and records hold in place of an answer."""
        return {"type": type(self).__name__, "message": self.message, "fix": self.fix}

    def to_document(self) -> dict[str, Any]:
        """Return the form that other programs read, of HTTP and `--json`; :func:`from_document` reads it back."""
        about = {"about": {name: str(value) for name, value in self.ids.items()}} if self.ids else {}
        return {**self.to_dict(), **about, "transient": self.transient}

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.fix, self.transient, self.ids)


def _rebuild(
    cls: type[ImageRAGError], message: str, fix: str, transient: bool, ids: dict[str, object]
) -> ImageRAGError:
    return cls(message, fix=fix, transient=transient, **ids)


def _one_line(text: str) -> str:
    return one_line(masked(text))


def from_document(document: Mapping[str, Any]) -> ImageRAGError:
    """Return the error that :meth:`ImageRAGError.to_document` described, of the same class if this version has it."""
    kinds, known = [ImageRAGError], {}
    while kinds:
        kind = kinds.pop()
        known[kind.__name__] = kind
        kinds += kind.__subclasses__()
    made = known.get(str(document.get("type")), ImageRAGError)
    about = {str(name): value for name, value in (document.get("about") or {}).items()}
    return _rebuild(
        made, str(document.get("message")), str(document.get("fix") or ""), bool(document.get("transient")), about
    )


class BusyError(ImageRAGError):
    """A server has as much to do as it takes on at once."""

    def __init__(self, message: str, *, fix: str = "", transient: bool = True, **ids: object) -> None:
        super().__init__(message, fix=fix, transient=transient, **ids)


class InputError(ImageRAGError):
    """Bad usage or input: exit code 2."""

    exit_code = 2


class SettingsError(InputError):
    """A setting has no valid value."""


class SourceError(InputError):
    """A source (catalog, bucket, API) cannot be reached, read or understood."""


class IncompleteListingError(SourceError):
    """A source listed a part of its items only; the items that came before this error are right."""


class QuestionError(InputError):
    """A question, choice, area or time range cannot be used."""


class ConceptError(InputError):
    """A named concept, or an example of one, cannot be used."""


class UnknownSceneError(InputError):
    """A named scene is neither in the store nor in the source."""


class RemovedSceneError(InputError):
    """A scene was removed by a person, and stays so until it is ingested again by name."""


class UnknownEncoderError(InputError):
    """A named encoder is not in the registry."""


class UnknownAnswerError(InputError):
    """A given answer id has no record."""


class UnknownWatchError(InputError):
    """There is no standing question with the given name."""


class ItemError(ImageRAGError):
    """A STAC item cannot be used: it has no imagery, a bad id or a dangling href, or is a duplicate."""


class SameKeyError(ItemError):
    """An item has the collection and id, or the scene key, of another one."""


class RasterError(ImageRAGError):
    """A raster file cannot be opened or read."""


class EmptyRasterError(RasterError):
    """A raster can be read, and none of its pixels holds data."""


class EncoderError(ImageRAGError):
    """An encoder cannot be loaded or returned unusable vectors."""


class WorkersError(ImageRAGError):
    """The workers that make embeddings, or their scheduler, failed."""


class StoreError(ImageRAGError):
    """The object store, a shard or Milvus failed."""


class LockedError(StoreError):
    """Another process is already doing this work."""


class GateError(ImageRAGError):
    """The encoder switch did not pass its checks."""


class FingerprintError(StoreError):
    """Stored and required versions differ."""


class CheckError(ImageRAGError):
    """A scene failed a check on which the next steps depend."""


class DeliveryError(ImageRAGError):
    """A webhook or a mail server did not take a message."""


class KnowledgeError(InputError):
    """A knowledge source cannot be used."""


class ModelError(ImageRAGError):
    """The multimodal LLM cannot be loaded, or its reply cannot be used."""


def causes(error: BaseException) -> list[BaseException]:
    """Return an error and what led to it, the error first."""
    found: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and all(each is not one for one in found):
        found.append(each)
        each = each.__cause__ or each.__context__
    return found


def disk_error(error: BaseException) -> StoreError | None:
    """Return what a full disk, a read-only file system or permissions made some library raise, as one of our errors.

    None: it is nothing of that kind.
    """
    for each in causes(error):
        number = each.errno if isinstance(each, OSError) else None
        path: dict[str, Any] = (
            {"path": each.filename} if isinstance(each, OSError) and isinstance(each.filename, str) else {}
        )
        text = str(each) if type(each).__name__ in _OF_DATABASES else ""
        if number in (errno.ENOSPC, errno.EDQUOT) or any(sign in text for sign in _FULL):
            return StoreError("The disk is full", fix="Free space, then run it again", **path)
        if number == errno.EFBIG:
            fix = "Raise the limit of the size of files (ulimit -f), or use another file system, then run it again"
            return StoreError("The file is larger than files may be here", fix=fix, **path)
        if number == errno.EROFS or any(sign in text for sign in _READ_ONLY):
            fix = "Make it writable, or set IMAGERAG_HOME and IMAGERAG_STORE to where this user may write"
            return StoreError("The file system is read-only", fix=fix, **path)
        if number in (errno.EACCES, errno.EPERM):
            fix = "Make it, or its folder, readable and writable for this user, then run it again"
            return StoreError("This user has no permission for a file or folder", fix=fix, **path)
        if any(sign in text for sign in _CLOSED):
            fix = "Make IMAGERAG_HOME writable for this user, and look whether its disk is full"
            return StoreError("A database cannot be opened, or its folder cannot be written", fix=fix)
    return None


_OF_DATABASES = frozenset({"OperationalError", "DatabaseError"})
_FULL = ("database or disk is full", "disk I/O error")
_CLOSED = ("unable to open database file",)
_READ_ONLY = ("attempt to write a readonly database",)


def describe(error: BaseException) -> str:
    """Return an error in one line; an unexpected one begins with the name of its class."""
    if not isinstance(error, ImageRAGError) and (known := disk_error(error)) is not None:
        error = known
    text = _one_line(str(error))
    return text if isinstance(error, ImageRAGError) else f"{type(error).__name__}: {text}".rstrip(": ")


def error_of_item(error: Exception, *, href: str | None = None) -> ImageRAGError:
    """Return whatever was raised while one item was looked at as that item's error; the others are to follow.

    Raises:
        StoreError, SettingsError, MemoryError: as they are, since they concern every item.
    """
    if isinstance(error, (StoreError, SettingsError, MemoryError)):
        raise error
    if isinstance(error, ImageRAGError):
        return error
    ids: dict[str, Any] = {} if href is None else {"href": href}
    about = ItemError(f"This item cannot be used ({describe(error)[:200]})", fix="Correct the item", **ids)
    about.__cause__ = shown(error)
    return about


class HiddenError(Exception):
    """Stands for an error whose text holds a signature or a key."""


def shown(error: BaseException) -> BaseException:
    """Return an error as the cause of another one: itself, or a copy without the signatures in its text.

    Causes are logged, printed, and stored by Dagster.
    """
    if all(masked(text := str(each)) == text for each in causes(error)):
        return error
    return HiddenError(f"{type(error).__name__}: {_one_line(str(error))}").with_traceback(error.__traceback__)
