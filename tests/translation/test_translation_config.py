"""Settings of the recipes that translate."""

import pytest

from seq2seq.errors import ConfigError
from seq2seq.search import Method, SearchConfig, SearchOverrides
from seq2seq.translation.config import Copy, DocumentConfig, ScoreConfig, TranslateConfig

RUN = SearchConfig(beam_size=4, length_penalty=0.5)


def test_short_and_long_settings_override_the_runs_search():
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
def test_stream_excludes_other_outputs(settings, named):
    TranslateConfig(**{"json": named == "n_best", **settings}).check()
    with pytest.raises(
        ConfigError, match=rf"^stream=true shows a single translation as plain text: leave {named} out$"
    ):
        TranslateConfig(stream=True, **settings).check()


def test_prefix_excludes_prefixes():
    TranslateConfig(prefix="a", stream=True).check()
    with pytest.raises(ConfigError, match=r"^prefix applies to all lines and prefixes to each: leave one out$"):
        TranslateConfig(prefix="a", prefixes="b").check()


@pytest.mark.parametrize("settings", [{"n_best": 2}, {"search": SearchOverrides(n_best=2)}])
def test_n_best_needs_json(settings):
    with pytest.raises(ConfigError, match=r"^n_best translations are written as JSON only: set json=true, or leave"):
        TranslateConfig(**settings).check()
    TranslateConfig(json=True, **settings).check()


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
def test_method_override_wins_over_the_run(own, beam_size, n_best):
    """As set by conf/search/greedy.yaml and beam.yaml."""
    result = SearchOverrides(method=Method.beam, beam_size=beam_size).apply_to(own)
    result.check()
    assert result == SearchConfig(beam_size=beam_size, n_best=n_best or min(own.n_best, beam_size))


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "beam", "temperature": 0.5}, "search.temperature=0.5 does nothing with search.method=beam"),
        ({"method": "sampling", "beam_size": 5}, "search.beam_size=5 does nothing with search.method=sampling"),
        ({"method": "sampling", "samples": 32}, "search.samples=32 does nothing with search.method=sampling"),
        ({"method": "diverse_beam", "top_p": 1.0}, "search.top_p=1.0 does nothing with search.method=diverse_beam"),
    ],
)
def test_override_without_effect_raises(own, changes, message):
    with pytest.raises(ConfigError, match=rf"^{message}: leave it out, or set search.method="):
        SearchOverrides(**changes).apply_to(own)


def test_override_without_effect_on_the_runs_method_raises():
    with pytest.raises(ConfigError, match=r"^search.beam_size=3 does nothing with search.method=sampling"):
        TranslateConfig(beam_size=3).search_config(OWN[0])


def test_scores_have_no_shortlist():
    ScoreConfig(run="a").check()
    with pytest.raises(ConfigError, match="shortlist=true does nothing here"):
        ScoreConfig(run="a", shortlist=True).check()
