"""Drawing in a subject's own units, so that a scene can stand anywhere, at any size and slant."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from PIL import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

# Block letters, five rows of three cells, for emblems and covers.
GLYPHS = (
    "010101111101101",
    "110101110101110",
    "111100100100111",
    "111100110100111",
    "101101111101101",
    "100100100100111",
    "110101110100100",
    "111010010010010",
    "101101101101111",
)


def colour(rng: Random, low: float, high: float) -> Colour:
    """Any hue whose brightness lies between `low` and `high` (0 to 1)."""
    hue, saturation = rng.random(), rng.uniform(0.05, 0.85)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, rng.uniform(low, high))
    return round(red * 255), round(green * 255), round(blue * 255)


def shade(of: Colour, factor: float) -> Colour:
    """The colour made darker (factor below 1) or lighter (above 1)."""
    red, green, blue = (min(255, round(channel * factor)) for channel in of)
    return red, green, blue


@dataclass(frozen=True)
class Brush:
    """Draws around a centre in units of `unit` pixels, turned by `angle` radians.

    The first coordinate runs to the right, the second downwards.
    """

    draw: ImageDraw.ImageDraw
    centre: Point
    unit: float
    angle: float = 0.0

    def at(self, point: Point) -> Point:
        """The place of a point on the canvas, in pixels."""
        cos, sin = math.cos(self.angle) * self.unit, math.sin(self.angle) * self.unit
        x, y = point
        return self.centre[0] + x * cos - y * sin, self.centre[1] + x * sin + y * cos

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        """A filled polygon."""
        self.draw.polygon([self.at(point) for point in points], fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """A filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill)

    def oval(
        self, x: float, y: float, width: float, height: float, fill: Colour,
        turn: tuple[float, float] = (0.0, 1.0),
    ) -> None:  # fmt: skip
        """A filled ellipse with half-axes `width`, `height`; `turn` cuts out a part of the turn."""
        steps = 48
        start, end = (share * 2 * math.pi for share in turn)
        angles = [start + (end - start) * step / steps for step in range(steps + 1)]
        self.polygon([(x + width * math.cos(a), y + height * math.sin(a)) for a in angles], fill)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """A line of the given width, in units."""
        pixels = max(1, round(width * self.unit))
        self.draw.line([self.at(point) for point in points], fill, pixels, joint="curve")

    def glyph(self, which: str, x: float, y: float, height: float, fill: Colour) -> None:
        """A block letter whose top left corner is at (x, y)."""
        cell = height / 5
        for place, ink in enumerate(which):
            if ink == "1":
                left, top = x + place % 3 * cell, y + place // 3 * cell
                self.box(left, top, left + cell * 1.05, top + cell * 1.05, fill)

    def star(self, x: float, y: float, radius: float, points: int, fill: Colour) -> None:
        """A star with the given number of points."""
        corners = []
        for step in range(2 * points):
            reach = radius if step % 2 == 0 else radius * 0.45
            angle = math.pi * step / points - math.pi / 2
            corners.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
        self.polygon(corners, fill)
