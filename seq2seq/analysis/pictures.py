"""A trace as pictures (PNG): gates and states of each cell, cell states over time, attention.

Units that vary most are shown where there are more than fit; the trace itself has all of them.
"""

import math
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from typing import Any

from torch import Tensor

from seq2seq.analysis.trace import LayerTrace, Trace

UNITS = 48
"""Most rows of a heat map."""

PIXELS = 16_000_000
"""Most pixels of a picture: a larger one has fewer to the inch. Each takes 4 bytes while it is drawn."""

DOTS = 110
"""Pixels to the inch."""

CURVES = 8
"""Most lines in a diagram of cell states."""


def layer_picture(trace: Trace, layer: LayerTrace) -> bytes:
    """Heat maps of a cell's gates, candidate, hidden and cell state: a column a piece, a row a unit."""
    pieces = [readable(piece) for piece in trace.pieces_of(layer)]
    panels = {**layer.gates, "hidden": layer.hidden, **({} if layer.cell is None else {"cell": layer.cell})}
    units = liveliest(layer.carried, UNITS)
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    width, height = 1.3 + max(2.4, 0.24 * len(pieces)), 1.6 + max(1.6, 0.115 * len(units))
    figure = new_figure(columns * width, lines * height + 0.5)
    figure.suptitle(f"{layer.place.side}, layer {layer.place.layer}, {layer.place.reading}: {_counted(units, layer)}")
    for number, (name, values) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(lines, columns, number)
        _heat_map(figure, axes, name, values[:, units].T)
        axes.set_title(_title(name), fontsize="medium")
        tokens(axes, pieces)
        axes.set_yticks(range(len(units)), units, fontsize=5.5 if len(units) > 24 else 7)
        axes.set(ylabel="unit" if (number - 1) % columns == 0 else "", xlabel="piece read")
    return png(figure)


def states_picture(trace: Trace, layer: LayerTrace) -> bytes:
    """What a cell remembers by, over time: a line for each of the units that vary most."""
    pieces = [readable(piece) for piece in trace.pieces_of(layer)]
    units = liveliest(layer.carried, CURVES, ordered=True)
    figure = new_figure(2.4 + max(4.0, 0.34 * len(pieces)), 3.6)
    axes = figure.add_subplot()
    for unit in units:
        axes.plot(range(len(pieces)), layer.carried[:, unit].tolist(), ".-", linewidth=1.2, label=f"unit {unit}")
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    state = "hidden" if layer.cell is None else "cell"
    place = f"{layer.place.side}, layer {layer.place.layer}, {layer.place.reading}"
    axes.set_title(f"{place}: {state} state of the {len(units)} units that vary most", fontsize="medium")
    axes.set(ylabel=f"{state} state after the piece", xlabel="piece read", xlim=(-0.5, len(pieces) - 0.5))
    tokens(axes, pieces)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small")
    return png(figure)


def attention_picture(trace: Trace) -> bytes:
    """The attention weights: a row a target piece, a column a source piece.

    Raises:
        ValueError: the trace has none.
    """
    if trace.attention is None:
        raise ValueError("this trace has no attention")
    sources, targets = (list(map(readable, pieces)) for pieces in (trace.source_pieces, trace.target_pieces))
    figure = new_figure(2.6 + 0.3 * len(sources), 1.8 + 0.26 * len(targets))
    axes = figure.add_subplot()
    image = axes.imshow(trace.attention.numpy(), cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=axes, label="weight")
    axes.set_title("attention", fontsize="medium")
    axes.set(xlabel="source piece", ylabel="target piece predicted")
    tokens(axes, sources)
    axes.set_yticks(range(len(targets)), targets, fontsize=8)
    return png(figure)


def liveliest(values: Tensor, count: int, *, ordered: bool = False) -> list[int]:
    """Units (columns) whose values vary most over the rows, at most so many; by number, or the liveliest first."""
    spread = values.float().std(0, correction=0)
    units: list[int] = spread.topk(min(count, values.size(1))).indices.tolist()
    return units if ordered else sorted(units)


def readable(piece: str) -> str:
    """A piece as the pictures write it: what their font lacks is a box, and nothing in it is taken for mathematics."""
    return "".join(letter if ord(letter) in _glyphs() else "□" for letter in piece).replace("$", r"\$")


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def new_figure(width: float, height: float) -> Any:
    """An empty figure in inches, no larger than can be drawn."""
    # Imported here: matplotlib takes a second, and no other part needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(min(width, 120.0), min(height, 120.0)), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Any) -> bytes:
    """The figure as a PNG."""
    buffer = BytesIO()
    width, height = figure.get_size_inches()
    figure.savefig(buffer, format="png", dpi=min(DOTS, math.sqrt(PIXELS / (width * height))))
    return buffer.getvalue()


def tokens(axes: Any, pieces: Sequence[str]) -> None:
    """Pieces along the horizontal axis."""
    axes.set_xticks(range(len(pieces)), pieces, rotation=90, fontsize=8)


def _heat_map(figure: Any, axes: Any, name: str, values_HT: Tensor) -> None:
    """Gates from 0 to 1; what may be negative in two colours about 0."""
    signed = name in ("candidate", "hidden", "cell")
    bound = max(1.0, float(values_HT.abs().max())) if signed else 1.0
    image = axes.imshow(
        values_HT.numpy(),
        aspect="auto",
        interpolation="nearest",
        cmap="RdBu_r" if signed else "viridis",
        vmin=-bound if signed else 0,
        vmax=bound,
    )
    figure.colorbar(image, ax=axes, pad=0.02)


def _title(name: str) -> str:
    return name if name == "candidate" else f"{name} state" if name in ("hidden", "cell") else f"{name} gate"


def _counted(units: Sequence[int], layer: LayerTrace) -> str:
    count = layer.carried.size(1)
    return f"{count} units" if len(units) == count else f"the {len(units)} of {count} units that vary most"
