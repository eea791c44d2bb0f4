"""What the laboratory's settings demand of one another."""

import pytest

from seq2seq.errors import ConfigError
from seq2seq.figures.config import Figure, LaboratoryConfig
from seq2seq.settings import validate, walk


def test_the_defaults_are_valid_and_every_setting_says_what_it_means():
    config = LaboratoryConfig()
    validate(config)
    config.check()
    for path, item, _ in walk(config):
        assert item.metadata.get("help"), f"{path} has no help"


def test_without_a_choice_all_is_drawn_that_trains_nothing_and_fits_the_run():
    config = LaboratoryConfig()
    assert config.chosen(attends=False) == ["contexts", "interpolation", "lengths", "exposure"]
    assert config.chosen(attends=True) == ["contexts", "lengths", "exposure"]
    assert not any(figure.trains for figure in config.chosen(attends=False))
    asked = [Figure.interpolation, Figure.width, Figure.interpolation]
    assert LaboratoryConfig(figures=asked).chosen(attends=True) == ["interpolation", "width"]


def test_what_contradicts_itself_is_refused_in_a_line():
    config = LaboratoryConfig()
    config.contexts.sentences, config.contexts.input = ["a b c"], "file.txt"
    with pytest.raises(ConfigError, match=r"keep one of the two$"):
        config.check()
    config = LaboratoryConfig()
    config.interpolation.sentences = ["We work."]
    with pytest.raises(ConfigError, match="one sentence"):
        config.check()


@pytest.mark.parametrize("numbers", [[10, 10], [20, 10], [0, 5], [-1]])
def test_lists_of_numbers_rise(numbers):
    for name in ("lengths.edges", "sweep.widths"):
        config = LaboratoryConfig()
        section, last = name.split(".")
        setattr(getattr(config, section), last, numbers)
        with pytest.raises(ConfigError, match=f"{name}.*must rise"):
            config.check()


def test_a_width_figure_has_a_point():
    config = LaboratoryConfig(figures=[Figure.width])
    config.sweep.widths = []
    with pytest.raises(ConfigError, match=r"sweep\.widths"):
        config.check()


@pytest.mark.parametrize(
    ("figures", "section", "name", "value", "add"),
    [
        (["contexts"], "exposure", "positions", 9, "exposure"),
        (["exposure", "width"], "lengths", "bins", 3, "lengths"),
        ([], "sweep", "updates", 9, "width"),
        ([], "interpolation", "steps", 5, "interpolation"),  # the run attends
    ],
)
def test_settings_of_figures_that_are_not_drawn_are_refused(figures, section, name, value, add):
    config = LaboratoryConfig(figures=[Figure(figure) for figure in figures])
    setattr(getattr(config, section), name, value)
    with pytest.raises(ConfigError, match=rf"^{section}\.\* does nothing in figures=\[.*: .* add figure {add}$"):
        config.chosen(attends=True)
    config.figures.append(Figure(add))
    config.chosen(attends=True)


@pytest.mark.parametrize(
    ("figure", "name", "value", "add"),
    [("contexts", "beam_size", 3, "lengths"), ("interpolation", "bootstrap", 9, "lengths")],
)
def test_settings_of_scores_are_refused_where_nothing_is_scored(figure, name, value, add):
    config = LaboratoryConfig(figures=[Figure(figure)], **{name: value})
    with pytest.raises(ConfigError, match=rf"^{name}={value} does nothing in figures=\[{figure}\]: .* figure {add}$"):
        config.chosen(attends=True)
    config.figures.append(Figure(add))
    config.chosen(attends=True)


def test_ranges_of_length_are_named_once():
    config = LaboratoryConfig()
    config.lengths.edges, config.lengths.bins = [10, 20], 3
    with pytest.raises(ConfigError, match=r"lengths\.bins does nothing beside lengths\.edges"):
        config.check()
