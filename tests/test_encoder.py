"""The encoder: a sentence's states, summaries and cells are its own."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.model import Direction, EncoderConfig, ModelConfig, Summary
from seq2seq.model.encoder import Encoded, Encoder

LENGTHS = [4, 1, 7, 2, 7]
CLOSE = {"rtol": 0, "atol": 1e-12}


def random_encoder(direction: Direction, summary: Summary = Summary.last, layers: int = 1) -> Encoder:
    """An encoder of 3 units a direction over embeddings of width 4, in evaluation mode, weights in [-1, 1]."""
    config = ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=layers, size=3, direction=direction),
        summary=summary,
        dropout=0.5,
    )
    encoder = Encoder(config).double().eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    return encoder


def embedded() -> tuple[Tensor, Tensor]:
    """Five sentences, three more columns than the longest needs, noise on padding."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5, 10, 4, generator=generator, dtype=torch.float64), torch.tensor(LENGTHS)


def alone(encoder: Encoder, row: int) -> Encoded:
    """What the encoder makes of one sentence without padding."""
    inputs_BSE, lengths_B = embedded()
    return encoder(inputs_BSE[row : row + 1, : LENGTHS[row]], lengths_B[row : row + 1])


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("summary", Summary)
@pytest.mark.parametrize("direction", Direction)
def test_a_sentence_does_not_depend_on_its_batch(direction, summary, layers):
    encoder = random_encoder(direction, summary, layers)
    inputs_BSE, lengths_B = embedded()
    together = encoder(inputs_BSE, lengths_B)
    order = torch.tensor([3, 0, 4, 1, 2])
    reordered = encoder(inputs_BSE[order], lengths_B[order])
    for row, length in enumerate(LENGTHS):
        one = alone(encoder, row)
        for batch, place in ((together, row), (reordered, order.tolist().index(row))):
            torch.testing.assert_close(batch.states_BSD[place, :length], one.states_BSD[0], **CLOSE)
            torch.testing.assert_close(batch.hidden_LBD[:, place], one.hidden_LBD[:, 0], **CLOSE)
            torch.testing.assert_close(batch.cell_LBD[:, place], one.cell_LBD[:, 0], **CLOSE)
            assert batch.states_BSD[place, length:].abs().sum() == 0
            assert batch.padding_BS[place].tolist() == [False] * length + [True] * (10 - length)


def torch_lstm(encoder: Encoder, layers: int) -> nn.LSTM:
    """torch's own bidirectional LSTM with the encoder's weights."""
    lstm = nn.LSTM(4, 3, layers, batch_first=True, bidirectional=True).double()
    with torch.no_grad():
        for depth, layer in enumerate(encoder.layers):
            for name, parameter in layer.forward_lstm.named_parameters():
                getattr(lstm, name.replace("_l0", f"_l{depth}")).copy_(parameter)
            for name, parameter in layer.reversed_lstm.named_parameters():
                getattr(lstm, name.replace("_l0", f"_l{depth}_reverse")).copy_(parameter)
    return lstm


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_both_directions_are_those_of_torch_on_a_packed_sequence(layers):
    encoder = random_encoder(Direction.bidirectional, Summary.last, layers)
    inputs_BSE, lengths_B = embedded()
    found = encoder(inputs_BSE, lengths_B)
    packed = pack_padded_sequence(inputs_BSE, lengths_B, batch_first=True, enforce_sorted=False)
    outputs, (hidden, cell) = torch_lstm(encoder, layers)(packed)
    states = pad_packed_sequence(outputs, batch_first=True, total_length=10)[0]
    torch.testing.assert_close(found.states_BSD, states, **CLOSE)
    # torch stacks layer by layer, the two directions of a layer after each other.
    for ours, theirs in ((found.hidden_LBD, hidden), (found.cell_LBD, cell)):
        torch.testing.assert_close(
            ours, torch.stack([torch.cat((one[0], one[1]), 1) for one in theirs.view(layers, 2, 5, 3)]), **CLOSE
        )


@pytest.mark.parametrize("direction", [Direction.forward, Direction.reversed])
def test_one_direction_is_a_plain_lstm_over_the_sentence_as_it_is_read(direction):
    encoder = random_encoder(direction)
    layer = encoder.layers[0]
    lstm = layer.forward_lstm if direction is Direction.forward else layer.reversed_lstm
    inputs_BSE, _ = embedded()
    for row, length in enumerate(LENGTHS):
        sentence = inputs_BSE[row : row + 1, :length]
        backwards = direction is Direction.reversed
        states, (hidden, cell) = lstm(sentence.flip(1) if backwards else sentence)
        one = alone(encoder, row)
        torch.testing.assert_close(one.states_BSD, states.flip(1) if backwards else states, **CLOSE)
        torch.testing.assert_close(one.hidden_LBD, hidden, **CLOSE)
        torch.testing.assert_close(one.cell_LBD, cell, **CLOSE)


@pytest.mark.parametrize("direction", Direction)
def test_mean_and_maximum_are_over_the_sentence_alone(direction):
    inputs_BSE, lengths_B = embedded()
    mean = random_encoder(direction, Summary.mean)(inputs_BSE, lengths_B)
    maximum = random_encoder(direction, Summary.max)(inputs_BSE, lengths_B)
    torch.testing.assert_close(mean.states_BSD, maximum.states_BSD, rtol=0, atol=0)
    for row, length in enumerate(LENGTHS):
        states = mean.states_BSD[row, :length]
        torch.testing.assert_close(mean.hidden_LBD[0, row], sum(states) / length, **CLOSE)
        torch.testing.assert_close(maximum.hidden_LBD[0, row], torch.stack([unit.max() for unit in states.T]), **CLOSE)


@pytest.mark.parametrize("direction", Direction)
def test_every_layer_has_a_summary_of_its_own(direction):
    deep, shallow = random_encoder(direction, Summary.mean, 3), random_encoder(direction, Summary.mean, 1)
    shallow.layers[0].load_state_dict(deep.layers[0].state_dict())
    of_three, of_one = deep(*embedded()), shallow(*embedded())
    assert (
        of_three.hidden_LBD.shape == of_three.cell_LBD.shape == (3, 5, 6 if direction is Direction.bidirectional else 3)
    )
    torch.testing.assert_close(of_three.hidden_LBD[0], of_one.hidden_LBD[0], **CLOSE)
    torch.testing.assert_close(of_three.cell_LBD[0], of_one.cell_LBD[0], **CLOSE)


def test_dropout_is_on_in_training_alone_and_keeps_padding_zero():
    encoder = random_encoder(Direction.bidirectional, layers=2)
    inputs_BSE, lengths_B = embedded()
    still = encoder(inputs_BSE, lengths_B)
    torch.manual_seed(1)
    first, second = encoder.train()(inputs_BSE, lengths_B), encoder(inputs_BSE, lengths_B)
    assert not torch.equal(first.states_BSD, second.states_BSD)
    assert not torch.equal(first.hidden_LBD, still.hidden_LBD)
    assert first.states_BSD[first.padding_BS].abs().sum() == 0
    # What attention sees is dropped by whole units; the summaries are not.
    silenced_D = (first.states_BSD[2, : LENGTHS[2]] == 0).all(0)
    assert silenced_D.any()
    assert not silenced_D.all()
    assert (first.hidden_LBD != 0).all()
