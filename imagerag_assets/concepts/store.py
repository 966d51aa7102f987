"""Keep concepts in the object store: every change is a new version beside the earlier ones.

A version is written after the crops that it names, and only if no other process wrote the same number: the change is
then made again on top of that one.  So nothing is half-written and no change is lost.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import ValidationError

from imagerag_assets.concepts.crops import Crop
from imagerag_assets.concepts.types import Concept, ConceptExample, Sign, concept_name, crop_key
from imagerag_assets.errors import ConceptError, StoreError
from imagerag_assets.objects.store import HasStore

CONCEPTS = "concepts"
_TRIES = 8
MAX_EXAMPLES = 64
"""Of a concept: a few decide, and each is compared with every candidate."""


def list_concepts(platform: HasStore) -> list[Concept]:
    """Return the concepts in use, by name.

    Raises:
        StoreError: the store cannot be read, or a record is damaged.
    """
    names = sorted({key.split("/")[1] for key in platform.store.list(CONCEPTS) if key.count("/") >= 2})
    found = (_latest(platform, name) for name in names)
    return [concept for concept in found if concept is not None and not concept.removed]


def load_concept(platform: HasStore, text: str, version: int | None = None) -> Concept:
    """Return a concept as it is in use, or one version of it.

    Args:
        platform: Whose store.
        text: Its name, with or without "my:"; a plural is found, too.
        version: Default: the one in use.

    Raises:
        ConceptError: there is no such concept, or no such version; the message offers the nearest names.
        StoreError: the store cannot be read, or the record is damaged.
    """
    name = concept_name(text)
    latest = _latest(platform, name)
    if latest is None and name.endswith("s"):
        singular = _latest(platform, name[:-1])
        name, latest = (name[:-1], singular) if singular is not None else (name, None)
    if latest is None or (latest.removed and version is None):
        raise _unknown(platform, name, removed=latest is not None)
    if version is None or version == latest.version:
        return latest
    if not 1 <= version < latest.version:
        raise ConceptError(f"my:{name} has no version {version}", fix=f"It has versions 1 to {latest.version}")
    return _read(platform, name, version)


def latest_version(platform: HasStore, name: str) -> int | None:
    """Return the number of a concept's latest version, be it one that says it was removed; None: there is none."""
    numbers = _numbers(platform, name)
    return numbers[-1] if numbers else None


def versions_of(platform: HasStore, name: str) -> list[Concept]:
    """Return all versions of a concept, the first one first; none if there is no such concept.

    Raises:
        StoreError: the store cannot be read, or a record is damaged.
    """
    return [_read(platform, name, number) for number in _numbers(platform, name)]


def add_examples(
    platform: HasStore, text: str, crops: Sequence[tuple[Sign, Crop]], *, word: str | None = None
) -> Concept:
    """Add examples to a concept, which is made if there is none; return its new version.

    What is there already adds nothing: a call that changes nothing returns the version in use.

    Args:
        platform: Whose store.
        text: The concept's name.
        crops: Examples with their signs.
        word: What people call it; None: as it is.

    Raises:
        ConceptError: the name cannot be used, a crop is shown with both signs, none is positive, or they are too many.
        StoreError: the store cannot be read or written.
    """
    name, now = concept_name(text), datetime.now(UTC).isoformat(timespec="seconds")
    added = [crop.example(sign, now) for sign, crop in crops]
    for (_, crop), example in zip(crops, added, strict=True):
        platform.store.write_bytes(crop_key(name, example.id), _png(crop.pixels))

    def with_added(before: Concept | None) -> Concept:
        known = {} if before is None else {each.id: each for each in before.examples}
        for example in added:
            other = known.setdefault(example.id, example)
            if other.sign != example.sign:
                raise ConceptError(
                    f"The same crop is shown as {other.sign} and as {example.sign} for my:{name}",
                    fix=f"Remove one first: imagerag concepts remove {name} --example {example.id}",
                    example=example.id,
                )
        said = word if word is not None else None if before is None else before.word
        return _version(name, before, said or None, tuple(known.values()), now)

    return _changed(platform, name, with_added)


def remove_example(platform: HasStore, text: str, example_id: str) -> Concept:
    """Take an example out of a concept; return its new version.  The crop stays for the earlier ones.

    Raises:
        ConceptError: there is no such concept or example, or it is the only positive one.
        StoreError: the store cannot be read or written.
    """
    name, now = load_concept(platform, text).name, datetime.now(UTC).isoformat(timespec="seconds")

    def without(before: Concept | None) -> Concept:
        left = tuple(each for each in (before.examples if before else ()) if each.id != example_id)
        if before is None or len(left) == len(before.examples):
            ids = ", ".join(each.id for each in before.examples) if before else ""
            raise ConceptError(f"my:{name} has no example {example_id[:40]!r}", fix=f"It has {ids}")
        return _version(name, before, before.word, left, now)

    return _changed(platform, name, without)


def remove_concept(platform: HasStore, text: str) -> Concept:
    """Remove a concept; return the version that says so.  Earlier versions stay, for the answers made with them.

    Raises:
        ConceptError: there is no such concept.
        StoreError: the store cannot be read or written.
    """
    name, now = load_concept(platform, text).name, datetime.now(UTC).isoformat(timespec="seconds")
    return _changed(
        platform,
        name,
        lambda before: Concept(name=name, version=before.version + 1 if before else 1, made_at=now),
    )


def read_crop(platform: HasStore, name: str, example: ConceptExample) -> NDArray[np.uint8]:
    """Return the pixels of an example, uint8 (h, w, 3).

    Raises:
        StoreError: they are not there, or damaged.
    """
    key = crop_key(name, example.id)
    try:
        with Image.open(io.BytesIO(platform.store.read_bytes(key))) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, UnidentifiedImageError) as error:
        raise StoreError(
            f"An example of my:{name} is damaged ({type(error).__name__})",
            fix=f"Remove it: imagerag concepts remove {name} --example {example.id}",
            object=platform.store.url(key),
        ) from None


def _version(
    name: str, before: Concept | None, word: str | None, examples: tuple[ConceptExample, ...], now: str
) -> Concept:
    if not any(each.sign == "positive" for each in examples):
        raise ConceptError(
            f"my:{name} would have no positive example", fix="Show at least one, or remove the whole concept"
        )
    if len(examples) > MAX_EXAMPLES:
        raise ConceptError(
            f"my:{name} would have {len(examples)} examples; at most {MAX_EXAMPLES} are used",
            fix="Remove some with --example",
        )
    number = 1 if before is None else before.version + 1
    made = Concept(name=name, version=number, word=word, made_at=now, examples=examples)
    same = before is not None and not before.removed and before.digest == made.digest
    return before if before is not None and same else made


def _changed(platform: HasStore, name: str, change: Callable[[Concept | None], Concept]) -> Concept:
    """Write the version that `change` makes of the latest one, again if another process was faster."""
    for _ in range(_TRIES):
        before = _latest(platform, name)
        made = change(before)
        if before is not None and made.version == before.version:
            return before
        if platform.store.create_json(_key(name, made.version), made.model_dump(mode="json")):
            return made
    raise StoreError(f"my:{name} is being changed by others all the time", fix="Try again", transient=True)


def _latest(platform: HasStore, name: str) -> Concept | None:
    numbers = _numbers(platform, name)
    return _read(platform, name, numbers[-1]) if numbers else None


def _numbers(platform: HasStore, name: str) -> list[int]:
    stems = (key.rpartition("/")[2] for key in platform.store.list(f"{CONCEPTS}/{name}") if key.count("/") == 2)
    return sorted(int(stem.removesuffix(".json")) for stem in stems if stem.removesuffix(".json").isdecimal())


def _key(name: str, version: int) -> str:
    return f"{CONCEPTS}/{name}/{version:06d}.json"


def _read(platform: HasStore, name: str, version: int) -> Concept:
    key = _key(name, version)
    try:
        return Concept.model_validate(platform.store.read_json(key))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise StoreError(
            f"A version of my:{name} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            fix="Restore it from a backup",
            object=platform.store.url(key),
        ) from None


def _unknown(platform: HasStore, name: str, *, removed: bool) -> ConceptError:
    known = [concept.name for concept in list_concepts(platform)]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        fix = f"Did you mean {' or '.join(f'my:{each}' for each in close)}?"
    elif known:
        more = ", ..." if len(known) > 5 else ""
        fix = f"There are {', '.join(f'my:{each}' for each in known[:5])}{more}"
    else:
        fix = f"Show examples first: imagerag concepts add {name} --answer ID --cue 1"
    what = "The concept was removed" if removed else "There is no such concept"
    return ConceptError(what, fix=fix, concept=f"my:{name}")


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
