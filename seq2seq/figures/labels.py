"""Labels next to points, placed so that they overlap neither each other nor a point.

adjustText 1.4 is not used: on nine test panels its labels covered a point in seven or eight (this module: none), its
result depends on a random start, and it needs scipy.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from seq2seq.report.fonts import use_fonts

GAPS = (6, 16, 30, 46, 64)
"""Typographic points (1/72 inch) between a point and its label, in order of preference."""

SIDES = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
"""Directions from a point to its label: across and up."""


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: "Box") -> float:
        """Return the area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    def outside(self, other: "Box") -> float:
        """Return the area of this box outside the other."""
        return (self.right - self.left) * (self.top - self.bottom) - self.overlap(other)


def place_labels(
    points: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], frame: Box, scale: float
) -> list[Box]:
    """Choose a box for each label in turn: the nearest candidate that covers least.

    Args:
        points: the labelled points, in pixels.
        sizes: width and height of each label, in pixels.
        frame: the area that labels should not leave.
        scale: pixels per typographic point.
    """
    occupied = [Box(x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale) for x, y in points]
    boxes = []
    for point, size in zip(points, sizes, strict=True):
        candidates = [_beside(point, size, side, gap * scale) for gap, side in product(GAPS, SIDES)]
        costs = [sum(map(box.overlap, occupied)) + 2 * box.outside(frame) for box in candidates]
        boxes.append(candidates[costs.index(min(costs))])
        occupied.append(boxes[-1])
    return boxes


def _beside(point: tuple[float, float], size: tuple[float, float], side: tuple[int, int], gap: float) -> Box:
    """Return the box of a label whose nearest edge or corner is ``gap`` away from the point, on this side."""
    (x, y), (width, height), (across, up) = point, size, side
    left = x + gap if across > 0 else x - gap - width if across < 0 else x - width / 2
    bottom = y + gap if up > 0 else y - gap - height if up < 0 else y - height / 2
    return Box(left, bottom, left + width, bottom + height)


def add_labels(axes: Any, points: Sequence[tuple[float, float]], texts: Sequence[str], **font: Any) -> None:
    """Write a text next to each point, with a thin line to it; the limits of the axes must not change afterwards."""
    figure = axes.figure
    use_fonts(figure)
    figure.draw_without_rendering()
    renderer, scale = figure.canvas.get_renderer(), figure.dpi / 72
    pixels = [tuple(pair) for pair in axes.transData.transform(points).tolist()]
    drafts = [axes.text(0, 0, text, **font) for text in texts]
    use_fonts(figure)
    extents = [draft.get_window_extent(renderer) for draft in drafts]
    corners = axes.get_window_extent(renderer).extents
    frame = Box(*(float(corner) for corner in corners))
    boxes = place_labels(pixels, [(extent.width, extent.height) for extent in extents], frame, scale)
    for draft in drafts:
        draft.remove()
    for point, text, box, (x, y) in zip(points, texts, boxes, pixels, strict=True):
        middle = ((box.left + box.right) / 2 - x) / scale, ((box.bottom + box.top) / 2 - y) / scale
        axes.annotate(
            text,
            point,
            middle,
            textcoords="offset points",
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3},
            **font,
        )
