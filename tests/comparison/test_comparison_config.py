"""Settings of a comparison that are refused before any work."""

import pytest

from seq2seq.comparison.config import CompareConfig
from seq2seq.errors import ConfigError
from seq2seq.settings import validate


def test_the_defaults_are_valid_but_for_the_systems():
    config = CompareConfig(systems=["a", "b"])
    validate(config)
    config.check()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"systems": []}, r"has 0 entries.* needs two"),
        ({"systems": ["runs/*"]}, r"has 1 entry.*a pattern or a folder of runs is one system"),
        ({"systems": ["a", "b", "a"]}, "a twice"),
        ({"lengths": [10, 10]}, r"lengths must rise .*\[10, 10\]"),
        ({"rare": [0, 1]}, "rare must rise from at least 1"),
        ({"output": ["report.pdf"]}, r"\.json, \.md, \.html, got report\.pdf"),
    ],
)
def test_mistakes_are_one_line(settings, words):
    config = CompareConfig(**{"systems": ["a", "b"], **settings})
    with pytest.raises(ConfigError, match=words) as raised:
        config.check()
    assert "\n" not in str(raised.value)
