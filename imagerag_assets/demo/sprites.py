"""Draw objects as they look from above, with polygons: the vocabulary of the demo scenes.

Each class has a draw function in unit coordinates (x right, y down, the object within [-1, 1]), a side length in metres
and its possible colours.  Terrain and layout are in `terrain.py` and `scenes.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
SUPERSAMPLE = 3  # sprites are drawn this many times larger and then reduced, for soft edges

COLOURS: dict[str, RGB] = {
    "red": (182, 48, 40),
    "blue": (48, 84, 176),
    "white": (232, 232, 226),
    "green": (62, 128, 74),
    "yellow": (214, 186, 62),
    "grey": (142, 144, 148),
    "brown": (140, 92, 60),
}


class Pen:
    """Draw on a transparent square picture in unit coordinates."""

    def __init__(self, side_px: int) -> None:
        self.image = Image.new("RGBA", (side_px, side_px), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)
        self._half = side_px / 2

    def _at(self, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [((x + 1) * self._half, (y + 1) * self._half) for x, y in points]

    def polygon(self, points: Sequence[tuple[float, float]], fill: RGB, alpha: int = 255) -> None:
        self._draw.polygon(self._at(points), fill=(*fill, alpha))

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: RGB, alpha: int = 255) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, alpha)

    def line(self, points: Sequence[tuple[float, float]], fill: RGB, width: float) -> None:
        self._draw.line(self._at(points), fill=(*fill, 255), width=max(1, round(width * self._half)), joint="curve")

    def disc(self, x: float, y: float, rx: float, fill: RGB, ry: float | None = None, alpha: int = 255) -> None:
        ry = rx if ry is None else ry
        (x0, y0), (x1, y1) = self._at([(x - rx, y - ry), (x + rx, y + ry)])
        self._draw.ellipse((x0, y0, x1, y1), fill=(*fill, alpha))

    def ring(self, x: float, y: float, r: float, fill: RGB, width: float) -> None:
        (x0, y0), (x1, y1) = self._at([(x - r, y - r), (x + r, y + r)])
        self._draw.ellipse((x0, y0, x1, y1), outline=(*fill, 255), width=max(1, round(width * self._half)))

    def sector(self, x: float, y: float, r: float, start: float, end: float, fill: RGB) -> None:
        (x0, y0), (x1, y1) = self._at([(x - r, y - r), (x + r, y + r)])
        self._draw.pieslice((x0, y0, x1, y1), start, end, fill=(*fill, 255))


def shade(colour: RGB, factor: float) -> RGB:
    r, g, b = (int(min(255, max(0, channel * factor))) for channel in colour)
    return r, g, b


_SHADOW: RGB = (28, 30, 34)
_ASPHALT: RGB = (96, 98, 102)
_CONCRETE: RGB = (176, 174, 168)
_LINE: RGB = (236, 236, 230)


def _airplane(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.box(-0.98, -0.98, 0.98, 0.98, shade(_CONCRETE, rng.uniform(0.85, 1.02)))
    for offset in (-0.5, 0.5):
        pen.line([(-0.98, offset), (0.98, offset)], shade(_CONCRETE, 0.8), 0.015)
    sweep = rng.uniform(0.2, 0.42)
    parts = [
        [(-0.08, -0.2), (-0.84, sweep), (-0.84, sweep + 0.1), (-0.08, 0.22)],
        [(0.08, -0.2), (0.84, sweep), (0.84, sweep + 0.1), (0.08, 0.22)],
        [(-0.05, 0.58), (-0.34, 0.82), (-0.34, 0.9), (-0.05, 0.8)],
        [(0.05, 0.58), (0.34, 0.82), (0.34, 0.9), (0.05, 0.8)],
    ]
    for dx, dy, tone in ((0.06, 0.06, _SHADOW), (0.0, 0.0, shade(colour, 0.9))):
        for part in parts:
            pen.polygon([(x + dx, y + dy) for x, y in part], tone)
        body = tone if tone is _SHADOW else colour
        pen.disc(dx, -0.78 + dy, 0.095, body, 0.14)
        pen.box(-0.095 + dx, -0.78 + dy, 0.095 + dx, 0.6 + dy, body)
        pen.polygon([(-0.095 + dx, 0.6 + dy), (0.095 + dx, 0.6 + dy), (dx, 0.95 + dy)], body)
    for x in (-0.42, 0.42):
        pen.box(x - 0.045, sweep - 0.26, x + 0.045, sweep - 0.04, shade(_CONCRETE, 0.5))


def _storage_tank(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.disc(0, 0, 0.97, shade((150, 140, 118), rng.uniform(0.9, 1.1)))
    pen.disc(0.14, 0.14, 0.78, _SHADOW, alpha=170)
    pen.disc(0, 0, 0.76, shade(colour, 0.72))
    pen.disc(-0.03, -0.03, 0.71, colour)
    pen.ring(-0.03, -0.03, 0.45, shade(colour, 0.86), 0.03)
    pen.line([(-0.03, -0.03), (0.5, 0.4)], shade(colour, 0.65), 0.05)


def _ship(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.polygon([(-0.2, 0.98), (0.2, 0.98), (0.1, 0.5), (-0.1, 0.5)], (214, 226, 230), alpha=110)
    hull = [(0, -0.96), (0.19, -0.62), (0.22, 0.68), (0.14, 0.82), (-0.14, 0.82), (-0.22, 0.68), (-0.19, -0.62)]
    pen.polygon([(x + 0.07, y + 0.05) for x, y in hull], _SHADOW, alpha=150)
    pen.polygon(hull, shade(colour, 0.75))
    pen.polygon([(x * 0.84, y * 0.93) for x, y in hull], colour)
    for y in np.arange(-0.5, 0.3, 0.17):
        tone = shade((198, 178, 150), rng.uniform(0.6, 1.1))
        pen.box(-0.13, y, 0.13, y + 0.12, tone)
    pen.box(-0.16, 0.42, 0.16, 0.62, (236, 236, 232))


def _tennis_court(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    surround = shade((74, 116, 78), rng.uniform(0.85, 1.15)) if colour != COLOURS["green"] else (150, 84, 62)
    pen.box(-0.9, -0.97, 0.9, 0.97, surround)
    pen.box(-0.5, -0.78, 0.5, 0.78, colour)
    for points in (
        [(-0.5, -0.78), (0.5, -0.78), (0.5, 0.78), (-0.5, 0.78), (-0.5, -0.78)],
        [(-0.37, -0.78), (-0.37, 0.78)],
        [(0.37, -0.78), (0.37, 0.78)],
        [(-0.37, -0.4), (0.37, -0.4)],
        [(-0.37, 0.4), (0.37, 0.4)],
        [(0, -0.4), (0, 0.4)],
    ):
        pen.line(points, _LINE, 0.035)
    pen.line([(-0.62, 0), (0.62, 0)], (40, 44, 48), 0.04)


def _swimming_pool(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.box(-0.95, -0.95, 0.95, 0.95, shade((206, 196, 178), rng.uniform(0.9, 1.05)))
    water = (72, 182, 208)
    pen.box(-0.55, -0.78, 0.55, 0.78, shade(water, 0.85))
    pen.box(-0.5, -0.73, 0.5, 0.73, water)
    for x in (-0.25, 0.0, 0.25):
        pen.line([(x, -0.7), (x, 0.7)], (150, 220, 232), 0.03)
    for y in np.arange(-0.8, 0.81, 0.32):
        pen.box(0.66, y - 0.07, 0.86, y + 0.07, (240, 240, 236))


def _baseball_diamond(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    dirt = shade((184, 140, 96), rng.uniform(0.9, 1.1))
    grass = shade((96, 142, 70), rng.uniform(0.9, 1.1))
    pen.sector(0, 0.8, 1.75, 225, 315, grass)
    pen.sector(0, 0.8, 1.05, 222, 318, dirt)
    pen.polygon([(0, 0.62), (0.42, 0.2), (0, -0.22), (-0.42, 0.2)], grass)
    pen.disc(0, 0.22, 0.07, dirt)
    pen.disc(0, 0.78, 0.14, dirt)
    pen.line([(0, 0.8), (0.9, -0.1)], _LINE, 0.02)
    pen.line([(0, 0.8), (-0.9, -0.1)], _LINE, 0.02)


def _roundabout(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    for points in ([(-1, 0), (1, 0)], [(0, -1), (0, 1)]):
        pen.line(points, _ASPHALT, 0.3)
        pen.line(points, _LINE, 0.02)
    pen.disc(0, 0, 0.66, _ASPHALT)
    pen.ring(0, 0, 0.5, _LINE, 0.02)
    pen.disc(0, 0, 0.34, shade((92, 136, 74), rng.uniform(0.9, 1.1)))
    pen.disc(0, 0, 0.12, (60, 96, 52))


def _solar_farm(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.box(-0.97, -0.97, 0.97, 0.97, shade((158, 146, 112), rng.uniform(0.9, 1.1)))
    for y in np.arange(-0.88, 0.85, 0.24):
        pen.box(-0.86, y + 0.05, 0.9, y + 0.19, (70, 66, 56))
        pen.box(-0.9, y, 0.86, y + 0.15, (34, 46, 88))
        for x in np.arange(-0.9, 0.86, 0.16):
            pen.line([(x, y), (x, y + 0.15)], (96, 108, 142), 0.014)


def _stadium(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.disc(0.05, 0.05, 0.76, _SHADOW, 0.95, alpha=150)
    pen.disc(0, 0, 0.76, shade(_CONCRETE, 1.05), 0.95)
    pen.disc(0, 0, 0.64, shade((170, 70, 56), rng.uniform(0.9, 1.1)), 0.83)
    pen.disc(0, 0, 0.48, (78, 136, 66), 0.68)
    pen.box(-0.3, -0.5, 0.3, 0.5, (86, 148, 72))
    for y in (-0.5, 0.0, 0.5):
        pen.line([(-0.3, y), (0.3, y)], _LINE, 0.02)
    pen.line([(-0.3, -0.5), (-0.3, 0.5)], _LINE, 0.02)
    pen.line([(0.3, -0.5), (0.3, 0.5)], _LINE, 0.02)


def _warehouse(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.box(-0.95, -0.8, 0.95, 0.8, shade(_ASPHALT, rng.uniform(0.95, 1.25)))
    pen.box(-0.68, -0.48, 0.86, 0.66, _SHADOW, alpha=170)
    pen.box(-0.76, -0.56, 0.76, 0.56, colour)
    pen.box(-0.76, 0.0, 0.76, 0.56, shade(colour, 0.84))
    for x in np.arange(-0.66, 0.76, 0.19):
        pen.line([(x, -0.56), (x, 0.56)], shade(colour, 0.93), 0.015)
        pen.box(x, -0.12, x + 0.06, -0.04, shade(_CONCRETE, 1.1))


def _parking_lot(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.box(-0.97, -0.97, 0.97, 0.97, shade(_ASPHALT, rng.uniform(0.85, 1.1)))
    paints = list(COLOURS.values())
    for y in (-0.86, -0.34, 0.18, 0.7):
        for x in np.arange(-0.9, 0.82, 0.155):
            pen.line([(x, y - 0.08), (x, y + 0.18)], _LINE, 0.012)
            if rng.random() < 0.72:
                paint = shade(paints[rng.integers(len(paints))], rng.uniform(0.6, 1.05))
                pen.box(x + 0.03, y - 0.06, x + 0.125, y + 0.16, paint)
                pen.box(x + 0.045, y, x + 0.11, y + 0.06, shade(paint, 0.5))


def _helipad(pen: Pen, colour: RGB, rng: np.random.Generator) -> None:
    pen.disc(0, 0, 0.95, shade(_ASPHALT, rng.uniform(0.8, 1.1)))
    pen.ring(0, 0, 0.86, _LINE, 0.06)
    for x in (-0.32, 0.32):
        pen.box(x - 0.07, -0.45, x + 0.07, 0.45, _LINE)
    pen.box(-0.32, -0.07, 0.32, 0.07, _LINE)


@dataclass(frozen=True)
class ObjectClass:
    """One kind of object: how to draw it, its side in metres, its colours, and whether it belongs on water."""

    name: str
    plural: str
    draw: Callable[[Pen, RGB, np.random.Generator], None]
    side_m: float
    colours: tuple[str, ...] = ()
    on_water: bool = False


OBJECT_CLASSES: dict[str, ObjectClass] = {
    c.name: c
    for c in (
        ObjectClass("airplane", "airplanes", _airplane, 54, ("white", "blue", "red")),
        ObjectClass("storage tank", "storage tanks", _storage_tank, 45, ("white", "brown", "green")),
        ObjectClass("ship", "ships", _ship, 66, ("red", "blue", "white"), on_water=True),
        ObjectClass("tennis court", "tennis courts", _tennis_court, 45, ("green", "blue", "red")),
        ObjectClass("swimming pool", "swimming pools", _swimming_pool, 42),
        ObjectClass("baseball diamond", "baseball diamonds", _baseball_diamond, 60),
        ObjectClass("roundabout", "roundabouts", _roundabout, 57),
        ObjectClass("solar farm", "solar farms", _solar_farm, 60),
        ObjectClass("stadium", "stadiums", _stadium, 72),
        ObjectClass("warehouse", "warehouses", _warehouse, 60, ("red", "blue", "white", "green", "yellow")),
        ObjectClass("parking lot", "parking lots", _parking_lot, 57),
        ObjectClass("helipad", "helipads", _helipad, 39),
    )
}


def sprite(name: str, colour: str | None, side_px: int, angle_deg: float, rng: np.random.Generator) -> Image.Image:
    """Draw one object.

    Args:
        name: A key of `OBJECT_CLASSES`.
        colour: One of the colours of the class; None if it has none.
        side_px: Side of the object's square before rotation, in pixels.
        angle_deg: Counter-clockwise rotation, in degrees.
        rng: Source of the small variations (tone, cars, cargo).

    Returns:
        An RGBA picture just large enough for the rotated square.
    """
    large = side_px * SUPERSAMPLE
    pen = Pen(large)
    OBJECT_CLASSES[name].draw(pen, COLOURS[colour] if colour else COLOURS["grey"], rng)
    turned = pen.image.rotate(angle_deg, resample=Image.Resampling.BILINEAR, expand=True)
    radians = math.radians(angle_deg)
    side = max(8, round(side_px * (abs(math.cos(radians)) + abs(math.sin(radians)))))
    return turned.resize((side, side), Image.Resampling.BOX)
