"""Each figure from beginning to end, of tiny runs."""

import pytest
from laboratories import system

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.figures.config import Figure, LaboratoryConfig
from seq2seq.figures.figure import TITLES, draw

PAIRS = [
    Pair("We work.", "Wir arbeiten."),
    Pair("She sleeps.", "Sie schläft."),
    Pair("The man helps the woman.", "Der Mann hilft der Frau."),
]


@pytest.mark.parametrize("figure", Figure)
def test_a_figure_is_measured_drawn_and_told(tiny_run, tmp_path, figure):
    one, other = system(tiny_run, tmp_path / "one"), system(tiny_run, tmp_path / "other", {})
    config = LaboratoryConfig(bootstrap=10)
    config.contexts.sentences = [pair.source for pair in PAIRS]
    config.interpolation.sentences = config.contexts.sentences
    config.interpolation.steps = 3
    config.exposure.sentences = 1
    families = {"one": [one], "other": [other]}
    drawn = draw(figure, families, PairList("test", PAIRS), PAIRS, config)
    drawn.save(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert len(drawn.found) == 2, "two runs, or two walks of one"
    if figure is not Figure.interpolation:
        assert all(name in drawn.table for name in families)


def test_every_figure_of_curves_has_a_title():
    own = {Figure.contexts, Figure.interpolation, Figure.exposure, Figure.width}
    assert {*TITLES} == {*Figure} - own
