"""Settings of the laboratory that depend on one another."""

import pytest

from seq2seq.errors import ConfigError
from seq2seq.figures.config import Figure, LaboratoryConfig
from seq2seq.settings import validate, walk


def test_the_defaults_are_valid_and_every_setting_has_a_help_text():
    config = LaboratoryConfig()
    validate(config)
    config.check()
    for path, item, _ in walk(config):
        assert item.metadata.get("help"), f"{path} has no help"


def test_the_default_figures_need_no_training_and_fit_the_run():
    config = LaboratoryConfig()
    assert config.selected(attends=False) == ["contexts", "interpolation", "lengths", "exposure"]
    assert config.selected(attends=True) == ["contexts", "lengths", "exposure"]
    assert not any(figure.trains for figure in config.selected(attends=False))
    repeated = [Figure.interpolation, Figure.width, Figure.interpolation]
    assert LaboratoryConfig(figures=repeated).selected(attends=True) == ["interpolation", "width"]


def test_contradictions_are_rejected_in_a_line():
    config = LaboratoryConfig()
    config.contexts.sentences, config.contexts.input = ["a b c"], "file.txt"
    with pytest.raises(ConfigError, match=r"leave one of the two out$"):
        config.check()
    config = LaboratoryConfig()
    config.interpolation.sentences = ["We work."]
    with pytest.raises(ConfigError, match="only one sentence"):
        config.check()


@pytest.mark.parametrize("numbers", [[10, 10], [20, 10], [0, 5], [-1]])
def test_lists_of_numbers_increase(numbers):
    for name in ("lengths.edges", "sweep.widths"):
        config = LaboratoryConfig()
        section, last = name.split(".")
        setattr(getattr(config, section), last, numbers)
        with pytest.raises(ConfigError, match=f"{name}.*must be positive and increase"):
            config.check()


def test_a_width_figure_needs_a_width():
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
        ([], "interpolation", "steps", 5, "interpolation"),  # the run has attention
    ],
)
def test_settings_of_other_figures_are_rejected(figures, section, name, value, add):
    config = LaboratoryConfig(figures=[Figure(figure) for figure in figures])
    setattr(getattr(config, section), name, value)
    with pytest.raises(ConfigError, match=rf"^{section}\.\* has no effect with figures=\[.*: .* add figure {add}$"):
        config.check_used(config.selected(attends=True))
    config.figures.append(Figure(add))
    config.check_used(config.selected(attends=True))


@pytest.mark.parametrize(
    ("figure", "name", "value", "add"),
    [("contexts", "beam_size", 3, "lengths"), ("interpolation", "bootstrap", 9, "lengths")],
)
def test_settings_of_scores_are_rejected_if_nothing_is_scored(figure, name, value, add):
    config = LaboratoryConfig(figures=[Figure(figure)], **{name: value})
    with pytest.raises(
        ConfigError, match=rf"^{name}={value} has no effect with figures=\[{figure}\]: .* figure {add}$"
    ):
        config.check_used(config.selected(attends=True))
    config.figures.append(Figure(add))
    config.check_used(config.selected(attends=True))


def test_ranges_of_length_are_given_once():
    config = LaboratoryConfig()
    config.lengths.edges, config.lengths.bins = [10, 20], 3
    with pytest.raises(ConfigError, match=r"lengths\.bins has no effect with lengths\.edges"):
        config.check()
