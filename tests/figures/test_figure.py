"""Every figure for tiny runs, from measurement to picture."""

import pytest
from laboratories import system

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.figures.config import Figure, LaboratoryConfig
from seq2seq.figures.figure import TITLES, make_figure
from seq2seq.figures.pictures import save

PAIRS = [
    Pair("We work.", "Wir arbeiten."),
    Pair("She sleeps.", "Sie schläft."),
    Pair("The man helps the woman.", "Der Mann hilft der Frau."),
]


@pytest.mark.ci
@pytest.mark.parametrize("figure", Figure)
def test_a_figure_is_measured_drawn_and_tabulated(tiny_run, tmp_path, figure):
    first, second = system(tiny_run, tmp_path / "one"), system(tiny_run, tmp_path / "other", {})
    config = LaboratoryConfig(bootstrap=10)
    config.contexts.sentences = [pair.source for pair in PAIRS]
    config.interpolation.sentences = config.contexts.sentences
    config.interpolation.steps = 3
    config.exposure.sentences = 1
    systems = {"one": [first], "other": [second]}
    result = make_figure(figure, systems, PairList("test", PAIRS), PAIRS, config)
    save(result.figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert len(result.data) == 2, "two runs, or two lines of one run"
    assert all(axes.has_data() for axes in result.figure.axes)
    if figure is not Figure.interpolation:
        assert all(name in result.table for name in systems)


def test_every_figure_of_curves_has_a_title():
    untitled = {Figure.contexts, Figure.interpolation, Figure.exposure, Figure.width}
    assert {*TITLES} == {*Figure} - untitled
