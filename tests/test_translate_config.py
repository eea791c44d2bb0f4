"""What recipes that translate may be told."""

import pytest

from seq2seq.errors import ConfigError
from seq2seq.search import Method, SearchChanges, SearchConfig
from seq2seq.translate_config import TranslateConfig
from seq2seq.translation.types import Copy

RUN = SearchConfig(beam_size=4, length_penalty=0.5)


def test_short_names_and_long_ones_change_the_runs_search():
    assert TranslateConfig().searching(RUN) == RUN
    assert TranslateConfig(beam_size=2, n_best=2).searching(RUN) == SearchConfig(
        beam_size=2, n_best=2, length_penalty=0.5
    )
    changes = SearchChanges(method=Method.sampling, top_k=3, n_best=2)
    assert TranslateConfig(search=changes, n_best=2).searching(RUN) == SearchConfig(
        method=Method.sampling, beam_size=4, top_k=3, n_best=2, length_penalty=0.5
    )
    with pytest.raises(ConfigError, match=r"^n_best=3 and search.n_best=2 are the same setting: leave one out$"):
        TranslateConfig(search=changes, n_best=3).searching(RUN)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"json": True}, "json"),
        ({"phrases": ["a"]}, "phrases"),
        ({"glossary": "a"}, "glossary"),
        ({"copy": Copy.all}, "copy"),
        ({"n_best": 2}, "n_best"),
        ({"search": SearchChanges(n_best=2)}, "n_best"),
    ],
)
def test_what_grows_is_one_translation_and_nothing_else(settings, named):
    TranslateConfig(**settings).check()
    with pytest.raises(ConfigError, match=rf"^stream=true shows one translation while it grows: leave {named} out$"):
        TranslateConfig(stream=True, **settings).check()


def test_one_prefix_or_one_for_each():
    TranslateConfig(prefix="a", stream=True).check()
    with pytest.raises(ConfigError, match=r"^prefix is for all lines and prefixes for each: leave one out$"):
        TranslateConfig(prefix="a", prefixes="b").check()
