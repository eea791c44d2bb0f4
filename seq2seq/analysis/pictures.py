"""Figures of a trace: gates and states of each cell, states over time, attention, and the beam tree.

If there are more units than fit, the ones that vary most are shown; the trace itself contains all of them.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from torch import Tensor

from seq2seq.analysis.beam_tree import Node, Outcome
from seq2seq.analysis.trace import LayerTrace, Trace
from seq2seq.report.fonts import drawable, use_fonts

MAX_UNITS = 48
"""Rows of a heat map."""

MAX_PIXELS = 16_000_000
"""Pixels of a picture; larger figures get a lower resolution. Each pixel takes 4 bytes while it is drawn."""

DOTS_PER_INCH = 110

MAX_CURVES = 8
"""Lines in a diagram of states over time."""

MAX_STEPS = 60
"""Columns of a beam tree."""

MIN_TREE_WIDTH = 5.0
"""Inches that the title and the legend of a beam tree need."""

COLOURS = {Outcome.pruned: "0.55", Outcome.kept: "tab:blue", Outcome.finished: "tab:green", Outcome.cut: "tab:purple"}
CHOSEN = "tab:red"


def layer_figure(trace: Trace, layer: LayerTrace) -> Any:
    """Draw heat maps of a cell's gates, candidate and states: one column per token, one row per unit."""
    tokens = [drawable(token) for token in trace.tokens_of(layer)]
    panels = {**layer.gates, "hidden": layer.hidden, **({} if layer.cell is None else {"cell": layer.cell})}
    units = most_variable(layer.recurrent_state, MAX_UNITS)
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    width, height = 1.3 + max(2.4, 0.24 * len(tokens)), 1.6 + max(1.6, 0.115 * len(units))
    figure = new_figure(columns * width, lines * height + 0.5)
    count = layer.recurrent_state.size(1)
    shown = f"{count} units" if len(units) == count else f"the {len(units)} of {count} units that vary most"
    figure.suptitle(f"{_title(layer)}: {shown}")
    for number, (name, values) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(lines, columns, number)
        _heat_map(figure, axes, name, values[:, units].T)
        kind = "" if name == "candidate" else " state" if name in ("hidden", "cell") else " gate"
        axes.set_title(f"{name}{kind}", fontsize="medium")
        _token_ticks(axes, tokens)
        axes.set_yticks(range(len(units)), units, fontsize=5.5 if len(units) > 24 else 7)
        axes.set(ylabel="unit" if (number - 1) % columns == 0 else "", xlabel="token read")
    return figure


def states_figure(trace: Trace, layer: LayerTrace) -> Any:
    """Plot the recurrent state of a cell over time: one line for each of the units that vary most."""
    tokens = [drawable(token) for token in trace.tokens_of(layer)]
    units = most_variable(layer.recurrent_state, MAX_CURVES, ordered=True)
    figure = new_figure(2.4 + max(4.0, 0.34 * len(tokens)), 3.6)
    axes = figure.add_subplot()
    for unit in units:
        values = layer.recurrent_state[:, unit].tolist()
        axes.plot(range(len(tokens)), values, ".-", linewidth=1.2, label=f"unit {unit}")
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    state = "hidden" if layer.cell is None else "cell"
    axes.set_title(f"{_title(layer)}: {state} state of the {len(units)} units that vary most", fontsize="medium")
    axes.set(ylabel=f"{state} state after the token", xlabel="token read", xlim=(-0.5, len(tokens) - 0.5))
    _token_ticks(axes, tokens)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small")
    return figure


def attention_figure(trace: Trace) -> Any:
    """Draw the attention weights: one row per target token, one column per source token.

    Raises:
        ValueError: the model has no attention.
    """
    if trace.attention is None:
        raise ValueError("this trace has no attention weights")
    sources, targets = (list(map(drawable, tokens)) for tokens in (trace.source_tokens, trace.target_tokens))
    figure = new_figure(2.6 + 0.3 * len(sources), 1.8 + 0.26 * len(targets))
    axes = figure.add_subplot()
    image = axes.imshow(trace.attention.numpy(), cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=axes, label="weight")
    axes.set_title("attention", fontsize="medium")
    axes.set(xlabel="source token", ylabel="predicted target token")
    _token_ticks(axes, sources)
    axes.set_yticks(range(len(targets)), targets, fontsize=8)
    return figure


def attention_picture(weights_TS: Tensor, source_tokens: Sequence[str], target_tokens: Sequence[str]) -> bytes:
    """Draw attention weights as a small PNG, four times as fast as `attention_figure`, for use during training.

    Args:
        weights_TS: weights with a row and a column for EOS, which come last.
        source_tokens: labels of the columns, without EOS.
        target_tokens: labels of the rows, without EOS.
    """
    sources, targets = ([*map(drawable, tokens), "</s>"] for tokens in (source_tokens, target_tokens))
    cell, letter, gap = 0.24, 0.08, 0.1  # inches
    left, top = (2 * gap + letter * max(map(len, tokens)) for tokens in (targets, sources))
    right, bottom = left + cell * len(sources), gap
    width, height = right + gap, gap + cell * len(targets) + top
    figure = new_figure(width, height, constrained=False)
    axes = figure.add_axes((left / width, bottom / height, (right - left) / width, cell * len(targets) / height))
    axes.imshow(weights_TS.numpy(), cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_axis_off()
    for number, token in enumerate(sources):  # texts are drawn faster than ticks
        x, y = left + cell * (number + 0.5), height - top + gap / 2
        figure.text(x / width, y / height, token, rotation=90, fontsize=8, ha="center", va="bottom")
    for number, token in enumerate(targets):
        x, y = left - gap / 2, bottom + cell * (len(targets) - number - 0.5)
        figure.text(x / width, y / height, token, fontsize=8, ha="right", va="center")
    return png(figure)


def tree_figure(trace: Trace) -> Any:
    """Draw the beam tree: each hypothesis by its last token and its log-probability, connected to its parent.

    Raises:
        ValueError: the trace has no tree.
    """
    if not trace.tree:
        raise ValueError("this trace has no beam tree: its translation was given")
    positions = tree_layout(trace.tree)
    last_step = max(step for step, _ in positions.values())
    last_rank = max(rank for _, rank in positions.values())
    longest = max(len(trace.tree_tokens[number]) for number in positions)
    width = 1.2 + max(0.8, 0.3 + 0.068 * longest) * (last_step + 1)
    figure = new_figure(max(width, MIN_TREE_WIDTH), 1.5 + 0.36 * (last_rank + 1))
    axes = figure.add_subplot()
    for number, (step, rank) in positions.items():
        node = trace.tree[number]
        colour = CHOSEN if node.chosen else COLOURS[node.outcome]
        linewidth = 1.8 if node.chosen else 0.6 if node.outcome is Outcome.pruned else 1.0
        if node.parent in positions:
            parent = positions[node.parent]
            axes.plot([parent[0], step], [parent[1], rank], color=colour, zorder=0, linewidth=linewidth)
        axes.text(
            step,
            rank,
            f"{drawable(trace.tree_tokens[number])}\n{node.log_probability:.2f}",
            ha="center",
            va="center",
            fontsize=7,
            color=colour,
            linespacing=1.0,
            bbox={"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": colour, "linewidth": linewidth},
        )
    cut = "" if last_step == max(node.step for node in trace.tree) else f", first {last_step} steps"
    axes.set_title(f"beam search: last token and log-probability of each hypothesis{cut}", fontsize="medium")
    axes.set(xlabel="step", ylabel="rank in the step", xlim=(-0.6, last_step + 0.6), ylim=(last_rank + 0.8, -0.8))
    axes.set_xticks(range(last_step + 1))
    axes.set_yticks([])
    outcomes = {trace.tree[number].outcome for number in positions}
    legend = {CHOSEN: "chosen", **{colour: str(name) for name, colour in COLOURS.items() if name in outcomes}}
    for colour, name in legend.items():
        axes.plot([], [], color=colour, label=name)
    figure.legend(loc="outside lower center", ncols=len(legend), frameon=False, fontsize="small")
    return figure


def tree_layout(tree: tuple[Node, ...]) -> dict[int, tuple[int, int]]:
    """Return column and row of every node: its step, and its rank by log-probability within the step."""
    steps: defaultdict[int, list[int]] = defaultdict(list)
    for number, node in enumerate(tree):
        if node.step <= MAX_STEPS:
            steps[node.step].append(number)
    ranked = {
        step: sorted(numbers, key=lambda number: -tree[number].log_probability) for step, numbers in steps.items()
    }
    return {number: (step, rank) for step, numbers in ranked.items() for rank, number in enumerate(numbers)}


def most_variable(values: Tensor, count: int, *, ordered: bool = False) -> list[int]:
    """Return the units (columns) with the largest standard deviation over rows, by number or, if ordered, by it."""
    deviation = values.float().std(0, correction=0)
    units: list[int] = deviation.topk(min(count, values.size(1))).indices.tolist()
    return units if ordered else sorted(units)


def new_figure(width: float, height: float, *, constrained: bool = True) -> Any:
    """Return an empty figure of this size in inches, at most 120 by 120."""
    # Imported here because matplotlib takes a second to import.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(min(width, 120.0), min(height, 120.0)), layout="constrained" if constrained else None)
    FigureCanvasAgg(figure)
    return figure


def png(figure: Any) -> bytes:
    """Render a figure as PNG."""
    use_fonts(figure)
    buffer = BytesIO()
    width, height = figure.get_size_inches()
    figure.savefig(buffer, format="png", dpi=min(DOTS_PER_INCH, math.sqrt(MAX_PIXELS / (width * height))))
    return buffer.getvalue()


def _token_ticks(axes: Any, tokens: Sequence[str]) -> None:
    axes.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=8)


def _heat_map(figure: Any, axes: Any, name: str, values_HT: Tensor) -> None:
    """Gates are in [0, 1]; candidates and states may be negative and get a diverging colour map."""
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


def _title(layer: LayerTrace) -> str:
    return f"{layer.location.side}, layer {layer.location.layer}, {layer.location.direction}"
