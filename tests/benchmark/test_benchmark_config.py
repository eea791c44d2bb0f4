"""Checks of the benchmark's settings."""

import pytest

from seq2seq.benchmark.config import BenchmarkConfig, Part
from seq2seq.errors import ConfigError
from seq2seq.settings import override_value, validate, walk


def test_the_defaults_are_valid():
    config = BenchmarkConfig()
    validate(config)
    config.check()
    assert config.parts == [Part.training, Part.translation]


def test_every_setting_has_help():
    for path, item, _ in walk(BenchmarkConfig()):
        assert item.metadata.get("help"), f"{path} has no help"


def test_help_shows_lists_in_the_syntax_of_overrides():
    assert override_value([Part.training, Part.serving]) == "[training,serving]"
    assert override_value(BenchmarkConfig().preparation.pairs) == "[100000,1000000]"


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match=r"must be one of .*float16.* got half$"):
        BenchmarkConfig(precision="half").check()


@pytest.mark.parametrize(("asked", "used"), [("float16", "auto"), ("bfloat16", "bfloat16"), ("int8", "int8")])
def test_a_precision_that_cannot_translate_is_replaced_by_auto(asked, used):
    config = BenchmarkConfig(precision=asked)
    config.check()
    assert config.translation_precision == used
