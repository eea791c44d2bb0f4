"""The stepper of a network: stepping equals the teacher-forced pass, row by row."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import (
    BOS,
    COPIES,
    EOS,
    EVERY,
    SAMPLES,
    VOCABULARY,
    model_configs,
    padded,
    random_network,
    random_sentences,
)
from torch import Tensor

from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.model import CopyKind, ModelConfig, Network

CLOSE = {"rtol": 0, "atol": 1e-9}
STEPS = 5


def forced(network: Network, source: list[int], target: list[int]) -> Tensor:
    """Return log-probabilities (len(target), V) after each token of ``target`` by the teacher-forced pass."""
    every = torch.arange(len(target))
    return network(*padded([source]), torch.tensor([target]), every).log_softmax(1)


def stepper_of(config: ModelConfig, seed: int, sources: list[list[int]]) -> NetworkStepper:
    network = random_network(config, seed)
    return NetworkStepper(network, PreparedDecoder(network, InferencePrecision.float32), *padded(sources), BOS, EOS)


@given(
    model_configs() | st.sampled_from(EVERY),
    st.integers(0, 10_000),
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.sampled_from([1, 3]),
)
@torch.no_grad()
def test_stepping_equals_the_teacher_forced_pass(config, seed, lengths, beam_size):
    sources = random_sentences(seed, lengths)
    targets = [[BOS, *rest] for rest in random_sentences(seed + 1, [STEPS - 1] * len(lengths) * beam_size)]
    stepper = stepper_of(config, seed, sources)
    state, steps = stepper.start(beam_size), []
    for position in range(STEPS):
        log_probability_NV, state = stepper.step(torch.tensor([target[position] for target in targets]), state)
        steps.append(log_probability_NV)
    found_NTV = torch.stack(steps, 1)
    assert found_NTV.shape == (len(targets), STEPS, VOCABULARY)
    for row, target in enumerate(targets):
        torch.testing.assert_close(found_NTV[row], forced(stepper.network, sources[row // beam_size], target), **CLOSE)


@given(model_configs(), st.integers(0, 10_000), st.data())
@torch.no_grad()
def test_rows_are_reordered_with_their_whole_state(config, seed, data):
    beam_size, sources = 3, random_sentences(seed, [2, 5, 3, 4])
    histories = [[BOS, *rest] for rest in random_sentences(seed + 1, [2] * 12)]
    stepper = stepper_of(config, seed, sources)
    state = stepper.start(beam_size)
    for position in range(3):
        _, state = stepper.step(torch.tensor([history[position] for history in histories]), state)
    # Some sentences remain; each of their rows continues any old row of the same sentence.
    stay = data.draw(st.lists(st.integers(0, 3), min_size=1, unique=True).map(sorted))
    rows = [sentence * beam_size + data.draw(st.integers(0, 2)) for sentence in stay for _ in range(beam_size)]
    everyone = len(stay) == 4
    state = stepper.select(state, torch.tensor(rows), None if everyone else torch.tensor(stay))
    tokens = torch.randint(3, VOCABULARY, (len(rows),), generator=torch.Generator().manual_seed(seed)).tolist()
    found_NV, _ = stepper.step(torch.tensor(tokens), state)
    for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
        expected = forced(stepper.network, sources[row // beam_size], [*histories[row], token])[-1]
        torch.testing.assert_close(found_NV[place], expected, **CLOSE)


@pytest.mark.parametrize("config", EVERY)
@torch.no_grad()
def test_a_state_can_be_stepped_from_twice(config):
    """The stepper is stateless: search holds all states."""
    stepper = stepper_of(config, 3, random_sentences(1, [3, 4]))
    start = stepper.start(2)
    before = [None if part is None else part.clone() for part in start.rows]
    first, _ = stepper.step(torch.tensor([BOS, 3, 4, 5]), start)
    stepper.step(torch.tensor([6, 6, 6, 6]), start)
    again, _ = stepper.step(torch.tensor([BOS, 3, 4, 5]), start)
    assert torch.equal(first, again)
    for part, kept in zip(start.rows, before, strict=True):
        assert (part is None and kept is None) or torch.equal(part, kept)


@torch.no_grad()
def test_the_stepper_protocol_values_are_those_of_network_and_batch():
    stepper = stepper_of(SAMPLES[0], 1, random_sentences(1, [3, 1]))
    assert (stepper.bos, stepper.eos, stepper.sentences, stepper.source_lengths.tolist()) == (BOS, EOS, 2, [3, 1])
    log_probability_NV, _ = stepper.step(torch.full((6,), BOS), stepper.start(3))
    torch.testing.assert_close(log_probability_NV.exp().sum(1), torch.ones(6).double())


@torch.no_grad()
def test_memory_is_stored_once_per_sentence():
    stepper = stepper_of(SAMPLES[5], 1, random_sentences(1, [3, 1, 2]))
    state = stepper.start(4)
    assert state.memory.attention is not None
    assert [part.size(0) for part in state.memory.attention] == [3, 3, 3]
    assert state.rows.states_ZNH.size(1) == 12
    kept = stepper.select(state, torch.arange(4, 12), torch.tensor([1, 2])).memory
    assert kept.attention is not None
    for one, other in zip(kept.attention, state.memory.attention, strict=True):
        assert torch.equal(one, other[1:])


TOKENS = st.sets(st.sampled_from([0, 3, 4, 5, 6, 7])).map(lambda tokens: sorted({EOS, *tokens}))


@given(
    model_configs().map(lambda config: replace(config, copy=CopyKind.none)), st.integers(0, 10_000), TOKENS, st.data()
)
@torch.no_grad()
def test_a_shortlist_renormalizes_the_probability_over_the_allowed_tokens(config, seed, listed, data):
    """At every step, for every sentence by its own list, also after a selection of rows and sentences."""
    beam_size, sources = 2, random_sentences(seed, [2, 4, 3])
    masked_BU = torch.tensor([[data.draw(st.booleans()) and token != EOS for token in listed] for _ in sources])
    full = stepper_of(config, seed, sources)
    short = NetworkStepper(full.network, full.decoder, *padded(sources), BOS, EOS, (torch.tensor(listed), masked_BU))
    tokens = [BOS, *listed]
    assert short.ids([*range(len(tokens))]) == tokens
    assert (tokens[short.bos], tokens[short.eos]) == (BOS, EOS)
    stay = data.draw(st.lists(st.integers(0, 2), min_size=1, unique=True).map(sorted))
    state, short_state = full.start(beam_size), short.start(beam_size)
    places = torch.full((6,), short.bos)
    for position in range(4):
        wanted_NV, state = full.step(torch.tensor(short.ids(places.tolist())), state)
        found_NV, short_state = short.step(places, short_state)
        allowed_NV = torch.nn.functional.pad(~masked_BU, (1, 0)).repeat_interleave(beam_size, 0)
        wanted_NV = wanted_NV[:, tokens].masked_fill(~allowed_NV, -torch.inf).log_softmax(1)
        torch.testing.assert_close(found_NV, wanted_NV, **CLOSE)
        assert torch.equal(found_NV == -torch.inf, ~allowed_NV)
        if position == 1 and len(stay) < 3:
            rows = torch.tensor([sentence * beam_size + row for sentence in stay for row in (1, 0)])
            state = full.select(state, rows, torch.tensor(stay))
            short_state = short.select(short_state, rows, torch.tensor(stay))
            masked_BU = masked_BU[stay]
        elif position == 1:
            rows = torch.tensor([1, 1, 2, 3, 5, 4])
            state, short_state = full.select(state, rows, None), short.select(short_state, rows, None)
        places = torch.randint(1, len(tokens), (len(rows) if position else 6,), generator=torch.manual_seed(seed))


@torch.no_grad()
def test_a_shortlist_limits_what_is_copied_too():
    """Attention to tokens outside a sentence's list goes to the vocabulary, which renormalizes over the list."""
    config = next(config for config in EVERY if config.copy is CopyKind.pointer)
    sources, listed = [[3, 5, 7, EOS], [3, 6, 4, EOS]], [EOS, 3, 5, 6]
    masked_BU = torch.tensor([[False, False, True, False], [False, True, False, False]])
    full = stepper_of(config, 1, sources)
    network, prepared = full.network, full.decoder
    short = NetworkStepper(network, prepared, *padded(sources), BOS, EOS, (torch.tensor(listed), masked_BU))
    found_NV, _ = short.step(torch.full((4,), short.bos), short.start(2))
    for row, found_V in enumerate(found_NV):
        source, masked = sources[row // 2], masked_BU[row // 2].tolist()
        memory, state = network.encode(*padded([source]))
        decoded = network.decoder(network.target_embedding(torch.tensor([[BOS]])), memory, state)
        features, weights = decoded.features_NTF[0, 0], decoded.weights_NTS[0, 0].double()
        gate = (network.pointer.gate.weight[0] @ features + network.pointer.gate.bias).sigmoid()
        allowed = [token for token, out in zip(listed, masked, strict=True) if not out]
        vocabulary = dict(zip(allowed, network.output(features)[allowed].softmax(0), strict=True))
        copied = {token: sum(weights[at] for at, own in enumerate(source) if COPIES[own] == token) for token in allowed}
        kept = 1 - (1 - gate) * sum(copied.values())
        expected = [0.0] + [
            float(kept * vocabulary[token] + (1 - gate) * copied[token]) if token in allowed else 0.0
            for token in listed
        ]
        torch.testing.assert_close(found_V.exp(), torch.tensor(expected).double())


@pytest.mark.parametrize("tokens", [[], [3, 7, 4]])
def test_without_a_shortlist_tokens_keep_their_ids(tokens):
    assert stepper_of(SAMPLES[0], 1, random_sentences(1, [2])).ids(tokens) == tokens
