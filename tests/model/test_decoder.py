"""The decoder and its readout, compared with their equations."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from networks import ARRANGEMENTS, EVERY, SAMPLES, model_configs, padded, random_network, random_sentences
from torch import Tensor

from seq2seq.model import (
    AttentionKind,
    AttentionOrder,
    CellKind,
    DecoderConfig,
    Direction,
    EncoderConfig,
    ModelConfig,
    Network,
    Readout,
    Tying,
)
from seq2seq.model.cell import CellState
from seq2seq.model.decoder import Decoder, Memory, State, maxout
from seq2seq.model.dropout import apply_mask

CLOSE = {"rtol": 0, "atol": 1e-6}  # attention weights are float32 in every precision
STEPS, BEAM = 5, 3


def rounding(memory: Memory) -> dict[str, float]:
    """Tolerance of two computations in float64 whose attention scores, window positions and weights are float32.

    A context sums a value per source position, each with a weight that is off by some units of float32 rounding, and
    with input feeding or coverage a context depends on those of all earlier steps. Without attention all is float64.
    """
    if memory.attention is None:
        return {"rtol": 0, "atol": 1e-12}
    values_BMSD = memory.attention.values_BMSD
    unit = torch.finfo(torch.float32).eps * max(1.0, float(values_BMSD.abs().max()))
    return {"rtol": 0, "atol": STEPS * values_BMSD.size(2) * unit}


class OneRow:
    """One row of a decoder, computed token by token; `test_cell` compares the cells with their equations."""

    def __init__(self, network: Network, memory: Memory, state: State, row: int, sentence: int) -> None:
        self.config, self.decoder = network.config, network.decoder
        self.context = memory.context_BD[sentence]
        self.attended = memory.attention and memory.attention.select(torch.tensor([sentence]))
        self.hidden = list(state.hidden_LNH[:, row])
        self.cells = [None] * len(self.hidden) if state.cell_LNH is None else list(state.cell_LNH[:, row])
        self.fed = None if state.fed_NX is None else state.fed_NX[row]
        self.coverage = None if state.coverage_NS is None else state.coverage_NS[row]

    def ask(self, query: Tensor) -> Tensor:
        coverage = None if self.coverage is None else self.coverage.view(1, 1, -1)
        context, weights = self.decoder.attention(query.view(1, 1, -1), *self.attended, coverage)
        if self.coverage is not None:
            self.coverage = self.coverage + weights[0, 0]
        return context[0, 0]

    def layer(self, depth: int, inputs: Tensor) -> Tensor:
        cell = self.cells[depth]
        before = CellState(self.hidden[depth].unsqueeze(0), None if cell is None else cell.unsqueeze(0))
        after, _ = self.decoder.layers[depth].step(inputs.unsqueeze(0), before)
        self.hidden[depth] = after.hidden_NH[0]
        self.cells[depth] = None if after.cell_NH is None else after.cell_NH[0]
        return self.hidden[depth]

    def read(self, token: Tensor) -> Tensor:
        """Return the features after one more token."""
        config, decoder = self.config, self.config.decoder
        attends = config.attention is not AttentionKind.none
        order = config.attention_order if attends else None
        context = self.context if decoder.feed_context else None
        if order is AttentionOrder.bahdanau:
            context = self.ask(self.hidden[-1])
        first = [token, *([] if context is None else [context]), *([] if self.fed is None else [self.fed])]
        output = self.layer(0, torch.cat(first))
        if order is AttentionOrder.gnmt:
            context = self.ask(output)
        for depth in range(1, decoder.layers):
            above = self.layer(depth, torch.cat([output, context]) if order is AttentionOrder.gnmt else output)
            is_residual = decoder.residual_from is not None and depth + 1 >= decoder.residual_from
            output = output + above if is_residual else above
        if order is AttentionOrder.luong:
            context = self.ask(output)
        parts = [output, *([] if context is None else [context]), *([token] if decoder.readout_sees_input else [])]
        features = self.mixed(torch.cat(parts))
        if decoder.input_feeding:
            self.fed = context if order is AttentionOrder.gnmt else features
        return features

    def mixed(self, inputs: Tensor) -> Tensor:
        readout = self.decoder.readout
        if readout is None:
            return inputs
        sums = readout.weight @ inputs + readout.bias
        if self.config.decoder.readout is Readout.tanh:
            return sums.tanh()
        return torch.stack([max(pair) for pair in zip(sums[::2], sums[1::2], strict=True)])


def world(network: Network, beam: int = 1) -> tuple[Tensor, Memory, State]:
    """Random inputs (3·beam, STEPS, E), the memory of three sentences, and random initial states of the rows."""
    memory, state = network.encode(*padded(random_sentences(4, [2, 5, 3])))
    generator = torch.Generator().manual_seed(9)
    rows = 3 * beam
    shape = (rows, STEPS, network.config.embedding_size)

    def noise(part: Tensor | None, dimension: int) -> Tensor | None:
        return (
            None
            if part is None
            else torch.rand(
                [rows if axis == dimension else size for axis, size in enumerate(part.shape)],
                generator=generator,
                dtype=part.dtype,
            )
        )

    parts = [noise(part, dimension) for part, dimension in zip(state, (1, 1, 0, 0), strict=True)]
    return torch.randn(shape, generator=generator, dtype=torch.float64), memory, State(*parts)


@pytest.mark.parametrize("config", EVERY)
@pytest.mark.parametrize("beam", [1, BEAM])
@torch.no_grad()
def test_features_are_those_of_the_equations(config, beam):
    network = random_network(config, seed=1)
    embedded, memory, state = world(network, beam)
    result = network.decoder(embedded, memory, state).features_NTF
    assert result.shape == (3 * beam, STEPS, network.decoder.feature_size)
    for row in range(3 * beam):
        one = OneRow(network, memory, state, row, sentence=row // beam)
        torch.testing.assert_close(result[row], torch.stack([one.read(token) for token in embedded[row]]), **CLOSE)


WINDOWS = ModelConfig(
    embedding_size=4,
    encoder=EncoderConfig(size=4),
    decoder=DecoderConfig(cell=CellKind.layer_norm_lstm, layers=3, size=6),
    attention=AttentionKind.additive,
    attention_order=AttentionOrder.luong,
    attention_heads=2,
    attention_window=1,
    tying=Tying.all,
)
"""With seed 85 its features differ by 1.7e-6: narrow windows amplify the rounding of their positions."""


@given(model_configs(), st.integers(0, 10_000), st.sampled_from([1, BEAM]), st.integers(1, STEPS - 1))
@example(WINDOWS, 85, BEAM, 2)
@torch.no_grad()
def test_one_pass_equals_several_partial_passes(config, seed, beam, cut):
    network = random_network(config, seed)
    embedded, memory, state = world(network, beam)
    whole = network.decoder(embedded, memory, state)
    first = network.decoder(embedded[:, :cut], memory, state)
    second = network.decoder(embedded[:, cut:], memory, first.state)
    close = rounding(memory)
    close["atol"] *= max(1.0, float(whole.state.hidden_LNH.abs().max()) ** 2)  # a memory sums products of states
    torch.testing.assert_close(torch.cat([first.features_NTF, second.features_NTF], 1), whole.features_NTF, **close)
    for one, other in zip(second.state, whole.state, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, **close)
    assert (whole.weights_NTS is None) == (config.attention is AttentionKind.none)
    if whole.weights_NTS is not None:
        torch.testing.assert_close(torch.cat([first.weights_NTS, second.weights_NTS], 1), whole.weights_NTS, **close)


@pytest.mark.parametrize("config", EVERY)
def test_only_sequentially_dependent_decoders_are_computed_step_by_step(config, monkeypatch):
    network = random_network(config, seed=1)
    embedded, memory, state = world(network)
    lengths: list[int] = []
    for cell in network.decoder.layers:
        run, step = cell.run, cell.step
        monkeypatch.setattr(
            cell, "run", lambda *all, run=run, **named: (lengths.append(all[0].size(1)), run(*all, **named))[1]
        )
        monkeypatch.setattr(cell, "step", lambda *all, step=step: (lengths.append(1), step(*all))[1])
    network.decoder(embedded, memory, state)
    waits = config.attention is not AttentionKind.none and (
        config.attention_order is AttentionOrder.bahdanau or config.decoder.input_feeding
    )
    assert lengths == ([1] * STEPS if waits else [STEPS]) * config.decoder.layers


@pytest.mark.parametrize("config", ARRANGEMENTS)
def test_the_state_contains_everything_that_positions_pass_on(config):
    network = random_network(config, seed=1)
    _, state = network.encode(*padded(random_sentences(4, [2, 5, 3])))
    gnmt = config.attention_order is AttentionOrder.gnmt
    fed = config.encoder.width if gnmt else network.decoder.feature_size
    assert (None if state.fed_NX is None else tuple(state.fed_NX.shape)) == (
        (3, fed) if config.decoder.input_feeding else None
    )
    assert (None if state.coverage_NS is None else tuple(state.coverage_NS.shape)) == (
        (3, 5) if config.coverage else None
    )
    assert all(part is None or not part.any() for part in state[2:])


@pytest.mark.parametrize(
    ("tying", "attention", "decoder", "embedding_size", "readout"),
    [
        (Tying.none, AttentionKind.none, {}, 5, None),
        (Tying.output, AttentionKind.none, {}, 4, None),
        (Tying.output, AttentionKind.none, {}, 5, (5, 4)),
        (Tying.none, AttentionKind.none, {"feed_context": True}, 5, (4, 10)),
        (Tying.none, AttentionKind.general, {}, 5, (4, 10)),
        (Tying.all, AttentionKind.general, {}, 5, (5, 10)),
        (Tying.none, AttentionKind.none, {"readout": Readout.maxout}, 5, (8, 4)),
        (Tying.none, AttentionKind.none, {"readout_sees_input": True}, 5, (4, 9)),
        (Tying.all, AttentionKind.general, {"readout": Readout.maxout, "readout_sees_input": True}, 5, (10, 15)),
    ],
)
def test_a_readout_exists_only_to_combine_inputs_or_change_the_width(
    tying, attention, decoder, embedding_size, readout
):
    config = ModelConfig(
        embedding_size=embedding_size,
        encoder=EncoderConfig(size=3, direction=Direction.bidirectional),
        decoder=DecoderConfig(size=4, **decoder),
        attention=attention,
        tying=tying,
    )
    built = Decoder(config).readout
    assert (None if built is None else tuple(built.weight.shape)) == readout


@pytest.mark.parametrize("tying", [Tying.none, Tying.output])
def test_dropout_is_active_in_training_only(tying):
    """On the embeddings, on the outputs of layers, and on the readout."""
    config = ModelConfig(
        embedding_size=6, encoder=EncoderConfig(size=3), decoder=DecoderConfig(size=8), tying=tying, dropout=0.5
    )
    network = random_network(config, seed=1)
    embedded, memory, state = world(network)
    still = network.decoder(embedded, memory, state)
    assert torch.equal(network.decoder(embedded, memory, state).features_NTF, still.features_NTF)
    assert (still.features_NTF != 0).all()
    torch.manual_seed(1)
    learning = network.decoder.train()(embedded, memory, state)
    silenced_NF = (learning.features_NTF == 0).all(1)
    assert silenced_NF.any()
    assert not silenced_NF.all()
    # The state depends on the dropped embeddings.
    assert not torch.allclose(learning.state.hidden_LNH, still.state.hidden_LNH, atol=1e-3)
    assert (learning.state.hidden_LNH != 0).all()


def test_dropout_applies_to_the_inputs_of_the_readout():
    config = ModelConfig(embedding_size=6, encoder=EncoderConfig(size=3), decoder=DecoderConfig(size=8), dropout=0.5)
    network = random_network(config, seed=1)
    embedded, memory, state = world(network)
    mixed: list[Tensor] = []
    network.decoder.readout.register_forward_pre_hook(lambda _, inputs: mixed.append(inputs[0]))
    torch.manual_seed(1)
    network.decoder.train()(embedded, memory, state)
    assert (mixed[0] == 0).all(1).any()


@pytest.mark.parametrize("order", AttentionOrder)
@pytest.mark.parametrize("shared", [True, False])
def test_a_dropout_mask_is_shared_by_all_positions_or_drawn_for_each(order, shared):
    """Also if positions are computed one by one."""
    config = ModelConfig(
        embedding_size=20,
        encoder=EncoderConfig(size=3),
        decoder=DecoderConfig(size=30, input_feeding=True),
        attention=AttentionKind.general,
        attention_order=order,
        dropout=0.5,
        dropout_shared_over_time=shared,
    )
    network = random_network(config, seed=1)
    embedded, memory, state = world(network)
    torch.manual_seed(1)
    silent_NTF = network.decoder.train()(embedded, memory, state).features_NTF == 0
    same = [torch.equal(silent_NTF[:, 0], silent_NTF[:, step]) for step in range(1, STEPS)]
    assert silent_NTF.double().mean().item() == pytest.approx(0.5, abs=0.1)
    assert same == [shared] * (STEPS - 1)


@pytest.mark.parametrize("order", AttentionOrder)
def test_every_layer_has_its_own_mask(order, monkeypatch):
    config = ModelConfig(
        embedding_size=30,
        encoder=EncoderConfig(size=3),
        decoder=DecoderConfig(layers=3, size=30),
        attention=AttentionKind.general,
        attention_order=order,
        dropout=0.5,
        tying=Tying.none,
    )
    network = random_network(config, seed=1).train()
    embedded, memory, state = world(network)
    masks: list[Tensor] = []
    monkeypatch.setattr(
        "seq2seq.model.decoder.apply_mask", lambda part, mask: (masks.append(mask[:, 0]), apply_mask(part, mask))[1]
    )
    read: list[Tensor] = []
    for cell in network.decoder.layers:
        name = "step" if network.decoder.sequential else "run"
        call = getattr(cell, name)
        monkeypatch.setattr(cell, name, lambda *all, call=call, **named: (read.append(all[0]), call(*all, **named))[1])
    network.decoder(embedded, memory, state)
    assert masks[0].shape == (3, 30)
    first = [masks[place] == 0 for place in range(4)]  # three layers and the features, at the first position
    assert not any(torch.equal(one, other) for one, other in combinations(first, 2))
    for layer, silent in enumerate(first[:2]):  # the layer above receives the masked outputs
        layer_input = read[layer + 1].reshape(3, -1, read[layer + 1].size(-1))[:, 0, :30]
        assert torch.equal(layer_input == 0, silent)


def test_recurrent_weights_are_dropped_once_for_all_positions(monkeypatch):
    config = replace(ARRANGEMENTS[0], recurrent_dropout=0.5)
    network = random_network(config, seed=1)
    embedded, memory, state = world(network)
    seen: list[Tensor] = []
    for cell in network.decoder.layers:
        step = cell.step
        monkeypatch.setattr(cell, "step", lambda *all, step=step: (seen.append(all[2][1]), step(*all))[1])
    network.decoder.train()(embedded, memory, state)
    assert len(seen) == STEPS * 2
    assert all(one is seen[layer] for layer in range(2) for one in seen[layer::2])
    assert (seen[0] == 0).any()
    assert not torch.equal(seen[0] == 0, seen[1] == 0)


@pytest.mark.parametrize("config", [SAMPLES[4], ARRANGEMENTS[3], ARRANGEMENTS[5]])
def test_gradients_reach_states_and_inputs(config):
    """Through coverage and input feeding, gradients of a later position reach an earlier input."""
    network = random_network(config, seed=1)
    embedded, memory, state = world(network)
    embedded.requires_grad_()
    network.decoder(embedded, memory, state).features_NTF[:, -1].sum().backward()
    assert embedded.grad[:, 0].abs().max() > 1e-9


def test_maxout_takes_the_larger_of_two_adjacent_units():
    mixed = torch.tensor([[1.0, 3.0, -2.0, -5.0], [0.0, 0.0, 7.0, 8.0]])
    assert maxout(mixed).tolist() == [[3, -2], [0, 8]]
    assert maxout(mixed.unsqueeze(0)).shape == (1, 2, 2)


def test_only_the_larger_unit_has_a_gradient():
    mixed = torch.tensor([[1.0, 3.0]], requires_grad=True)
    maxout(mixed).sum().backward()
    assert mixed.grad.tolist() == [[0, 1]]


@pytest.mark.parametrize(("tying", "width"), [(Tying.none, 7), (Tying.output, 5), (Tying.all, 5)])
def test_a_tied_output_matrix_determines_the_readout_width(tying, width):
    config = ModelConfig(embedding_size=5, decoder=DecoderConfig(size=7), tying=tying)
    assert config.feature_size == width


@pytest.mark.parametrize("readout", Readout)
def test_a_readout_has_the_configured_size(readout):
    decoder = DecoderConfig(size=7, readout=readout, readout_size=3)
    config = ModelConfig(embedding_size=5, decoder=decoder, tying=Tying.none)
    config.check()
    assert config.feature_size == 3
    assert config.readout_sizes == (7, 6 if readout is Readout.maxout else 3)


def test_an_explicit_readout_size_equal_to_the_default_changes_nothing():
    config = ModelConfig(decoder=DecoderConfig(size=7, readout_size=7), tying=Tying.none)
    assert config.readout_sizes is None
    tied = ModelConfig(embedding_size=5, decoder=DecoderConfig(size=7, readout_size=5))
    tied.check()
    assert tied.readout_sizes == (7, 5)


def test_a_readout_receives_state_context_and_input_token():
    config = ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(size=4),
        decoder=DecoderConfig(size=7, feed_context=True, readout_sees_input=True, readout=Readout.maxout),
        tying=Tying.none,
    )
    assert config.readout_sizes == (7 + 8 + 5, 14)
