"""What recipes that translate may be told."""

import pytest

from seq2seq.errors import ConfigError
from seq2seq.search import Method, SearchConfig, SearchOverrides
from seq2seq.translation.config import DocumentConfig, TranslateConfig
from seq2seq.translation.types import Copy

RUN = SearchConfig(beam_size=4, length_penalty=0.5)


def test_short_names_and_long_ones_change_the_runs_search():
    assert TranslateConfig().search_config(RUN) == RUN
    assert TranslateConfig(beam_size=2, n_best=2).search_config(RUN) == SearchConfig(
        beam_size=2, n_best=2, length_penalty=0.5
    )
    changes = SearchOverrides(method=Method.sampling, top_k=3, n_best=2)
    assert TranslateConfig(search=changes, n_best=2).search_config(RUN) == SearchConfig(
        method=Method.sampling, beam_size=4, top_k=3, n_best=2, length_penalty=0.5
    )
    with pytest.raises(ConfigError, match=r"^n_best=3 and search.n_best=2 are the same setting: leave one out$"):
        TranslateConfig(search=changes, n_best=3).search_config(RUN)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"json": True}, "json"),
        ({"phrases": ["a"]}, "phrases"),
        ({"glossary": "a"}, "glossary"),
        ({"copy": Copy.all}, "copy"),
        ({"n_best": 2}, "n_best"),
        ({"search": SearchOverrides(n_best=2)}, "n_best"),
    ],
)
def test_what_grows_is_one_translation_and_nothing_else(settings, named):
    TranslateConfig(**{"json": named == "n_best", **settings}).check()
    with pytest.raises(ConfigError, match=rf"^stream=true shows one translation while it grows: leave {named} out$"):
        TranslateConfig(stream=True, **settings).check()


def test_one_prefix_or_one_for_each():
    TranslateConfig(prefix="a", stream=True).check()
    with pytest.raises(ConfigError, match=r"^prefix is for all lines and prefixes for each: leave one out$"):
        TranslateConfig(prefix="a", prefixes="b").check()


@pytest.mark.parametrize("asked", [{"n_best": 2}, {"search": SearchOverrides(n_best=2)}])
def test_more_translations_are_for_json(asked):
    with pytest.raises(ConfigError, match=r"^n_best translations are written as JSON alone: set json=true, or leave"):
        TranslateConfig(**asked).check()
    TranslateConfig(json=True, **asked).check()


def test_a_document_has_one_translation():
    DocumentConfig(search=SearchOverrides(n_best=1)).check()
    with pytest.raises(ConfigError, match=r"^a document has one translation: leave search.n_best out"):
        DocumentConfig(search=SearchOverrides(n_best=2)).check()


OWN = [
    SearchConfig(method=Method.sampling, n_best=7, temperature=0.5, top_k=3),
    SearchConfig(method=Method.minimum_bayes_risk, n_best=7, samples=9),
    SearchConfig(method=Method.diverse_beam, n_best=4, groups=2, beam_size=8),
    SearchConfig(n_best=4, beam_size=8),
]


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize(("beam_size", "n_best"), [(1, 1), (5, None)])
def test_the_method_that_is_named_wins_over_the_runs(own, beam_size, n_best):
    """As conf/search/greedy.yaml and beam.yaml name it."""
    found = SearchOverrides(method=Method.beam, beam_size=beam_size).apply_to(own)
    found.check()
    assert found == SearchConfig(beam_size=beam_size, n_best=n_best or min(own.n_best, beam_size))


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "beam", "temperature": 0.5}, "search.temperature=0.5 does nothing with search.method=beam"),
        ({"method": "sampling", "beam_size": 5}, "search.beam_size=5 does nothing with search.method=sampling"),
        ({"method": "sampling", "samples": 32}, "search.samples=32 does nothing with search.method=sampling"),
        ({"method": "diverse_beam", "top_p": 1.0}, "search.top_p=1.0 does nothing with search.method=diverse_beam"),
    ],
)
def test_what_the_method_does_not_heed_is_refused(own, changes, told):
    with pytest.raises(ConfigError, match=rf"^{told}: leave it out, or set search.method="):
        SearchOverrides(**changes).apply_to(own)


def test_what_the_runs_own_method_does_not_heed_is_refused_too():
    with pytest.raises(ConfigError, match=r"^search.beam_size=3 does nothing with search.method=sampling"):
        TranslateConfig(beam_size=3).search_config(OWN[0])
