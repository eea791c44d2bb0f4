"""The laboratory's pictures are drawn, whatever is in them."""

import pytest
from laboratories import made_curve, made_score

from seq2seq.figures import pictures as picture
from seq2seq.figures.contexts import CONTEXT, Point, Projection
from seq2seq.figures.exposure_bias import Exposure, Position
from seq2seq.figures.interpolation import Mixture, Walk
from seq2seq.figures.width import Family
from seq2seq.figures.width import Point as WidthPoint

# What a hub data set, a user's file or a poor model may bring: formulas, nothing, another script, length.
ODD = ["$x_1$ costs 5 $ \\alpha", "", "日本語", "word " * 60]


def size(path) -> int:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    return len(data)


@pytest.mark.filterwarnings("ignore:Glyph")  # the font has no Japanese
def test_contexts_of_several_runs_and_sentences_of_any_kind(tmp_path):
    points = [Point(text, float(place), place**2 % 3.0) for place, text in enumerate(ODD)]
    panel = Projection(CONTEXT, 512, points, (0.5, 0.25))
    picture.draw_contexts([("a_$1$", [panel, panel]), ("b", [panel])], tmp_path / "new" / "two.png")
    picture.draw_contexts([("a", [panel])], tmp_path / "one.png")
    assert size(tmp_path / "new" / "two.png") > size(tmp_path / "one.png")


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_walk_of_any_texts(tmp_path):
    mixtures = [Mixture(place / 3, text, -1.0, 100.0 - place, 20.0 * place) for place, text in enumerate(ODD)]
    picture.draw_interpolation("a", [Walk(ODD[0], ODD[3], mixtures)] * 2, tmp_path / "walk.png")
    assert size(tmp_path / "walk.png") > 10_000


def test_scores_with_error_bars(tmp_path):
    picture.draw_lengths("BLEU", [made_curve("a", 30), made_curve("b", 40)], tmp_path / "lengths.png")
    family = Family("a", [WidthPoint(width, 64, 1000, "runs/a", made_score(width / 2), {}) for width in (16, 64, 100)])
    picture.draw_width([family, family._replace(name="b")], tmp_path / "width.png")
    assert size(tmp_path / "lengths.png") > 10_000
    assert size(tmp_path / "width.png") > 10_000


def test_losses_by_position_and_a_run_of_which_nothing_is_shown(tmp_path):
    positions = [Position(place, 100, 1.0, 1.0 + place / 9, (0.0, place / 4), 1 / place) for place in range(1, 9)]
    shown = [Exposure("a", positions, 800, 1.0, 1.5), Exposure("b", [], 20, 1.0, 1.5)]
    picture.draw_exposure(shown, tmp_path / "exposure.png")
    assert size(tmp_path / "exposure.png") > 10_000
