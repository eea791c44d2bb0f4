"""Tokens excluded in some sentences, in every search and whatever the batch."""

import math

import pytest
from markov import A, B, random_stepper, sentence_of

from seq2seq.search import ExclusionStepper, Method, SearchConfig, search

LIMITS = {"max_length_ratio": 1.0, "max_length_offset": 5}
SEARCHES = [
    SearchConfig(beam_size=1, **LIMITS),
    SearchConfig(beam_size=3, n_best=3, **LIMITS),
    SearchConfig(method=Method.diverse_beam, beam_size=4, n_best=4, groups=2, **LIMITS),
    SearchConfig(method=Method.sampling, n_best=8, **LIMITS),
]
EXCLUDED = [[True, False], [False, True], [False, False], [True, True]]


@pytest.mark.parametrize("config", SEARCHES, ids=lambda config: f"{config.method}{config.beam_size}")
@pytest.mark.parametrize("seed", range(8))
def test_each_sentence_has_its_own_excluded_tokens(config, seed):
    stepper = random_stepper(seed, [1, 4, 2, 3])

    def results(order):
        bound = ExclusionStepper(sentence_of(stepper, order), [A, B], [EXCLUDED[place] for place in order])
        return search(bound, config, order)

    together = results([0, 1, 2, 3])
    for hypotheses, excluded in zip(together, EXCLUDED, strict=True):
        for one in hypotheses:
            assert not {*one.tokens} & {token for token, out in zip((A, B), excluded, strict=True) if out}
            assert one.log_probability > -math.inf
    assert results([3, 1, 0, 2]) == [together[place] for place in (3, 1, 0, 2)]
    assert [results([place])[0] for place in range(4)] == together
    [free] = search(sentence_of(stepper, [2]), config, [2])
    assert together[2] == free
