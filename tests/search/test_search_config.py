"""Search settings: checks, overrides and length limits."""

from dataclasses import fields

import pytest
import torch

from seq2seq.errors import ConfigError
from seq2seq.search import Method, SearchConfig, SearchOverrides
from seq2seq.search.config import METHODS_OF_SETTING
from seq2seq.settings import validate


def test_every_setting_can_be_overridden_within_its_range():
    assert [item.name for item in fields(SearchOverrides)] == [item.name for item in fields(SearchConfig)]
    for own, changed in zip(fields(SearchConfig), fields(SearchOverrides), strict=True):
        assert changed.metadata["bounds"] == own.metadata["bounds"]
        meaning = own.metadata["help"].partition("; null:")[0]
        assert changed.metadata["help"] == f"{meaning}; null: use the run's value"
        assert changed.default is None
    with pytest.raises(ConfigError, match=r"^search.top_p must be in \(0, 1\], got 2$"):
        validate(SearchOverrides(top_p=2.0), "search")


def test_no_overrides_keep_the_runs_settings():
    run = SearchConfig(beam_size=3, length_penalty=0.5, max_length_offset=7)
    assert SearchOverrides().apply_to(run) == run
    assert SearchOverrides(beam_size=4).apply_to(run) == SearchConfig(
        beam_size=4, length_penalty=0.5, max_length_offset=7
    )


def test_another_method_resets_method_specific_settings():
    run = SearchConfig(method=Method.sampling, top_k=5, seed=3, length_penalty=0.5)
    assert SearchOverrides(method=Method.beam).apply_to(run) == SearchConfig(length_penalty=0.5)
    assert SearchOverrides(temperature=0.5).apply_to(run).top_k == 5
    assert run.beam(2) == SearchConfig(beam_size=2, length_penalty=0.5)
    discouraged = SearchConfig(no_repeat_ngram=3, repetition_penalty=1.2)
    assert discouraged.beam(1) == SearchConfig(beam_size=1, no_repeat_ngram=3, repetition_penalty=1.2)
    assert SearchOverrides(method=Method.sampling).apply_to(discouraged).no_repeat_ngram == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_k": 3}, r"search.top_k=3 does nothing with search.method=beam: .* search.method=sampling$"),
        ({"groups": 2}, r"search.groups=2 does nothing .* search.method=diverse_beam$"),
        ({"method": Method.sampling, "samples": 3}, r"search.samples=3 does nothing .*=minimum_bayes_risk$"),
        ({"method": Method.diverse_beam, "groups": 3}, r"search.groups=3 does not divide search.beam_size=5: "),
        ({"method": Method.minimum_bayes_risk, "samples": 3, "n_best": 4}, "search.n_best must be at most search.samp"),
        ({"method": Method.diverse_beam, "n_best": 6}, "search.n_best must be at most search.beam_size = 5, got 6"),
    ],
)
def test_contradictory_settings_raise(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        SearchConfig(**settings).check()
    assert "\n" not in str(caught.value)


def test_methods_can_be_given_as_strings():
    assert SearchConfig(method="sampling", n_best=7).rows == 7  # type: ignore[arg-type]
    SearchConfig(method="minimum_bayes_risk", samples=4, utility="bleu").check()  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^search.method must be one of beam, diverse_beam, .*, got greedy$"):
        SearchConfig(method="greedy").check()  # type: ignore[arg-type]


def test_method_specific_settings_exist():
    assert set(METHODS_OF_SETTING) <= {item.name for item in fields(SearchConfig)}
    for method in Method:
        SearchConfig(method=method, n_best=5).check()


def test_maximum_lengths_are_rounded_down_and_never_zero():
    lengths_B = torch.tensor([1, 2, 10])
    assert SearchConfig(max_length_ratio=1.5, max_length_offset=3).max_lengths(lengths_B).tolist() == [4, 6, 18]
    assert SearchConfig(max_length_ratio=0.3, max_length_offset=0).max_lengths(lengths_B).tolist() == [1, 1, 3]
