"""Counting, on painted scenes, a real Milvus and encoders that see the colours of each place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imagerag_assets.encoders.types import CellEncoder
from imagerag_assets.errors import FingerprintError, RasterError
from imagerag_assets.retrieval.calibration import GENERIC
from imagerag_assets.retrieval.counting import count_objects
from imagerag_assets.retrieval.scoring import Head
from imagerag_assets.retrieval.types import Search, Window
from imagerag_assets.stores.milvus_filter import Filter
from tests.unit.retrieval.world import AxisEncoder, World, unit
from tests.unit.retrieval.world import search as any_search

PATCH = 256
RED, GREEN, BLUE, NOTHING = 3, 4, 5, 55
"""A tank is a stripe of each colour, so that a small part of it looks less like a tank than the whole."""


CALIBRATION = replace(GENERIC, fast=Head(margin=0.15, score=0.0, bias=0.0))
"""Less steep than the generic one, as fitted ones are."""


def search(**options: Any) -> Search:
    return any_search(calibration=CALIBRATION, **options)


def seen(shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Vectors of places, (..., dim), by how much of them is red, green and blue, (..., 3)."""
    colours = np.stack([unit((RED, 1.0)), unit((GREEN, 1.0)), unit((BLUE, 1.0))])
    dark = 1 - shares.sum(axis=-1, keepdims=True)
    return (shares @ colours + 0.1 * dark * unit((NOTHING, 1.0))).astype(np.float32)


@dataclass
class Crops(AxisEncoder):
    """Knows which colours a picture has, and nothing about places within it."""

    image_size: int = 40

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.encoded_images += len(images)
        vectors = seen(images.mean(axis=(1, 2)) / 255)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _text(self, phrase: str) -> NDArray[np.float32]:
        if phrase == "pond":  # of one colour: each part of it looks like all of it
            return unit((RED, 1.0), (40, 0.4))
        return unit((RED, 1.0), (GREEN, 1.0), (BLUE, 1.0), (40, 0.4)) if phrase == "tank" else super()._text(phrase)


@dataclass
class Cells(Crops):
    """Knows the colours of each cell."""

    cell_px: int = 8

    def encode_cells(self, images: NDArray[np.uint8], *, side: int) -> NDArray[np.float32]:
        self.encoded_images += len(images) * (side // self.image_size) ** 2
        number = side // self.cell_px
        at = (np.arange(number + 1) * images.shape[1] / number).astype(int)
        sums = np.add.reduceat(np.add.reduceat(images / 255, at[:-1], axis=1), at[:-1], axis=2)
        return seen(sums / np.outer(np.diff(at), np.diff(at))[..., None])


@dataclass
class PaintedLook:
    """Scenes as arrays; a scene that is not there cannot be read.  A pixel is a metre at the equator."""

    scenes: dict[str, NDArray[np.uint8]]
    side: int = 1536

    def size(self, scene_key: str) -> tuple[int, int]:
        return self.side, self.side

    def finest_level(self, scene_key: str) -> int:
        return 0

    def read(self, scene_key: str, window: Window, level: int) -> NDArray[np.uint8]:
        if scene_key not in self.scenes:
            raise RasterError("gone", href=scene_key)
        x0, y0, x1, y1 = window
        assert 0 <= x0 < x1 <= self.side and 0 <= y0 < y1 <= self.side
        assert (x1 - x0) >> level <= 1100, "a whole scene is never read"
        step = 1 << level
        return self.scenes[scene_key][y0:y1:step, x0:x1:step]

    def bbox(self, scene_key: str, window: Window) -> tuple[float, float, float, float]:
        x0, y0, x1, y1 = (each / 111_320 for each in window)
        return x0, -y1, x1, -y0


def paint(picture: NDArray[np.uint8], x: int, y: int, side: int) -> None:
    for colour in range(3):
        picture[y : y + side, x + side * colour // 3 : x + side * (colour + 1) // 3, colour] = 255


def painted(number: int, side: int, *, size: int = 1536) -> tuple[NDArray[np.uint8], list[Window]]:
    """Squares on a jittered grid, never nearer to each other than half their side."""
    rng = np.random.default_rng(5)
    picture, windows = np.zeros((size, size, 3), np.uint8), []
    pitch = size // int(np.ceil(np.sqrt(number)))
    assert pitch >= 1.6 * side
    for k in rng.permutation((size // pitch) ** 2)[:number]:
        row, col = divmod(int(k), size // pitch)
        x, y = (int(at * pitch + rng.integers(0, pitch - round(1.5 * side) + 1)) for at in (col, row))
        paint(picture, x, y, side)
        windows.append((x, y, x + side, y + side))
    return picture, windows


def fill(world: World, scene: str, picture: NDArray[np.uint8]) -> None:
    starts = range(0, len(picture) - PATCH + 1, PATCH // 2)
    windows = [(x, y, x + PATCH, y + PATCH) for y in starts for x in starts]
    patches = np.stack([picture[y0:y1, x0:x1] for x0, y0, x1, y1 in windows])
    world.add(scene, windows, list(world.encoder.encode_images(patches)))
    world.encoder.encoded_images = 0


def covers(window: Window, middle_of: Window) -> bool:
    x, y = (middle_of[0] + middle_of[2]) / 2, (middle_of[1] + middle_of[3]) / 2
    return window[0] <= x < window[2] and window[1] <= y < window[3]


@pytest.mark.parametrize(("number", "side"), [(24, 90), (80, 48), (200, 40)])
def test_objects_smaller_than_a_patch_are_counted_one_by_one(
    make_world: Callable[..., World], number: int, side: int
) -> None:
    world = make_world(Cells())
    picture, windows = painted(number, side)
    fill(world, "a", picture)
    counted = count_objects(world, "tank", search(look=PaintedLook({"a": picture})), budget=12_000)
    assert isinstance(world.encoder, CellEncoder)
    assert abs(counted.count - number) <= 0.1 * number
    assert counted.low <= number <= counted.high
    assert len(counted.objects) == counted.count
    assert sum(any(covers(w, o.window) for w in windows) for o in counted.objects) >= 0.95 * counted.count
    assert counted.how == "windows"
    assert counted.window_px is not None and side / 1.6 <= counted.window_px <= side * 1.6
    assert counted.share == 1
    assert counted.area_m2 == pytest.approx(1536**2, rel=0.01)
    assert 0 < world.encoder.encoded_images <= counted.passes, "what was encoded a moment ago counts, too"
    confidences = [each.confidence for each in counted.objects]
    assert confidences == sorted(confidences, reverse=True)


def test_an_encoder_without_cells_sees_windows(make_world: Callable[..., World]) -> None:
    world = make_world(Crops())
    picture, _ = painted(30, 80)
    fill(world, "a", picture)
    counted = count_objects(world, "tank", search(look=PaintedLook({"a": picture})), budget=20_000)
    assert counted.how == "windows"
    assert abs(counted.count - 30) <= 0.25 * 30
    assert counted.low <= 30 <= counted.high
    assert 0 < world.encoder.encoded_images <= counted.passes


@pytest.mark.parametrize("encoder", [Cells, Crops])
def test_parts_that_look_like_the_whole_are_one_object(make_world: Callable[..., World], encoder: type[Crops]) -> None:
    world = make_world(encoder())
    picture, windows = painted(30, 90)
    for x0, y0, x1, y1 in windows:
        picture[y0:y1, x0:x1] = (255, 0, 0)
    fill(world, "a", picture)
    counted = count_objects(world, "pond", search(look=PaintedLook({"a": picture})), budget=20_000)
    assert abs(counted.count - 30) <= 3


def test_where_nothing_is_nothing_is_counted(make_world: Callable[..., World]) -> None:
    world = make_world(Cells())
    picture = np.zeros((1536, 1536, 3), np.uint8)
    fill(world, "a", picture)
    counted = count_objects(world, "tank", search(look=PaintedLook({"a": picture})))
    assert (counted.count, counted.low, counted.objects) == (0, 0, ())
    assert counted.share == 1


def test_only_ground_that_is_searched_counts(make_world: Callable[..., World]) -> None:
    world = make_world(Cells())
    picture, windows = painted(80, 48)
    fill(world, "a", picture)
    look = PaintedLook({"a": picture})

    def in_left_half(scene: str, window: Window) -> bool:
        return (window[0] + window[2]) / 2 < 768

    left = sum(in_left_half("a", each) for each in windows)
    kept = count_objects(world, "tank", search(look=look, keep=in_left_half))
    assert abs(kept.count - left) <= 0.15 * left
    assert all(in_left_half("a", each.window) for each in kept.objects)
    assert kept.area_m2 == pytest.approx(1536 * 768, rel=0.2)
    upper = Filter().window_intersects(0, 0, 1536, 500)
    above = count_objects(world, "tank", search(look=look, where=upper))
    assert above.area_m2 == pytest.approx(1536 * 640, rel=0.01), "patches that meet the window"
    assert all(each.window[1] < 640 for each in above.objects)


def test_scenes_are_counted_together_and_one_that_cannot_be_read_is_named(make_world: Callable[..., World]) -> None:
    world = make_world(Cells())
    picture, _ = painted(80, 48)
    for scene in ("a", "b", "gone"):
        fill(world, scene, picture)
    counted = count_objects(world, "tank", search(look=PaintedLook({"a": picture, "b": picture})), budget=15_000)
    assert abs(counted.count - 160) <= 16
    assert {each.scene for each in counted.objects} == {"a", "b"}
    assert counted.share == pytest.approx(2 / 3, abs=0.01)
    assert any("gone" in note for note in counted.notes)


def test_a_budget_is_kept_and_what_was_not_looked_at_is_said(make_world: Callable[..., World]) -> None:
    world = make_world(Cells())
    picture, _ = painted(200, 40)
    fill(world, "a", picture)
    look = PaintedLook({"a": picture})
    whole = count_objects(world, "tank", search(look=look), budget=12_000)
    part = count_objects(world, "tank", search(look=look), budget=2 * whole.passes // 3)
    assert part.passes <= 2 * whole.passes // 3
    assert 0.2 < part.share < 1
    assert part.count < whole.count
    assert any("budget" in note for note in part.notes)


@pytest.mark.parametrize("options", [{}, {"look": PaintedLook({})}, {"look": PaintedLook({}), "budget": 3}])
def test_without_pixels_patches_are_counted(make_world: Callable[..., World], options: dict[str, Any]) -> None:
    world = make_world(Cells())
    picture = np.zeros((1536, 1536, 3), np.uint8)
    for x, y in [(0, 0), (512, 512), (1024, 256), (1280, 1280)]:
        paint(picture, x, y, PATCH)
    fill(world, "a", picture)
    budget = options.pop("budget", 1000)
    counted = count_objects(world, "tank", search(**options), budget=budget)
    assert (counted.count, counted.how, counted.window_px) == (4, "patches", None)
    assert counted.low <= 4 <= counted.high
    assert any("smaller than a patch" in note for note in counted.notes)


def test_no_patches_in_scope(make_world: Callable[..., World]) -> None:
    world = make_world(Cells())
    fill(world, "a", np.zeros((512, 512, 3), np.uint8))
    counted = count_objects(world, "tank", search(where=Filter().scene_in(["b"]), look=PaintedLook({})))
    assert (counted.count, counted.share) == (0, 0)
    assert counted.notes


def test_a_collection_of_another_encoder(make_world: Callable[..., World]) -> None:
    fill(make_world(Cells()), "a", np.zeros((512, 512, 3), np.uint8))
    with pytest.raises(FingerprintError):
        count_objects(make_world(Cells(fingerprint="b" * 64)), "tank", search())


def test_few_sure_patches_say_where_objects_are_counted_and_many_say_everywhere(
    make_world: Callable[..., World],
) -> None:
    world = make_world(Cells())
    picture = np.zeros((1536, 1536, 3), np.uint8)
    crowd = [(x, y) for y in range(10, 200, 80) for x in range(10, 200, 80)]
    for x, y in [*crowd, (1100, 1100), (1300, 700)]:
        paint(picture, x, y, 48)
    fill(world, "a", picture)
    look = search(look=PaintedLook({"a": picture}))

    def counted(*numbers: int) -> int:
        return count_objects(world, "tank", look, shown=[f"a:pyramid:0:0:{number}" for number in numbers]).count

    assert counted() == counted(*range(12)) == len(crowd) + 2, "nobody knows where, or they are everywhere"
    assert counted(0) == len(crowd), "the first patch shows a crowd, and no patch elsewhere promises as much"


def test_sizes_are_looked_for_only_if_objects_may_have_them(make_world: Callable[..., World]) -> None:
    world = make_world(Cells())
    picture, _ = painted(80, 48)
    fill(world, "a", picture)
    look = search(look=PaintedLook({"a": picture}))
    free = count_objects(world, "tank", look).window_px
    large = count_objects(world, "tank", look, size_px=(300, 600)).window_px
    assert free is not None
    assert large is not None
    assert free < 100 <= large
