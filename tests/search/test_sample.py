import math

import pytest
import torch
from markov import EOS, A, B, chain, every_path, log_probability, random_stepper
from networks import BOS as NETWORK_BOS
from networks import EOS as NETWORK_EOS
from networks import SAMPLES, padded, random_network, random_sentences

from seq2seq.inference import InferencePrecision, NetworkStepper, PreparedDecoder
from seq2seq.search import SearchConfig, greedy
from seq2seq.search.sample import drawn, sample

SHORT = SearchConfig(max_length_ratio=0, max_length_offset=4)


def path(one) -> tuple[int, ...]:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def test_pieces_are_drawn_with_their_probabilities():
    log_probability_NV = torch.tensor([[0.5, 0.2, 0.0, 0.3]]).log().expand(20_000, -1)
    torch.manual_seed(0)
    for temperature in (1.0, 0.5, 3.0):
        shares = torch.bincount(drawn(log_probability_NV, temperature), minlength=4) / 20_000
        weights = torch.tensor([0.5, 0.2, 0.0, 0.3]) ** (1 / temperature)
        assert torch.allclose(shares, weights / weights.sum(), atol=0.015)
        assert shares[2] == 0


def test_however_low_the_temperature_only_the_likeliest_is_drawn():
    """Also where every share by itself would be too small a number."""
    log_probability_NV = torch.tensor([[0.3, 0.25, 0.25, 0.2]]).log().expand(100, -1)
    for temperature in (0.01, 1e-4):
        assert set(drawn(log_probability_NV, temperature).tolist()) == {0}
    nothing = drawn(torch.full((2, 4), -math.inf), 0.5)
    assert ((nothing >= 0) & (nothing < 4)).all()


def test_whole_translations_come_as_often_as_they_are_likely():
    stepper = random_stepper(3, [1, 2])
    torch.manual_seed(1)
    found = sample(stepper, SHORT, 4000)
    for sentence in range(2):
        expected = every_path(stepper, sentence, 4)
        counts = dict.fromkeys(expected, 0)
        for one in found[sentence]:
            counts[path(one)] += 1
        for each, total in expected.items():
            assert counts[each] / 4000 == pytest.approx(math.exp(total), abs=0.03)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_sample_tells_its_own_log_probability_and_ends_in_time(temperature):
    lengths = [1, 5, 2]
    stepper = random_stepper(5, lengths)
    config = SearchConfig(max_length_ratio=1.0, max_length_offset=1, length_penalty=0.5)
    torch.manual_seed(2)
    for sentence, samples in enumerate(sample(stepper, config, 30, temperature)):
        assert len(samples) == 30
        for one in samples:
            pieces = path(one)
            assert one.log_probability == pytest.approx(log_probability(stepper, sentence, pieces), abs=1e-5)
            assert one.score == pytest.approx(one.log_probability / len(pieces) ** 0.5)
            assert EOS not in one.tokens
            assert len(pieces) == lengths[sentence] + 1 if not one.finished else len(pieces) <= lengths[sentence] + 1


def test_rows_leave_as_soon_as_no_sentence_needs_so_many():
    ends, lasts = {0: {EOS: 1.0}}, {0: {A: 1.0}, A: {B: 1.0}, B: {EOS: 1.0}}
    stepper = chain(ends, lasts)
    found = sample(stepper, SHORT, 3)
    assert [path(one) for one in found[0]] == [(EOS,)] * 3
    assert [path(one) for one in found[1]] == [(A, B, EOS)] * 3
    assert stepper.rows_stepped == [6, 3, 3]
    split = chain({0: {EOS: 0.5, A: 0.5}, A: {A: 1.0}})
    torch.manual_seed(0)
    lengths = [len(path(one)) for one in sample(split, SHORT, 8)[0]]
    alive = lengths.count(4)
    assert 0 < alive < 8
    assert split.rows_stepped == [8, alive, alive, alive]


def test_the_same_seed_gives_the_same_samples():
    stepper = random_stepper(7, [2, 3])
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append([[path(one) for one in samples] for samples in sample(stepper, SHORT, 6)])
    assert found[0] == found[1] != found[2]


def test_a_low_temperature_is_greedy_search():
    stepper = random_stepper(11, [1, 3, 2])
    for one, best in zip(sample(stepper, SHORT, 2, temperature=0.01), greedy(stepper, SHORT), strict=True):
        assert {path(each) for each in one} == {path(best)}


def test_where_nothing_is_possible_there_is_a_hypothesis_without_tokens():
    found = sample(chain({}, {0: {EOS: 1.0}}), SHORT, 2)
    assert [(one.tokens, one.log_probability) for one in found[0]] == [([], -math.inf)] * 2
    assert [one.finished for one in found[1]] == [True, True]


@pytest.mark.parametrize("model", [SAMPLES[1], SAMPLES[4]])
def test_a_networks_samples_have_the_log_probability_it_gives_them(model):
    network = random_network(model, 3, spread=0.6)
    source_BS, lengths_B = padded(random_sentences(1, [3, 5]))
    decoder = PreparedDecoder(network, InferencePrecision.float32)
    stepper = NetworkStepper(network, decoder, source_BS, lengths_B, NETWORK_BOS, NETWORK_EOS)
    torch.manual_seed(4)
    for sentence, samples in enumerate(sample(stepper, SHORT, 5)):
        for one in samples:
            pieces = [*one.tokens, *([NETWORK_EOS] if one.finished else [])]
            target = torch.tensor([[NETWORK_BOS, *pieces[:-1]]])
            source = source_BS[sentence : sentence + 1], lengths_B[sentence : sentence + 1]
            with torch.no_grad():
                logits = network(*source, target, torch.arange(len(pieces)))
            total = logits.log_softmax(1).gather(1, torch.tensor(pieces)[:, None]).sum()
            assert one.log_probability == pytest.approx(total.item(), abs=1e-4)
