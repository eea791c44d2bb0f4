import json
import math

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from seq2seq.training.learning_curve import bleu_limit, draw_learning_curve


@pytest.fixture
def drawn(monkeypatch):
    """Return the saved figures."""
    figures, save = [], Figure.savefig

    def spy(figure: Figure, path: object, *, dpi: int, format: str) -> None:
        figures.append(figure)
        save(figure, path, dpi=dpi, format=format)

    monkeypatch.setattr(Figure, "savefig", spy)
    return figures


def record(folder, *records):
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in records), "utf-8")


def test_losses_and_bleu_are_drawn_over_updates(tmp_path, drawn):
    record(
        tmp_path,
        {"kind": "train", "update": 1, "loss": 4.0},
        {"kind": "train", "update": 2, "loss": 3.0},
        {"kind": "validation", "update": 2, "loss": 3.5, "perplexity": 33.0, "bleu": 7.0},
        {"kind": "train", "update": 3, "loss": 2.0},
        {"kind": "validation", "update": 4, "loss": math.inf, "perplexity": math.inf, "bleu": 9.0},
    )
    draw_learning_curve(tmp_path)
    lines = {line.get_label(): line.get_xydata().tolist() for axes in drawn[0].axes for line in axes.get_lines()}
    assert lines["training loss"] == [[1, 4.0], [2, 3.0], [3, 2.0]]
    assert lines["validation loss"] == [[2, 3.5], [4, math.inf]]
    assert lines["validation BLEU (greedy)"] == [[2, 7.0], [4, 9.0]]
    picture = imread(tmp_path / "learning_curve.png")
    assert picture.shape[:2] == (540, 960)
    assert picture.std() > 0.01


def test_a_run_without_records_has_an_empty_picture(tmp_path, drawn):
    draw_learning_curve(tmp_path)
    assert imread(tmp_path / "learning_curve.png").shape[:2] == (540, 960)
    assert all(line.get_xydata().size == 0 for axes in drawn[0].axes for line in axes.get_lines())


def test_a_language_models_curve_has_no_bleu(tmp_path, drawn):
    record(
        tmp_path,
        {"kind": "train", "update": 1, "loss": 4.0},
        {"kind": "validation", "update": 2, "loss": 3.5, "perplexity": 33.0},
    )
    draw_learning_curve(tmp_path)
    [axes] = drawn[0].axes
    assert [line.get_label() for line in axes.get_lines()] == ["training loss", "validation loss"]


def test_the_legend_covers_no_curve_and_the_bleu_axis_fits(tmp_path, drawn):
    updates = range(1, 41)
    record(
        tmp_path,
        *({"kind": "train", "update": update, "loss": 4 / update} for update in updates),
        *({"kind": "validation", "update": u, "loss": 4 / u, "perplexity": 2.0, "bleu": u / 10} for u in updates),
    )
    draw_learning_curve(tmp_path)
    [legend] = [*drawn[0].legends, *(axes.get_legend() for axes in drawn[0].axes if axes.get_legend())]
    assert not any(legend.get_window_extent().overlaps(axes.get_window_extent()) for axes in drawn[0].axes)
    low, high = drawn[0].axes[1].get_ylim()
    assert (low, high) == (0, pytest.approx(4.4))


@pytest.mark.parametrize(("values", "limit"), [([], 1), ([0.0], 1), ([40.0, 20.0], 44), ([99.0], 100)])
def test_the_bleu_axis_ends_a_little_above_the_scores(values, limit):
    assert bleu_limit(values) == pytest.approx(limit)
