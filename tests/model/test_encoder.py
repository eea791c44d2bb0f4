"""The encoder: states, summaries and cell states of a sentence do not depend on others."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.errors import ConfigError
from seq2seq.model import DecoderConfig, Direction, EncoderConfig, ModelConfig, Summary
from seq2seq.model.choices import CellKind
from seq2seq.model.encoder import Encoder, EncoderOutput

LENGTHS = [4, 1, 7, 2, 7]
CLOSE = {"rtol": 0, "atol": 1e-12}


def random_encoder(
    direction: Direction,
    summary: Summary = Summary.last,
    layers: int = 1,
    cell: CellKind = CellKind.lstm,
    residual_from: int | None = None,
) -> Encoder:
    """Return an encoder in evaluation mode: 3 units per direction, embeddings of width 4, weights in [-1, 1]."""
    encoder = EncoderConfig(cell=cell, layers=layers, size=3, direction=direction, residual_from=residual_from)
    built = Encoder(ModelConfig(embedding_size=4, encoder=encoder, summary=summary, dropout=0.5)).double().eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    return built


def embedded() -> tuple[Tensor, Tensor]:
    """Return five sentences with three additional columns and noise at padding."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5, 10, 4, generator=generator, dtype=torch.float64), torch.tensor(LENGTHS)


def alone(encoder: Encoder, row: int) -> EncoderOutput:
    """Return the results of the encoder for one sentence without padding."""
    inputs_BSE, lengths_B = embedded()
    return encoder(inputs_BSE[row : row + 1, : LENGTHS[row]], lengths_B[row : row + 1])


def assert_every_sentence_is_its_own(encoder: Encoder) -> None:
    """For any other sentences, padding and order."""
    inputs_BSE, lengths_B = embedded()
    together = encoder(inputs_BSE, lengths_B)
    order = torch.tensor([3, 0, 4, 1, 2])
    reordered = encoder(inputs_BSE[order], lengths_B[order])
    for row, length in enumerate(LENGTHS):
        one = alone(encoder, row)
        for batch, place in ((together, row), (reordered, order.tolist().index(row))):
            torch.testing.assert_close(batch.states_BSD[place, :length], one.states_BSD[0], **CLOSE)
            for ours, theirs in ((batch.hidden, one.hidden), (batch.cell, one.cell)):
                for layer, expected in zip(ours, theirs, strict=True):
                    torch.testing.assert_close(layer[place], expected[0], **CLOSE)
            assert batch.states_BSD[place, length:].abs().sum() == 0
            assert batch.padding_BS[place].tolist() == [False] * length + [True] * (10 - length)


@pytest.mark.grid(2)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("summary", Summary)
@pytest.mark.parametrize("direction", Direction)
def test_a_sentence_does_not_depend_on_its_batch(direction, summary, layers):
    assert_every_sentence_is_its_own(random_encoder(direction, summary, layers))


@pytest.mark.grid
@pytest.mark.parametrize("cell", CellKind)
@pytest.mark.parametrize("direction", Direction)
def test_a_sentence_does_not_depend_on_its_batch_with_any_cell_and_residual_connections(direction, cell):
    assert_every_sentence_is_its_own(random_encoder(direction, Summary.last, 4, cell, residual_from=3))


def torch_lstm(encoder: Encoder, layers: int) -> nn.LSTM:
    """Return torch's bidirectional LSTM with the encoder's weights."""
    lstm = nn.LSTM(4, 3, layers, batch_first=True, bidirectional=True).double()
    with torch.no_grad():
        for depth, layer in enumerate(encoder.layers):
            for name, parameter in layer.forward_cell.named_parameters():
                getattr(lstm, name.replace("_l0", f"_l{depth}")).copy_(parameter)
            for name, parameter in layer.reversed_cell.named_parameters():
                getattr(lstm, name.replace("_l0", f"_l{depth}_reverse")).copy_(parameter)
    return lstm


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_both_directions_are_those_of_torch_on_a_packed_sequence(layers):
    encoder = random_encoder(Direction.bidirectional, Summary.last, layers)
    inputs_BSE, lengths_B = embedded()
    actual = encoder(inputs_BSE, lengths_B)
    packed = pack_padded_sequence(inputs_BSE, lengths_B, batch_first=True, enforce_sorted=False)
    outputs, (hidden, cell) = torch_lstm(encoder, layers)(packed)
    states = pad_packed_sequence(outputs, batch_first=True, total_length=10)[0]
    torch.testing.assert_close(actual.states_BSD, states, **CLOSE)
    # torch orders states by layer, then by direction.
    for ours, theirs in ((actual.hidden, hidden), (actual.cell, cell)):
        expected = [torch.cat((one[0], one[1]), 1) for one in theirs.view(layers, 2, 5, 3)]
        torch.testing.assert_close(list(ours), expected, **CLOSE)


@pytest.mark.parametrize("cell", CellKind)
@pytest.mark.parametrize("direction", [Direction.forward, Direction.reversed])
def test_one_direction_equals_a_plain_lstm_over_the_sentence(direction, cell):
    encoder = random_encoder(direction, cell=cell)
    layer = encoder.layers[0]
    runner = layer.forward_cell if direction is Direction.forward else layer.reversed_cell
    inputs_BSE, _ = embedded()
    for row, length in enumerate(LENGTHS):
        sentence = inputs_BSE[row : row + 1, :length]
        backwards = direction is Direction.reversed
        states, last = runner.run(sentence.flip(1) if backwards else sentence)
        one = alone(encoder, row)
        torch.testing.assert_close(one.states_BSD, states.flip(1) if backwards else states, **CLOSE)
        torch.testing.assert_close(one.hidden[0], last.hidden_NH, **CLOSE)
        # A cell without a cell state passes its hidden state twice.
        expected = last.cell_NH[:, : runner.hidden_size] if cell.has_cell_state else last.hidden_NH
        torch.testing.assert_close(one.cell[0], expected, **CLOSE)


def test_each_direction_has_its_layers_and_orders():
    left, right, both = (True, False), (False, True), (True, True)
    assert {direction: [direction.reads(depth) for depth in range(4)] for direction in Direction} == {
        Direction.forward: [left] * 4,
        Direction.reversed: [right] * 4,
        Direction.bidirectional: [both] * 4,
        Direction.alternating: [left, right, left, right],
        Direction.gnmt: [both, left, left, left],
    }


@pytest.mark.parametrize("direction", Direction)
def test_layers_have_the_configured_widths(direction):
    config = EncoderConfig(layers=4, size=3, direction=direction)
    result = random_encoder(direction, layers=4)(*embedded())
    widths = [config.layer_width(layer) for layer in range(4)]
    assert [tuple(state.shape) for state in result.hidden] == [(5, width) for width in widths]
    assert [tuple(state.shape) for state in result.cell] == [(5, width) for width in widths]
    assert result.states_BSD.shape == (5, 10, config.width)


@pytest.mark.parametrize("direction", [Direction.alternating, Direction.gnmt])
def test_each_layer_reads_the_output_of_the_layer_below(direction):
    """Compute the stack manually for one sentence."""
    encoder = random_encoder(direction, layers=3)
    states = embedded()[0][2:3, :7]
    for depth, layer in enumerate(encoder.layers):
        reads = []
        if layer.forward_cell is not None:
            reads.append(layer.forward_cell.run(states)[0])
        if layer.reversed_cell is not None:
            reads.append(layer.reversed_cell.run(states.flip(1))[0].flip(1))
        assert len(reads) == sum(direction.reads(depth))
        states = torch.cat(reads, dim=2)
    torch.testing.assert_close(alone(encoder, 2).states_BSD, states, **CLOSE)


@pytest.mark.parametrize("summary", Summary)
def test_a_residual_layer_adds_its_input(summary):
    plain = random_encoder(Direction.forward, summary, 2)
    residual = random_encoder(Direction.forward, summary, 3, residual_from=3)
    for depth in range(2):
        residual.layers[depth].load_state_dict(plain.layers[depth].state_dict())
    below, actual = plain(*embedded()), residual(*embedded())
    written, last, _ = residual.layers[2](below.states_BSD, embedded()[1], below.padding_BS)
    torch.testing.assert_close(actual.states_BSD, below.states_BSD + written, **CLOSE)
    torch.testing.assert_close(actual.hidden[:2], below.hidden, **CLOSE)
    # The summary is of the layer's output without the residual input.
    for row, length in enumerate(LENGTHS):
        own = written[row, :length]
        pooled = {Summary.last: last[row], Summary.mean: own.mean(0), Summary.max: own.amax(0)}
        expected = {**pooled, Summary.max_mean: torch.cat([pooled[Summary.max], pooled[Summary.mean]])}[summary]
        torch.testing.assert_close(actual.hidden[2][row], expected, **CLOSE)


@pytest.mark.parametrize(("direction", "first"), [(Direction.gnmt, 3), (Direction.alternating, 2)])
def test_a_residual_connection_needs_equal_widths(direction, first):
    def config(residual_from: int, layers: int) -> ModelConfig:
        encoder = EncoderConfig(layers=layers, size=3, direction=direction, residual_from=residual_from)
        return ModelConfig(encoder=encoder, decoder=DecoderConfig(size=5))

    config(first, 4).check()
    if first == 3:
        with pytest.raises(
            ConfigError, match=r"^model\.encoder\.residual_from=2 adds layer 1, which is 6 .* is 3: set"
        ):
            config(2, 4).check()
        with pytest.raises(ConfigError, match=r"set model\.encoder\.residual_from=null$"):
            config(2, 2).check()  # there is no third layer


@pytest.mark.parametrize("direction", Direction)
def test_mean_and_maximum_exclude_padding(direction):
    inputs_BSE, lengths_B = embedded()
    mean = random_encoder(direction, Summary.mean)(inputs_BSE, lengths_B)
    maximum = random_encoder(direction, Summary.max)(inputs_BSE, lengths_B)
    torch.testing.assert_close(mean.states_BSD, maximum.states_BSD, rtol=0, atol=0)
    for row, length in enumerate(LENGTHS):
        states = mean.states_BSD[row, :length]
        torch.testing.assert_close(mean.hidden[0][row], sum(states) / length, **CLOSE)
        torch.testing.assert_close(maximum.hidden[0][row], torch.stack([unit.max() for unit in states.T]), **CLOSE)


@pytest.mark.parametrize("direction", Direction)
def test_every_layer_has_its_own_summary(direction):
    deep, shallow = random_encoder(direction, Summary.mean, 3), random_encoder(direction, Summary.mean, 1)
    shallow.layers[0].load_state_dict(deep.layers[0].state_dict())
    of_three, of_one = deep(*embedded()), shallow(*embedded())
    torch.testing.assert_close(of_three.hidden[0], of_one.hidden[0], **CLOSE)
    torch.testing.assert_close(of_three.cell[0], of_one.cell[0], **CLOSE)


def test_dropout_is_active_in_training_only_and_keeps_padding_zero():
    encoder = random_encoder(Direction.bidirectional, layers=2)
    inputs_BSE, lengths_B = embedded()
    still = encoder(inputs_BSE, lengths_B)
    torch.manual_seed(1)
    first, second = encoder.train()(inputs_BSE, lengths_B), encoder(inputs_BSE, lengths_B)
    assert not torch.equal(first.states_BSD, second.states_BSD)
    assert not torch.equal(first.hidden[0], still.hidden[0])
    assert first.states_BSD[first.padding_BS].abs().sum() == 0
    # Dropout zeroes whole units of the attended states, but not of the summaries.
    silenced_D = (first.states_BSD[2, : LENGTHS[2]] == 0).all(0)
    assert silenced_D.any()
    assert not silenced_D.all()
    assert all((hidden != 0).all() for hidden in first.hidden)


def test_recurrent_dropout_reaches_both_directions():
    config = ModelConfig(encoder=EncoderConfig(size=3), embedding_size=4, dropout=0.0, recurrent_dropout=0.5)
    encoder, (inputs_BSE, lengths_B) = Encoder(config).double(), embedded()
    still, noisy = encoder.eval()(inputs_BSE, lengths_B), encoder.train()(inputs_BSE, lengths_B)
    for half in (slice(0, 3), slice(3, 6)):
        assert not torch.allclose(still.states_BSD[..., half], noisy.states_BSD[..., half])
    # A first position has no previous state to drop.
    torch.testing.assert_close(still.states_BSD[:, 0, :3], noisy.states_BSD[:, 0, :3], **CLOSE)
