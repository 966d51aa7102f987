"""Knowledge sources: a folder of labelled chips, and a JSONL of captioned images; local or in a bucket.

Only listing, checking and decoding.  Anything that cannot be used is reported and left out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imagerag_assets.errors import KnowledgeError, SourceError, shown
from imagerag_assets.json_text import read_json
from imagerag_assets.knowledge.classes import code_of
from imagerag_assets.knowledge.glossary import MAX_LABEL, MAX_TEXT, Words, parse_glossary, texts_of, tidy
from imagerag_assets.knowledge.types import Entry, Failure
from imagerag_assets.objects import http
from imagerag_assets.objects.addresses import absolute_href, filesystem, is_http, is_s3, join_href
from imagerag_assets.objects.boundary import refusal
from imagerag_assets.objects.bounded import find_objects, read_object
from imagerag_assets.objects.failures import explain_failure
from imagerag_assets.objects.guarded import Reach
from imagerag_assets.objects.signed import requested
from imagerag_assets.settings import Settings
from imagerag_assets.signatures import unsigned

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
LABEL_TEXTS = "labels.json"
"""Optional in a folder of chips: an object from folder name to the label's words (`glossary.parse_glossary`)."""
MAX_NAME = 1000  # characters; far inside what the collections' field holds
_MAX_CAPTIONS = 20  # of one image
_MAX_SIDE = 2048  # px; a larger exemplar is reduced before it is embedded, so that a batch of them fits in memory
_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


@dataclass(frozen=True)
class Source:
    """The usable entries of a knowledge source."""

    entries: tuple[Entry, ...]
    failed: tuple[Failure, ...]


def read_labels(source: str, settings: Settings) -> Source:
    """List a folder with one sub-folder of chips per label.

    The words of a label are the name of its folder, or those that `labels.json` in the folder or the packaged glossary
    gives for it (`glossary.texts_of`).

    Raises:
        KnowledgeError: the folder does not exist, has no labelled pictures, or has an unusable `labels.json`.
    """
    fs, root = filesystem(source, settings)
    try:
        paths = sorted(find_objects(source, settings) if is_s3(source) else fs.find(root))
    except Exception as error:  # fsspec, botocore, aiohttp and the operating system
        raise _unreadable(error, source, settings) from shown(error)
    names = [str(path)[len(root.rstrip("/")) + 1 :] for path in paths]
    own = _label_words(source, settings) if LABEL_TEXTS in names else {}
    known: dict[str, tuple[str, ...]] = {}
    entries, failed = [], []
    for name in names:
        folder, slash, picture = name.rpartition("/")
        if not slash or not picture.lower().endswith(PICTURES) or picture.startswith("."):
            continue
        if folder not in known:
            known[folder] = texts_of(folder, own)
            if _is_code(known[folder]):
                failed.append(
                    Failure(folder, f"its label is a number, and codes have no names: name it in {LABEL_TEXTS}")
                )
        texts = known[folder]
        if _is_code(texts):
            continue
        if not texts or len(name) > MAX_NAME or not name.isprintable():
            failed.append(
                Failure(repr(name)[1:200], f"the label needs 1 to {MAX_LABEL} characters, the path {MAX_NAME}")
            )
            continue
        entries.append(Entry(texts[0], texts, name, join_href(source, name)))
    if not entries:
        raise KnowledgeError(
            f"No labelled pictures found{f' ({failed[0].name}: {failed[0].reason})' if failed else ''}",
            fix=f"Give a folder with one sub-folder a label, with {', '.join(PICTURES[:3])} files in it",
            source=source,
        )
    return Source(tuple(entries), tuple(failed))


def _is_code(texts: tuple[str, ...]) -> bool:
    """Return whether a label is a number, which says nothing in words."""
    return bool(texts) and code_of(texts[0]) is not None


def read_captions(source: str, settings: Settings) -> Source:
    """Read a JSONL with one line ``{"image": ..., "caption": ...}`` or ``{"image": ..., "captions": [...]}`` per image.

    Image paths are relative to the file.

    Raises:
        KnowledgeError: the file cannot be read, or has no usable line.
    """
    entries: dict[str, Entry] = {}
    failed = []
    for number, line in enumerate(read_bytes(source, settings).decode("utf-8", "replace").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            image, captions = _captioned(line)
        except ValueError as error:
            failed.append(Failure(f"line {number}", str(error)))
            continue
        image, address = unsigned(image), absolute_href(image, source)
        if (refused := refusal(address, source, settings)) is not None:
            failed.append(Failure(f"line {number}", f"{refused.why}: {unsigned(address)}. {refused.fix}"))
            continue
        if image in entries:
            captions = tuple(dict.fromkeys((*entries[image].texts, *captions)))[:_MAX_CAPTIONS]
        key = "img-" + hashlib.sha256(image.encode()).hexdigest()[:24]
        entries[image] = Entry(key, captions, image, address)
    if not entries:
        raise KnowledgeError(
            f"No captioned images found{f' ({failed[0].name}: {failed[0].reason})' if failed else ''}",
            fix='Give a JSONL with {"image": "path", "caption": "text"} lines',
            source=source,
        )
    return Source(tuple(entries.values()), tuple(failed))


def read_picture(href: str, settings: Settings) -> NDArray[np.uint8]:
    """Decode a picture: uint8 (h, w, 3), RGB, sides at most 2048 px.

    Raises:
        KnowledgeError: it cannot be read, is no picture, is not 8-bit, or is absurdly large.
    """
    data = read_bytes(href, settings)
    try:
        with Image.open(BytesIO(data)) as picture:
            if picture.mode not in _EIGHT_BIT:
                raise KnowledgeError(
                    f"not an 8-bit picture (mode {picture.mode})", fix="Convert it to 8 bits", href=href
                )
            rgb = picture.convert("RGB")
            factor = -(-max(rgb.size) // _MAX_SIDE)
            return np.asarray(rgb.reduce(factor) if factor > 1 else rgb)
    except UnidentifiedImageError:  # its message holds the address of a buffer
        raise KnowledgeError("not a picture of a known format", fix="Replace or remove it", href=href) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise KnowledgeError(f"not a readable picture ({error})", fix="Replace or remove it", href=href) from None


def _captioned(line: str) -> tuple[str, tuple[str, ...]]:
    try:
        value: Any = read_json(line)
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("image"), str) or not value["image"].strip():
        raise ValueError("no image")
    image = value["image"]
    if len(image) > MAX_NAME or not image.isprintable():
        raise ValueError(f"the image path has control characters or more than {MAX_NAME} characters")
    given = value.get("captions", value.get("caption"))
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise ValueError("no caption")
    captions = tuple(dict.fromkeys(text for text in (tidy(each)[:MAX_TEXT] for each in listed) if text))
    if not captions:
        raise ValueError("the caption is empty")
    return image, captions[:_MAX_CAPTIONS]


def _label_words(source: str, settings: Settings) -> dict[str, Words]:
    href = join_href(source, LABEL_TEXTS)
    try:
        return parse_glossary(read_bytes(href, settings))
    except ValueError as error:
        raise KnowledgeError(
            f"{LABEL_TEXTS} is not an object from folder name to its words: {error}", fix="Correct it", href=href
        ) from None


def read_bytes(href: str, settings: Settings) -> bytes:
    """Read a whole file.  Raise KnowledgeError if it cannot be read."""
    try:
        if is_http(href):
            (found,) = http.read_all(
                [requested(href)],
                at_most=settings.limit_document_bytes,
                seconds=settings.limit_document_s,
                reach=Reach([requested(href)], settings),
            )
            if isinstance(found, Exception):
                raise found
            return found
        return read_object(href, settings)
    except Exception as error:  # fsspec, botocore, aiohttp and the operating system
        raise _unreadable(error, href, settings) from shown(error)


def _unreadable(error: Exception, href: str, settings: Settings) -> KnowledgeError:
    if isinstance(error, SourceError):  # of the boundary
        return KnowledgeError(error.message, fix=error.fix, href=href)
    what, fix = explain_failure(error, href, settings)
    return KnowledgeError(what, fix=fix, href=href)
