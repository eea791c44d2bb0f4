"""What the benchmark's settings demand of one another."""

import pytest

from seq2seq.benchmark.config import BenchmarkConfig, Part
from seq2seq.errors import ConfigError
from seq2seq.report.usage import described, help_node
from seq2seq.settings import validate, walk


def test_the_defaults_are_valid():
    config = BenchmarkConfig()
    validate(config)
    config.check()
    assert config.parts == [Part.training, Part.translation]


def test_every_setting_says_what_it_means():
    for path, item, _ in walk(BenchmarkConfig()):
        assert item.metadata.get("help"), f"{path} has no help"


def test_help_shows_lists_as_they_are_typed():
    assert described([Part.training, Part.scale]) == "[training,scale]"
    assert "scale.layers = [1,2,4,8]" in help_node("benchmark", BenchmarkConfig, {})["template"]


def test_another_program_needs_an_expression_for_its_figure():
    config = BenchmarkConfig()
    config.against.command = "true"
    with pytest.raises(ConfigError, match=r"against\.figure"):
        config.check()


def test_a_point_of_a_scale_is_at_least_one():
    config = BenchmarkConfig()
    config.scale.layers = [1, 0]
    with pytest.raises(ConfigError, match=r"scale\.layers .* got 0"):
        config.check()


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match=r"must be one of .*float16.* got half$"):
        BenchmarkConfig(precision="half").check()


@pytest.mark.parametrize(("asked", "used"), [("float16", "auto"), ("bfloat16", "bfloat16"), ("int8", "int8")])
def test_a_precision_that_only_trains_leaves_translation_alone(asked, used):
    config = BenchmarkConfig(precision=asked)
    config.check()
    assert config.translation_precision == used
