"""Draw the land under the demo's objects: grass, fields, forest, water, roads and houses.

A terrain is drawn in one piece, so it suits sides of a few thousand pixels.  It records where the water is, and
where roads and houses leave no room, so that objects can be put where they belong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from imagerag_assets.demo.sprites import RGB, shade

GSD_M = 0.3
_ROOFS: tuple[RGB, ...] = ((150, 96, 78), (128, 122, 118), (172, 150, 124), (104, 96, 92), (158, 116, 92))
_CROPS: tuple[RGB, ...] = (
    (150, 160, 82),
    (112, 142, 70),
    (186, 168, 104),
    (134, 112, 78),
    (92, 128, 62),
    (170, 150, 92),
)
WATER: RGB = (38, 74, 98)
_FOREST: RGB = (46, 78, 44)
_GRASS: RGB = (112, 128, 78)
ROAD: RGB = (122, 120, 116)


@dataclass(frozen=True)
class Terrain:
    """A drawn piece of land: `image` RGB, `water` and `busy` (roads, houses) masks as 'L' pictures of the same size."""

    image: Image.Image
    water: Image.Image
    busy: Image.Image


def noise(shape: tuple[int, int], cell: int, rng: np.random.Generator) -> np.ndarray:
    """Return smooth noise in [-1, 1], float32 (height, width), with features about `cell` pixels wide."""
    h, w = shape
    coarse = rng.uniform(-1, 1, (max(2, h // cell + 2), max(2, w // cell + 2))).astype(np.float32)
    picture = Image.fromarray(coarse, mode="F").resize((w, h), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(picture), -1, 1)


def draw_ground(width: int, height: int, rng: np.random.Generator) -> Image.Image:
    shape = (height, width)
    base = np.array(shade(_GRASS, rng.uniform(0.85, 1.15)), np.float32)
    broad, fine = noise(shape, 400, rng), noise(shape, 24, rng)
    dry = np.array([34, 18, 2], np.float32)
    pixels = base + broad[..., None] * dry + fine[..., None] * 7
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def draw_fields(draw: ImageDraw.ImageDraw, x0: int, y0: int, side: int, rng: np.random.Generator) -> None:
    angle = rng.uniform(0, math.pi / 2)
    cos, sin = math.cos(angle), math.sin(angle)

    def turn(x: float, y: float) -> tuple[float, float]:
        return x0 + side / 2 + x * cos - y * sin, y0 + side / 2 + x * sin + y * cos

    n = int(rng.integers(2, 4))
    step = side * 0.72 / n
    for i in range(n):
        for j in range(n):
            left, top = (i - n / 2) * step, (j - n / 2) * step
            crop = shade(_CROPS[rng.integers(len(_CROPS))], rng.uniform(0.85, 1.12))
            right, bottom = left + step * 0.96, top + step * 0.96
            draw.polygon([turn(left, top), turn(right, top), turn(right, bottom), turn(left, bottom)], fill=crop)
            spacing = rng.uniform(9, 18)
            for k in range(int(step * 0.96 / spacing)):
                y = top + k * spacing
                draw.line([turn(left, y), turn(right, y)], fill=shade(crop, 0.9), width=2)


def draw_forest(draw: ImageDraw.ImageDraw, x0: int, y0: int, side: int, rng: np.random.Generator) -> None:
    for _ in range(int(side * side / 900)):
        x, y = rng.normal(0.5, 0.2, 2) * side
        r = rng.uniform(7, 17)
        tone = shade(_FOREST, rng.uniform(0.75, 1.35))
        draw.ellipse((x0 + x - r + 4, y0 + y - r + 4, x0 + x + r + 4, y0 + y + r + 4), fill=(26, 38, 26))
        draw.ellipse((x0 + x - r, y0 + y - r, x0 + x + r, y0 + y + r), fill=tone)


def draw_houses(
    draw: ImageDraw.ImageDraw, busy: ImageDraw.ImageDraw, x0: int, y0: int, side: int, rng: np.random.Generator
) -> None:
    spacing = 84
    for x in range(x0 + spacing // 2, x0 + side - spacing // 2, spacing):
        draw.line([(x + spacing // 2, y0), (x + spacing // 2, y0 + side)], fill=ROAD, width=10)
        for y in range(y0 + spacing // 2, y0 + side - spacing // 2, spacing):
            if rng.random() < 0.15:
                continue
            w, h = rng.uniform(15, 23, 2)
            cx, cy = x + rng.uniform(-6, 6), y + rng.uniform(-6, 6)
            roof = shade(_ROOFS[rng.integers(len(_ROOFS))], rng.uniform(0.85, 1.15))
            draw.rectangle((cx - w + 5, cy - h + 5, cx + w + 5, cy + h + 5), fill=(44, 48, 40))
            draw.rectangle((cx - w, cy - h, cx + w, cy + h), fill=roof)
            draw.rectangle((cx - w, cy, cx + w, cy + h), fill=shade(roof, 0.85))
    busy.rectangle((x0, y0, x0 + side, y0 + side), fill=255)


def _blob(cx: float, cy: float, radius: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    wobble = rng.uniform(0.75, 1.2, 12)
    turns = np.linspace(0, 2 * math.pi, 73)[:-1]
    r = radius * np.interp(turns, np.linspace(0, 2 * math.pi, 13), np.append(wobble, wobble[0]))
    return [(cx + a * math.cos(t), cy + a * math.sin(t)) for a, t in zip(r, turns, strict=True)]


def road_points(width: int, height: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    across = rng.random() < 0.5
    along = np.linspace(-0.05, 1.05, 60)
    drift = rng.uniform(0.1, 0.9) + 0.06 * np.sin(along * rng.uniform(2, 6) + rng.uniform(0, 6))
    drift += rng.uniform(-0.25, 0.25) * (along - 0.5)
    pairs = zip(along, drift, strict=True)
    return [(a * width, d * height) if across else (d * width, a * height) for a, d in pairs]


def draw_terrain(width: int, height: int, rng: np.random.Generator, *, water: float | None = None) -> Terrain:
    """Draw land of `width` x `height` pixels at 0.3 m.

    Args:
        width: Pixels across.
        height: Pixels down.
        rng: Source of every random choice.
        water: Share of the area that the lake covers (a coast-like blob at one side); None: 0 or 0.12, at random.
    """
    image = draw_ground(width, height, rng)
    draw = ImageDraw.Draw(image)
    water_mask, busy_mask = Image.new("L", image.size, 0), Image.new("L", image.size, 0)
    wet, busy = ImageDraw.Draw(water_mask), ImageDraw.Draw(busy_mask)

    parcel = 640
    for y in range(0, height, parcel):
        for x in range(0, width, parcel):
            kind = rng.random()
            if kind < 0.4:
                draw_fields(draw, x, y, parcel, rng)
            elif kind < 0.62:
                draw_forest(draw, x, y, parcel, rng)
            elif kind < 0.78:
                draw_houses(draw, busy, x + 20, y + 20, min(parcel - 40, int(rng.integers(360, 600))), rng)

    share = rng.choice([0.0, 0.12]) if water is None else water
    if share > 0:
        radius = math.sqrt(share * width * height / math.pi)
        edge = rng.integers(4)
        along = rng.uniform(0.3, 0.7)
        cx, cy = [(along, 0.12), (along, 0.88), (0.12, along), (0.88, along)][edge]
        outline = _blob(cx * width, cy * height, radius * 1.15, rng)
        draw.polygon(outline, fill=(176, 164, 128))
        inner = [(cx * width + (x - cx * width) * 0.96, cy * height + (y - cy * height) * 0.96) for x, y in outline]
        draw.polygon(inner, fill=shade(WATER, rng.uniform(0.85, 1.2)))
        wet.polygon(inner, fill=255)
        busy.polygon(outline, fill=255)

    for _ in range(max(1, round(width * height / 6e6))):
        points = road_points(width, height, rng)
        road_width = int(rng.integers(26, 40))
        draw.line(points, fill=shade(ROAD, 0.8), width=road_width + 6, joint="curve")
        draw.line(points, fill=ROAD, width=road_width, joint="curve")
        draw.line(points, fill=(216, 212, 190), width=2)
        busy.line(points, fill=255, width=road_width + 20)
    return Terrain(image, water_mask, busy_mask)


def finish(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Give a drawn picture the softness, noise and light of a sensor."""
    soft = image.filter(ImageFilter.GaussianBlur(0.8))
    pixels = np.asarray(soft, np.float32)
    pixels = pixels * rng.uniform(0.92, 1.08) + rng.normal(0, 3.0, pixels.shape[:2])[..., None].astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
