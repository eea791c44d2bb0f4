"""What a reader of a figure does not see: text and legends beyond its edges, curves behind a legend."""

from itertools import chain
from typing import Any


def hidden(figure: Any) -> list[str]:
    """Return a line for each title, axis label and legend that is cut off, and for each legend that lies on axes."""
    figure.draw_without_rendering()
    legends = [*figure.legends, *filter(None, (axes.get_legend() for axes in figure.axes))]
    of_axes = ((axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label) for axes in figure.axes)
    texts = [text for text in (figure._suptitle, *chain.from_iterable(of_axes)) if text and text.get_text()]
    found = []
    for artist in [*texts, *legends]:
        extent, edges = artist.get_window_extent(), figure.bbox
        if not (edges.x0 <= extent.x0 and extent.x1 <= edges.x1 and edges.y0 <= extent.y0 and extent.y1 <= edges.y1):
            found.append(f"{artist} at {extent.extents} is cut off: the figure is {edges.extents}")
    boxes = [axes.get_window_extent() for axes in figure.axes]
    covering = [legend for legend in legends if any(map(legend.get_window_extent().overlaps, boxes))]
    return [*found, *(f"{legend} lies on axes" for legend in covering)]
