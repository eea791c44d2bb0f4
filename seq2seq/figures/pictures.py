"""The figures of the laboratory, drawn with matplotlib."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.figures.bleu_curves import Curve, WidthCurve
from seq2seq.figures.contexts import Projection
from seq2seq.figures.exposure_bias import Exposure
from seq2seq.figures.interpolation import Walk
from seq2seq.figures.labels import add_labels
from seq2seq.metrics.score import Metric
from seq2seq.report.fonts import drawable, use_fonts
from seq2seq.system.atomic import atomic_write

COLOURS = ["tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:olive"]
MARKERS = "os^Dv<>P"
MAX_CHARACTERS = 90
"""Longer texts are cut."""
MAX_NAME = 45
"""The same of a run's name."""


def contexts_figure(runs: Sequence[tuple[str, Sequence[Projection]]]) -> Any:
    """Plot sentences in the plane of two principal components (Sutskever et al. 2014, figure 2).

    Each row of panels is a run, each column a set of sentences.
    """
    columns = max(len(panels) for _, panels in runs)
    figure = _new_figure(7.2 * columns, 5.2 * len(runs))
    labels = []
    for row, (name, panels) in enumerate(runs):
        for column, panel in enumerate(panels):
            axes = figure.add_subplot(len(runs), columns, row * columns + column + 1)
            points = [(point.x, point.y) for point in panel.points]
            axes.plot(
                [x for x, _ in points], [y for _, y in points], "o", color=COLOURS[row % len(COLOURS)], markersize=5
            )
            axes.margins(0.28, 0.16)  # room for labels
            first, second = panel.explained_variance
            axes.set_title(f"{short_name(name)}: {panel.vector}s of width {panel.width:,}", fontsize="medium")
            axes.set(xlabel=f"first component ({first:.0%} of the variance)", ylabel=f"second component ({second:.0%})")
            axes.axhline(0, color="0.9", linewidth=0.8, zorder=0)
            axes.axvline(0, color="0.9", linewidth=0.8, zorder=0)
            labels.append((axes, points, [textwrap.fill(short(point.sentence), 34) for point in panel.points]))
    for axes, points, texts in labels:  # only now is the layout final
        add_labels(axes, points, texts, fontsize=8.5)
    return figure


def interpolation_figure(name: str, walks: Sequence[Walk]) -> Any:
    """Plot each mixture's text with its similarity to the texts of both ends."""
    longest = max(len(mixture.text) for walk in walks for mixture in walk.mixtures)
    rows = sum(len(walk.mixtures) for walk in walks)
    title = f"{short_name(name)}: translations of (1 − t) c₁ + t c₂"
    longest_end = max(len(short(end)) for walk in walks for end in (walk.first, walk.second))
    width = max(0.1 * len(title), 0.075 * min(longest, 90) + max(4.6, 1.0 + 0.08 * longest_end))
    figure = _new_figure(width, 0.26 * rows + 1.5 * len(walks) + 0.5)
    figure.suptitle(title)
    ratios = [len(walk.mixtures) + 3 for walk in walks]
    for axes, walk in zip(_stacked_axes(figure, ratios), walks, strict=True):
        shares = [mixture.t for mixture in walk.mixtures]
        first, second = (
            [mixture.to_first for mixture in walk.mixtures],
            [mixture.to_second for mixture in walk.mixtures],
        )
        axes.plot(first, shares, "o-", color=COLOURS[0], label="chrF against the text at t = 0")
        axes.plot(second, shares, "s-", color=COLOURS[1], label="at t = 1")
        texts = [f"{short(mixture.text) or '(nothing)'}   {mixture.t:.2f}" for mixture in walk.mixtures]
        axes.set_yticks(shares, texts, fontsize=9)
        axes.set(xlim=(-4, 104), ylim=(1.06, -0.06))
        axes.set_title(f"c₁  {short(walk.first)}\nc₂  {short(walk.second)}", fontsize=9.5, loc="left")
        axes.grid(axis="x", color="0.9")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), fontsize=9, loc="outside lower right", ncols=2)
    return figure


def lengths_figure(title: str, curves: Sequence[Curve]) -> Any:
    """Plot BLEU by source length with bootstrap intervals, one line per system, and the number of sentences."""
    figure = _new_figure(7.5, 5.6)
    figure.suptitle(title)
    scores, counts = _stacked_axes(figure, [4, 1])
    bins = curves[0].bins
    for number, curve in enumerate(curves):
        positions = [position + 0.08 * (number - (len(curves) - 1) / 2) for position in range(len(bins))]
        label = f"{short_name(curve.name)}: {metric_text(curve.whole.bleu)} over all"
        _plot_scores(scores, positions, [bin_.score.bleu for bin_ in curve.bins], number, label)
    scores.set(ylabel=f"BLEU (beam {curves[0].beam_size}), 95 % interval", xlim=(-0.5, len(bins) - 0.5))
    scores.set_xticks([])
    _add_legend(figure, scores)
    scores.grid(axis="y", color="0.9")
    bars = counts.bar(range(len(bins)), [bin_.score.sentences for bin_ in bins], color="0.8", width=0.6)
    counts.bar_label(bars, fontsize=8)
    counts.set_xticks(range(len(bins)), [str(bin_.range) for bin_ in bins])
    counts.set(xlabel="source length in words", ylabel="sentences", xlim=(-0.5, len(bins) - 0.5))
    counts.margins(y=0.3)
    return figure


def width_figure(curves: Sequence[WidthCurve]) -> Any:
    """Plot BLEU against the width of the context vector (logarithmic), one line per run."""
    figure = _new_figure(7.5, 4.8)
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        widths = [float(point.width) for point in curve.points]
        _plot_scores(axes, widths, [point.score.bleu for point in curve.points], number, short_name(curve.name))
    ticks = sorted({point.width for curve in curves for point in curve.points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{width:,}" for width in ticks], minor=False)
    axes.set_title("BLEU against the width of the context vector")
    axes.set(xlabel="width of the context vector", ylabel="BLEU, 95 % interval")
    axes.grid(axis="y", color="0.9")
    _add_legend(figure, axes)
    return figure


def exposure_figure(exposures: Sequence[Exposure]) -> Any:
    """Plot both losses by target position, and how often the free run still equals the reference."""
    figure = _new_figure(7.5, 6.2)
    figure.suptitle("Loss of the reference by position, teacher-forced and free-running")
    losses, agreement = _stacked_axes(figure, [3, 1])
    for number, run in enumerate(exposures):
        positions, colour = [position.position for position in run.positions], COLOURS[number % len(COLOURS)]
        free = [position.free_running for position in run.positions]
        teacher = [position.teacher_forced for position in run.positions]
        for values, style, kind, mean in (
            (free, "s--", "free-running", run.free_running),
            (teacher, "o-", "teacher-forced", run.teacher_forced),
        ):
            label = f"{short_name(run.name)}, {kind}: {mean:.2f} over all"
            losses.plot(positions, values, style, color=colour, markersize=4, label=label)
        low = [position.teacher_forced + position.gap_ci95[0] for position in run.positions]
        high = [position.teacher_forced + position.gap_ci95[1] for position in run.positions]
        losses.fill_between(positions, low, high, color=colour, alpha=0.15, linewidth=0)
        same = [100 * position.same for position in run.positions]
        agreement.plot(positions, same, "^-", color=colour, markersize=4)
    losses.set(ylabel="nats per token; shaded: 95 % interval of the gap", ylim=(0, None))
    _add_legend(figure, losses)
    agreement.set(xlabel="target position in tokens", ylabel="% still equal to\nthe reference", ylim=(0, 104))
    for axes in (losses, agreement):
        axes.grid(color="0.92")
        axes.locator_params(axis="x", integer=True)
    return figure


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG.

    Raises:
        RunError: the file cannot be written.
    """
    use_fonts(figure)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def short(text: str) -> str:
    """Cut a text to `MAX_CHARACTERS`, and prepare it for matplotlib."""
    return drawable(textwrap.shorten(text, MAX_CHARACTERS, placeholder="…"))


def short_name(name: str) -> str:
    """Cut the start of a run's name, since names of runs often differ in their end, and prepare it for matplotlib."""
    return short(name if len(name) <= MAX_NAME else f"…{name[1 - MAX_NAME :]}")


def metric_text(metric: Metric) -> str:
    """Return a score with its confidence interval."""
    return f"{metric.score:.1f}" + (f" [{metric.ci95[0]:.1f}, {metric.ci95[1]:.1f}]" if metric.ci95 else "")


def _plot_scores(axes: Any, x: Sequence[float], metrics: Sequence[Metric], number: int, label: str) -> None:
    """Plot one line with error bars."""
    intervals = [metric.ci95 or (metric.score, metric.score) for metric in metrics]
    below = [max(0.0, metric.score - low) for metric, (low, _) in zip(metrics, intervals, strict=True)]
    above = [max(0.0, high - metric.score) for metric, (_, high) in zip(metrics, intervals, strict=True)]
    style: Mapping[str, Any] = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
    scores = [metric.score for metric in metrics]
    axes.errorbar(x, scores, [below, above], capsize=3, markersize=5, label=label, **style)


def _add_legend(figure: Any, axes: Any) -> None:
    """Add a legend below the axes, where it covers no curve, and make room for it."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 1 if max(map(len, labels), default=0) > MAX_NAME else 2
    figure.set_figheight(figure.get_figheight() + 0.3 + 0.17 * -(-len(labels) // columns))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8.5)


def _new_figure(width: float, height: float) -> Any:
    # Imported here because matplotlib takes a second to import.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _stacked_axes(figure: Any, ratios: Sequence[float]) -> list[Any]:
    """Return axes below one another with these relative heights."""
    return list(figure.subplots(len(ratios), 1, height_ratios=ratios, squeeze=False).flat)
