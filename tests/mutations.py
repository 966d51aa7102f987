"""Documents and rasters of strangers: real ones with something wrong, the same ones for the same seed.

Each kind of fault is one that a catalog had, or that an attack would have.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

HOSTILE = (
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[32mok\x1b[0m",
    "\x9b31m",
    "a\r\nok: done",
    "\u202egnp.fit",
    "[red]x[/red]",
    "[link=http://x]y[/link]",
    "<script>alert(1)</script>",
    "![x](http://x/y.png)",
    "|a|b|\n|---|---|",
    "=1+1",
    "\ud800",
    "\x00",
    "\u2028",
    "../../etc/passwd",
    "%s %d {0} {x!r}",
    "\ufeff",
    "\U000e0041",
)
_NUMBERS = (
    0,
    -1,
    1,
    2**31,
    -(2**63),
    2**64,
    10**30,
    10**400,
    -(10**400),
    1e308,
    -1e308,
    5e-324,
    0.1,
    -0.0,
    1e999,
    float("nan"),
    float("-inf"),
)
_HREFS = (
    "",
    " ",
    ".",
    "..",
    "/",
    "//",
    "///",
    "#",
    "?",
    "file:",
    "file:///etc/passwd",
    "/vsicurl/http://127.0.0.1:9/x.tif",
    "/vsizip//etc/x.zip/y",
    "<VRTDataset/>",
    "http://",
    "http://[",
    "http://[::1",
    "https://:0/x",
    "http://x:99999/y.tif",
    "http://a b/c.tif",
    "s3://",
    "s3:///x",
    "s3://b",
    "gs://",
    "data:,x",
    "javascript:alert(1)",
    "\\\\host\\share\\x.tif",
    "C:\\x.tif",
    "simplecache::http://127.0.0.1:9/x",
    "%",
    "%zz",
    "%00",
    "a" * 5000,
    "x" * 300 + ".tif",
    "\u0000.tif",
    "./\ud800.tif",
    "~",
    "~root/x.tif",
    "memory://x.tif",
    "local://x.tif",
    "*",
    "[a-z].tif",
    "x.tif?a=%\n",
    "::",
    "http:x.tif",
)

Path = tuple[str | int, ...]


def mutated_item(content: dict[str, Any], rng: random.Random) -> str:
    """Return an item as JSON text, with one to three faults; its id stays, unless that is the fault."""
    changed = deepcopy(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        if not places:
            break
        _FAULTS[rng.randrange(len(_FAULTS))](changed, places, rng)
    text = json.dumps(changed, default=str)
    return _twice(text, rng) if rng.random() < 0.05 else text


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes of a file with its head, some of its tags or its end changed."""
    kind = rng.randrange(6)
    changed = bytearray(data)
    if kind == 0:  # truncated
        return data[: rng.choice((0, 1, 4, 8, 16, rng.randrange(len(data)), len(data) - 1))]
    if kind == 1:  # bits of the head
        for _ in range(rng.choice((1, 2, 8))):
            changed[rng.randrange(min(512, len(changed)))] ^= 1 << rng.randrange(8)
    elif kind == 2:  # a number of the head
        size = rng.choice((2, 4, 8))
        at = rng.randrange(4, max(5, min(1024, len(changed) - 8)))
        value = rng.choice((0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1)) % 256**size
        changed[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
    elif kind == 3:  # bits anywhere
        for _ in range(rng.choice((1, 16, 256))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == 4:  # a piece lost, or twice
        start = rng.randrange(len(changed))
        length = rng.randrange(1, 200)
        changed[start : start + length] = changed[start : start + length] * rng.choice((0, 2))
    else:  # a piece of nothing
        start = rng.randrange(len(changed))
        changed[start : start + 400] = bytes(rng.choice((0, 255)) for _ in range(1)) * len(changed[start : start + 400])
    return bytes(changed)


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    if len(path) > 8:
        return
    if path and path != ("id",):
        yield path
    pairs: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value[:4]))
    for key, each in pairs:
        yield from _places(each, (*path, key))


def _parent(content: Any, path: Path) -> Any:
    for key in path[:-1]:
        content = content[key]
    return content


def _pick(places: Sequence[Path], rng: random.Random) -> Path:
    """Return a place; those near the top, which more depends on, come more often."""
    depth = rng.randint(1, 6)
    return rng.choice([place for place in places if len(place) <= depth] or places)


def _set(value: Callable[[random.Random, Any], Any]) -> Callable[[Any, Sequence[Path], random.Random], None]:
    def change(content: Any, places: Sequence[Path], rng: random.Random) -> None:
        path = _pick(places, rng)
        parent = _parent(content, path)
        parent[path[-1]] = value(rng, parent[path[-1]])

    return change


def _remove(content: Any, places: Sequence[Path], rng: random.Random) -> None:
    path = _pick(places, rng)
    del _parent(content, path)[path[-1]]


def _rename(content: Any, places: Sequence[Path], rng: random.Random) -> None:
    path = _pick(places, rng)
    parent = _parent(content, path)
    if isinstance(parent, dict):
        parent[rng.choice((*HOSTILE, "", "x" * 3000))] = parent.pop(path[-1])


def _wrong_href(content: Any, places: Sequence[Path], rng: random.Random) -> None:
    hrefs = [place for place in places if place[-1] == "href"]
    if hrefs:
        path = rng.choice(hrefs)
        _parent(content, path)["href"] = rng.choice((*_HREFS, *_HREFS, *HOSTILE))


def _wrong_id(content: Any, places: Sequence[Path], rng: random.Random) -> None:
    content["id"] = rng.choice((*HOSTILE, "", None, 7, [], {}, True, "x" * 10_000, "." * 300, ["a"], 1e999))


def _wrong_time(content: Any, places: Sequence[Path], rng: random.Random) -> None:
    values = (
        "",
        "..",
        "now",
        0,
        -1,
        1e999,
        [],
        {},
        "0000-00-00",
        "9999-12-31T23:59:60Z",
        "-2024-01-01T00:00:00Z",
        "2024-13-45T99:99:99Z",
        "2024-01-01T00:00:00+99:99",
        "0001-01-01T00:00:00+14:00",
        None,
        HOSTILE[0],
    )
    properties = content.get("properties")
    if isinstance(properties, dict):
        properties[rng.choice(("datetime", "start_datetime", "end_datetime", "updated", "created"))] = rng.choice(
            values
        )


def _wrong_place(content: Any, places: Sequence[Path], rng: random.Random) -> None:
    number = rng.choice(_NUMBERS)
    content[rng.choice(("bbox", "geometry"))] = rng.choice(
        (
            [number] * 4,
            [number] * 6,
            [[number]],
            ["a", "b", "c", "d"],
            [None] * 4,
            {"type": "Polygon"},
            "0,0,1,1",
            {"type": "Polygon", "coordinates": [[[number, number]] * 5]},
            {"type": "Point", "coordinates": number},
            {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": number}]},
            {"type": ["Polygon"], "coordinates": {}},
            _nested(rng.choice((5, 60, 400))),
            {"type": "Polygon", "coordinates": _nested(90)},
        )
    )


def _wrong_grid(content: Any, places: Sequence[Path], rng: random.Random) -> None:
    name = rng.choice(
        (
            "proj:epsg",
            "proj:code",
            "proj:wkt2",
            "proj:projjson",
            "proj:shape",
            "proj:transform",
            "proj:bbox",
            "nodata",
            "scale",
            "raster:bands",
            "bands",
            "eo:bands",
            "gsd",
            "roles",
            "type",
            "eo:cloud_cover",
            "alternate",
            "storage:schemes",
            "storage:refs",
            "storage:requester_pays",
            "sar:polarizations",
            "classification:classes",
            "created",
            "platform",
            "instruments",
        )
    )
    value = rng.choice(
        (
            rng.choice(_NUMBERS),
            rng.choice(HOSTILE),
            [],
            {},
            [None],
            [{}],
            [[]],
            [rng.choice(_NUMBERS)] * 6,
            True,
            "x" * 5000,
            [{"name": rng.choice(HOSTILE), "common_name": ["red"], "nodata": {}, "center_wavelength": "x"}] * 3,
            {"a": {"href": rng.choice(_HREFS)}},
            [rng.choice(_NUMBERS)] * 2,
            "EPSG:999999",
            "EPSG:0",
            _nested(50),
        )
    )
    assets = content.get("assets")
    some = [each for each in assets.values() if isinstance(each, dict)] if isinstance(assets, dict) else []
    target = rng.choice([*some, content.get("properties"), content.get("properties")])
    if isinstance(target, dict):
        target[name] = value


def _nested(depth: int) -> Any:
    value: Any = [0, 0]
    for _ in range(depth):
        value = [value]
    return value


def _other_type(rng: random.Random, value: Any) -> Any:
    swapped = {
        dict: [value],
        list: {str(n): each for n, each in enumerate(value)} if isinstance(value, list) else {},
        str: [*value[:50]] if isinstance(value, str) else value,
        int: str(value),
        float: str(value),
    }
    return rng.choice((swapped.get(type(value), 0), None, True, [], {}, "", "x", 7, -1.5, [[]], {"": {}}, [None]))


def _long(rng: random.Random, value: Any) -> Any:
    return rng.choice(("x" * 200_000, ["y"] * 2_000, {f"k{n}": n for n in range(2_000)}, "\U0001f6f0" * 20_000))


_FAULTS: Sequence[Callable[[Any, Sequence[Path], random.Random], None]] = (
    _set(_other_type),
    _set(_other_type),
    _set(_other_type),
    _set(lambda rng, value: None),
    _remove,
    _remove,
    _rename,
    _set(lambda rng, value: rng.choice(_NUMBERS)),
    _set(lambda rng, value: rng.choice(HOSTILE)),
    _set(_long),
    _set(lambda rng, value: _nested(rng.choice((3, 40, 300)))),
    _wrong_href,
    _wrong_href,
    _wrong_id,
    _wrong_time,
    _wrong_place,
    _wrong_place,
    _wrong_grid,
    _wrong_grid,
    _wrong_grid,
)


def _twice(text: str, rng: random.Random) -> str:
    """Return the text with one of its keys written twice."""
    name = rng.choice(("assets", "properties", "id", "type", "bbox"))
    return '{"%s": %s, %s' % (name, rng.choice(("null", "[]", "{}", "1", '"x"')), text.lstrip()[1:])  # noqa: UP031
