"""The pictures show the results, for any text in them."""

from itertools import combinations

import pytest
from drawing import hidden
from laboratories import made_curve, made_score
from matplotlib.text import Text

from seq2seq.figures import pictures
from seq2seq.figures.bleu_curves import WidthCurve, WidthPoint
from seq2seq.figures.contexts import CONTEXT, Point, Projection
from seq2seq.figures.exposure_bias import Exposure, Position
from seq2seq.figures.interpolation import Mixture, Walk
from seq2seq.figures.labels import Box
from seq2seq.report.fonts import drawable

# What a data set, a user's file or a poor model may contain: formulas, nothing, another script, long text.
ODD = ["$x_1$ costs 5 $ \\alpha", "", "日本語", "word " * 60]


def legend(axes):
    return axes.get_legend_handles_labels()[1]


def text_boxes(axes):
    """Return the boxes of all labels that are not empty."""
    renderer = axes.figure.canvas.get_renderer()
    texts = [text for text in axes.texts if text.get_text()]
    return [Box(*map(float, Text.get_window_extent(text, renderer).extents)) for text in texts]


@pytest.mark.filterwarnings("error:Glyph")  # the font has no Japanese
def test_contexts_of_several_runs_and_sentences_of_any_kind(tmp_path):
    points = [Point(text, float(number), number**2 % 3.0) for number, text in enumerate(ODD)]
    panel = Projection(CONTEXT, 512, points, (0.5, 0.25))
    figure = pictures.contexts_figure([("a_$1$", [panel, panel]), ("b", [panel])])
    pictures.save(figure, tmp_path / "new" / "contexts.png")
    assert (tmp_path / "new" / "contexts.png").read_bytes().startswith(b"\x89PNG")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [r"a_\$1\$: context vectors of width 512"] * 2 + ["b: context vectors of width 512"]
    for axes in figure.axes:
        assert axes.lines[0].get_xydata().tolist() == [[point.x, point.y] for point in points]
        assert axes.get_xlabel() == "first component (50% of the variance)"
        assert [text.xy for text in axes.texts] == [(point.x, point.y) for point in points]
        labels = [text.get_text().replace("\n", " ") for text in axes.texts]
        assert labels[:3] == [r"\$x_1\$ costs 5 \$ \alpha", "", drawable("日本語")]
        assert labels[3].startswith("word word")
        assert len(labels[3]) <= pictures.MAX_CHARACTERS


def test_labels_overlap_neither_each_other_nor_a_point():
    points = [Point(f"sentence number {number}", number % 3, number**2 % 5 / 9) for number in range(10)]
    figure = pictures.contexts_figure([("a", [Projection(CONTEXT, 512, points, (0.5, 0.25))])])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = text_boxes(axes)
    assert len(boxes) == len(points)
    assert all(box.overlap(other) == 0 for box, other in combinations(boxes, 2))
    marks = [Box(x - 2, y - 2, x + 2, y + 2) for x, y in axes.transData.transform(axes.lines[0].get_xydata()).tolist()]
    assert all(box.overlap(mark) == 0 for box in boxes for mark in marks)


@pytest.mark.filterwarnings("error:Glyph")
def test_interpolation_of_any_texts():
    mixtures = [Mixture(number / 3, text, -1.0, 100.0 - number, 20.0 * number) for number, text in enumerate(ODD)]
    figure = pictures.interpolation_figure("a", [Walk(ODD[0], ODD[3], mixtures)] * 2)
    figure.draw_without_rendering()
    assert len(figure.axes) == 2
    for axes in figure.axes:
        first, second = axes.lines
        assert first.get_xdata().tolist() == [100, 99, 98, 97]
        assert second.get_xdata().tolist() == [0, 20, 40, 60]
        assert first.get_ydata().tolist() == second.get_ydata().tolist() == [mixture.t for mixture in mixtures]
        texts = [label.get_text() for label in axes.get_yticklabels()]
        assert texts[:3] == [r"\$x_1\$ costs 5 \$ \alpha   0.00", "(nothing)   0.33", drawable("日本語") + "   0.67"]
        assert axes.get_title(loc="left").startswith(r"c₁  \$x_1\$ costs 5 \$ \alpha" + "\nc₂  word")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chrF against the text at t = 0", "at t = 1"]


def test_bleu_by_length_has_error_bars_and_counts():
    figure = pictures.lengths_figure("BLEU", [made_curve("a", 30), made_curve("b", 40)])
    scores, counts = figure.axes
    assert figure.get_suptitle() == "BLEU"
    assert legend(scores) == ["a: 30.0 [29.0, 32.0] over all", "b: 40.0 [39.0, 42.0] over all"]
    lines = [container.lines for container in scores.containers]
    assert [line.get_ydata().tolist() for line, *_ in lines] == [[30, 20], [40, 30]]
    bars = lines[0][2][0].get_segments()
    assert [(low, high) for (_, low), (_, high) in (bar.tolist() for bar in bars)] == [(29, 32), (19, 22)]
    assert [bar.get_height() for bar in counts.patches] == [10, 10]
    assert [label.get_text() for label in counts.get_xticklabels()] == ["1–4", "5"]


def test_bleu_by_width_has_a_line_for_each_run():
    points = [WidthPoint(width, 64, 1000, "runs/a", made_score(width / 2), {}) for width in (16, 64, 100)]
    (axes,) = pictures.width_figure([WidthCurve("a", points), WidthCurve("b", points)]).axes
    assert legend(axes) == ["a", "b"]
    for container in axes.containers:
        assert container.lines[0].get_xydata().tolist() == [[16, 8], [64, 32], [100, 50]]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "64", "100"]


def test_losses_by_position_and_a_run_without_positions():
    positions = [Position(number, 100, 1.0, 1.0 + number / 9, (0.0, number / 4), 1 / number) for number in range(1, 9)]
    figure = pictures.exposure_figure([Exposure("a", positions, 800, 1.0, 1.5), Exposure("b", [], 20, 1.0, 1.5)])
    figure.draw_without_rendering()
    losses, agreement = figure.axes
    assert legend(losses) == [
        "a, free-running: 1.50 over all",
        "a, teacher-forced: 1.00 over all",
        "b, free-running: 1.50 over all",
        "b, teacher-forced: 1.00 over all",
    ]
    free, teacher, *empty = (line.get_ydata().tolist() for line in losses.lines)
    assert free == [position.free_running for position in positions]
    assert teacher == [1.0] * 8
    assert empty == [[], []]
    assert agreement.lines[0].get_xdata().tolist() == [*range(1, 9)]
    assert agreement.lines[0].get_ydata().tolist() == pytest.approx([100 / number for number in range(1, 9)])


@pytest.mark.parametrize("name", ["a", "runs/a-run-with-a-long-name-" + "and-more-" * 9])
def test_no_title_or_legend_is_cut_off_or_covers_a_curve(name):
    mixtures = [Mixture(number / 3, "x", 0.0, 100.0 - number, 20.0 * number) for number in range(4)]
    positions = [Position(number, 50, 1.0, 1.5, (0.1, 0.3), 0.5) for number in range(1, 8)]
    widths = [WidthPoint(width, 64, 1000, "runs/a", made_score(width / 2), {}) for width in (16, 64, 100)]
    points = [Point("We work.", float(number), number % 3) for number in range(5)]
    names = [f"{name}{number}" for number in range(5)]
    for figure in (
        pictures.lengths_figure("BLEU by source length", [made_curve(each, 30) for each in names]),
        pictures.width_figure([WidthCurve(each, widths) for each in names]),
        pictures.exposure_figure([Exposure(each, positions, 800, 1.0, 1.5) for each in names[:3]]),
        pictures.interpolation_figure(name, [Walk(ODD[3], "Wir.", mixtures)] * 2),
        pictures.contexts_figure([(name, [Projection(CONTEXT, 512, points, (0.5, 0.25))])]),
    ):
        assert hidden(figure) == []
    assert pictures.short_name(names[0]) != pictures.short_name(names[1])
