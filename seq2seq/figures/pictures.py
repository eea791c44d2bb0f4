"""The laboratory's figures as pictures (PNG)."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.figures.contexts import Projection
from seq2seq.figures.exposure_bias import Exposure
from seq2seq.figures.interpolation import Walk
from seq2seq.figures.labels import label
from seq2seq.figures.lengths import Curve
from seq2seq.figures.width import Family
from seq2seq.metrics.score import Metric
from seq2seq.system.atomic import atomic_write

COLOURS = ["tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:olive"]
MARKERS = "os^Dv<>P"
LONGEST = 90
"""Characters of a text that are shown."""


def draw_contexts(runs: Sequence[tuple[str, Sequence[Projection]]], path: Path) -> None:
    """Sentences in the plane of their first two principal components (Sutskever et al. 2014, figure 2).

    A run a row, a set of sentences a column.
    """
    columns = max(len(panels) for _, panels in runs)
    figure = _figure(7.2 * columns, 5.2 * len(runs))
    every = []
    for row, (name, panels) in enumerate(runs):
        for column, panel in enumerate(panels):
            axes = figure.add_subplot(len(runs), columns, row * columns + column + 1)
            points = [(point.x, point.y) for point in panel.points]
            axes.plot(
                [x for x, _ in points], [y for _, y in points], "o", color=COLOURS[row % len(COLOURS)], markersize=5
            )
            axes.margins(0.28, 0.16)  # labels need room
            first, second = panel.explained_variance
            axes.set_title(f"{short(name)}: {panel.vector}s of {panel.width:,} numbers", fontsize="medium")
            axes.set(xlabel=f"first component ({first:.0%} of the variance)", ylabel=f"second component ({second:.0%})")
            axes.axhline(0, color="0.9", linewidth=0.8, zorder=0)
            axes.axvline(0, color="0.9", linewidth=0.8, zorder=0)
            every.append((axes, points, [textwrap.fill(short(point.sentence), 34) for point in panel.points]))
    for axes, points, texts in every:  # once no axes move any more
        label(axes, points, texts, fontsize=8.5)
    _save(figure, path)


def draw_interpolation(name: str, paths: Sequence[Walk], path: Path) -> None:
    """What each mixture says, beside how like the texts of the two ends that is."""
    longest = max(len(mixture.text) for one in paths for mixture in one.mixtures)
    rows = sum(len(one.mixtures) for one in paths)
    figure = _figure(4.6 + 0.075 * min(longest, 90), 0.26 * rows + 1.5 * len(paths) + 0.5)
    figure.suptitle(f"{short(name)}: translations of (1 − t) c₁ + t c₂")
    ratios = [len(one.mixtures) + 3 for one in paths]
    for axes, one in zip(_column(figure, ratios), paths, strict=True):
        shares = [mixture.t for mixture in one.mixtures]
        axes.plot(
            [mixture.to_first for mixture in one.mixtures],
            shares,
            "o-",
            color=COLOURS[0],
            label="chrF against the text at t = 0",
        )
        axes.plot([mixture.to_second for mixture in one.mixtures], shares, "s-", color=COLOURS[1], label="at t = 1")
        texts = [f"{short(mixture.text) or '(nothing)'}   {mixture.t:.2f}" for mixture in one.mixtures]
        axes.set_yticks(shares, texts, fontsize=9)
        axes.set(xlim=(-4, 104), ylim=(1.06, -0.06))
        axes.set_title(f"c₁  {short(one.first)}\nc₂  {short(one.second)}", fontsize=9.5, loc="left")
        axes.grid(axis="x", color="0.9")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), fontsize=9, loc="outside lower right", ncols=2)
    _save(figure, path)


def draw_lengths(title: str, curves: Sequence[Curve], path: Path) -> None:
    """BLEU by source length with bootstrap intervals, a line a system, and how many sentences there are."""
    figure = _figure(7.5, 5.6)
    figure.suptitle(title)
    scores, counts = _column(figure, [4, 1])
    bins = curves[0].bins
    for number, curve in enumerate(curves):
        places = [place + 0.08 * (number - (len(curves) - 1) / 2) for place in range(len(bins))]
        shown = f"{short(curve.name)}: {_interval(curve.whole.bleu)} over all"
        _points(scores, places, [one.score.bleu for one in curve.bins], number, shown)
    scores.set(ylabel=f"BLEU (beam {curves[0].beam_size}), 95 % interval", xlim=(-0.5, len(bins) - 0.5))
    scores.set_xticks([])
    scores.legend(fontsize=8.5)
    scores.grid(axis="y", color="0.9")
    bars = counts.bar(range(len(bins)), [one.score.sentences for one in bins], color="0.8", width=0.6)
    counts.bar_label(bars, fontsize=8)
    counts.set_xticks(range(len(bins)), [str(one.range) for one in bins])
    counts.set(xlabel="words of the source", ylabel="sentences", xlim=(-0.5, len(bins) - 0.5))
    counts.margins(y=0.3)
    _save(figure, path)


def draw_width(families: Sequence[Family], path: Path) -> None:
    """BLEU by width of the context vector, logarithmic, a line a run whose siblings were trained."""
    figure = _figure(7.5, 4.8)
    axes = figure.add_subplot()
    for number, family in enumerate(families):
        widths = [point.width for point in family.points]
        scores = [point.score.bleu for point in family.points]
        _points(axes, [float(width) for width in widths], scores, number, short(family.name))
    ticks = sorted({point.width for family in families for point in family.points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{width:,}" for width in ticks], minor=False)
    axes.set_title("BLEU against the width of the context vector")
    axes.set(xlabel="width of the context vector (numbers)", ylabel="BLEU, 95 % interval")
    axes.grid(axis="y", color="0.9")
    axes.legend(fontsize=8.5)
    _save(figure, path)


def draw_exposure(exposures: Sequence[Exposure], path: Path) -> None:
    """Both losses by target position, and how often the free run has written the reference so far."""
    figure = _figure(7.5, 6.2)
    figure.suptitle("Loss of the reference, by position: the decoder reads the reference, or itself")
    losses, agreement = _column(figure, [3, 1])
    for number, one in enumerate(exposures):
        places, colour = [position.position for position in one.positions], COLOURS[number % len(COLOURS)]
        free = [position.free_running for position in one.positions]
        teacher = [position.teacher_forced for position in one.positions]
        losses.plot(
            places,
            free,
            "s--",
            color=colour,
            markersize=4,
            label=f"{short(one.name)}, free-running: {one.free_running:.2f} over all",
        )
        losses.plot(
            places,
            teacher,
            "o-",
            color=colour,
            markersize=4,
            label=f"{short(one.name)}, teacher-forced: {one.teacher_forced:.2f} over all",
        )
        low = [position.teacher_forced + position.gap_ci95[0] for position in one.positions]
        high = [position.teacher_forced + position.gap_ci95[1] for position in one.positions]
        losses.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
        agreement.plot(places, [100 * position.same for position in one.positions], "^-", color=colour, markersize=4)
    losses.set(ylabel="nats per piece; shaded: 95 % of the gap", ylim=(0, None))
    losses.legend(fontsize=8.5)
    agreement.set(xlabel="target position (pieces)", ylabel="% still equal to\nthe reference", ylim=(0, 104))
    for axes in (losses, agreement):
        axes.grid(color="0.92")
        axes.locator_params(axis="x", integer=True)
    _save(figure, path)


def short(text: str) -> str:
    """The text as matplotlib can show it: no longer than `LONGEST`, and its dollar signs no formulas."""
    return textwrap.shorten(text, LONGEST, placeholder="…").replace("$", r"\$")


def _points(axes: Any, places: Sequence[float], metrics: Sequence[Metric], number: int, name: str) -> None:
    """One line with error bars."""
    ends = [metric.ci95 or (metric.score, metric.score) for metric in metrics]
    below = [max(0.0, metric.score - low) for metric, (low, _) in zip(metrics, ends, strict=True)]
    above = [max(0.0, high - metric.score) for metric, (_, high) in zip(metrics, ends, strict=True)]
    style: Mapping[str, Any] = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
    axes.errorbar(
        places, [metric.score for metric in metrics], [below, above], capsize=3, markersize=5, label=name, **style
    )


def _interval(metric: Metric) -> str:
    return f"{metric.score:.1f}" + (f" [{metric.ci95[0]:.1f}, {metric.ci95[1]:.1f}]" if metric.ci95 else "")


def _figure(width: float, height: float) -> Any:
    # Imported here: matplotlib takes a second, and nothing else in this room needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _column(figure: Any, ratios: Sequence[float]) -> list[Any]:
    """Axes below one another, of these heights."""
    return list(figure.subplots(len(ratios), 1, height_ratios=ratios, squeeze=False).flat)


def _save(figure: Any, path: Path) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")
