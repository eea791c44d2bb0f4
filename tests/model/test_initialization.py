"""Initial weights."""

import math

import pytest
import torch

from seq2seq.model import AttentionKind, DecoderConfig, EncoderConfig, Initialization, ModelConfig, Network, Tying
from seq2seq.model.cell import LSTM, Cell
from seq2seq.model.cells.layer_norm_lstm import LayerNormLSTM
from seq2seq.model.choices import CellKind

RANGE = 0.3


def fresh(
    initialization: Initialization,
    forget_bias: float = 1.0,
    tying: Tying = Tying.output,
    cell: CellKind = CellKind.lstm,
    embedding_range: float | None = None,
) -> Network:
    """Return a network with every kind of matrix."""
    torch.manual_seed(1)
    config = ModelConfig(
        embedding_size=12,
        encoder=EncoderConfig(cell=cell, layers=2, size=10),
        decoder=DecoderConfig(cell=cell, layers=2, size=16),
        attention=AttentionKind.additive,
        tying=tying,
        initialization=initialization,
        initial_range=RANGE,
        forget_bias=forget_bias,
        embedding_range=embedding_range,
    )
    return Network(config, 50, 60, joint=False)


BLOCKS = {
    CellKind.lstm: 4,
    CellKind.gru: 3,
    CellKind.rnn_tanh: 1,
    CellKind.rnn_relu: 1,
    CellKind.layer_norm_lstm: 4,
    CellKind.ssru: 2,
    CellKind.sru: 4,
    CellKind.min_gru: 2,
    CellKind.min_lstm: 3,
    CellKind.slstm: 4,
    CellKind.mlstm: 4,
}


def matrices(network: Network) -> dict[str, list[torch.Tensor]]:
    """Return all matrices except embeddings by name, those of cells split by gate."""
    blocks = {
        f"{name}.{part}": BLOCKS[network.config.encoder.cell]
        for name, module in network.named_modules()
        if isinstance(module, Cell)
        for part, _ in module.named_parameters()
        if part != "weight_gates"
    }
    return {
        name: list(parameter.detach().chunk(blocks.get(name, 1)))
        for name, parameter in network.named_parameters()
        if parameter.dim() == 2 and "embedding" not in name
    }


def fills(numbers: torch.Tensor, bound: float) -> bool:
    """Assert that values are within [-bound, bound], reach both ends and are uniform, as far as their number allows."""
    inside = numbers.abs().max().item() <= bound
    deviation = bound / math.sqrt(3)
    slack = 5 / math.sqrt(numbers.numel())
    return (
        inside
        and numbers.abs().max().item() > bound * (1 - 10 / numbers.numel())
        and abs(numbers.mean().item()) < deviation * slack
        and abs(numbers.std().item() / deviation - 1) < slack
    )


def test_uniform_fills_its_range():
    network = fresh(Initialization.uniform)
    for name, parameter in network.named_parameters():
        if parameter.dim() == 2:
            assert fills(parameter.detach(), RANGE), name


@pytest.mark.parametrize("cell", CellKind)
def test_xavier_uses_the_bounds_of_each_gate(cell):
    matrices_by_name = matrices(fresh(Initialization.xavier, cell=cell))
    assert len(matrices_by_name) >= 12  # cells without recurrent weights have half as many as others
    for name, parts in matrices_by_name.items():
        for part in parts:
            assert fills(part, math.sqrt(6 / sum(part.shape))), name


@pytest.mark.parametrize("cell", CellKind)
def test_orthogonal_initialization_is_per_gate(cell):
    for name, parts in matrices(fresh(Initialization.orthogonal, cell=cell)).items():
        for part in parts:
            rows, columns = part.shape
            product = part @ part.T if rows <= columns else part.T @ part
            torch.testing.assert_close(product, torch.eye(min(rows, columns)), atol=1e-5, rtol=0, msg=name)
        if len(parts) > 1:
            assert not torch.allclose(parts[0], parts[1], atol=0.01)


@pytest.mark.parametrize("initialization", Initialization)
@pytest.mark.parametrize("tying", [Tying.none, Tying.output])
def test_embeddings_are_always_uniform(initialization, tying):
    network = fresh(initialization, tying=tying)
    assert fills(network.source_embedding.weight.detach(), RANGE)
    assert fills(network.target_embedding.weight.detach(), RANGE)


@pytest.mark.parametrize("initialization", Initialization)
@pytest.mark.parametrize("tying", [Tying.none, Tying.output])
def test_embeddings_may_have_a_separate_range(initialization, tying):
    plain, wide = fresh(initialization, tying=tying), fresh(initialization, tying=tying, embedding_range=1.5)
    assert fills(wide.source_embedding.weight.detach(), 1.5)
    assert fills(wide.target_embedding.weight.detach(), 1.5)
    for name, before in plain.named_parameters():  # which names the weight that embedding and output layer share once
        assert "embedding" in name or torch.equal(before, wide.get_parameter(name)), name


@pytest.mark.parametrize("initialization", Initialization)
@pytest.mark.parametrize("forget_bias", [1.0, -0.5])
def test_only_forget_gates_have_an_initial_bias_which_is_added_once(initialization, forget_bias):
    network = fresh(initialization, forget_bias)
    lstms = {name: module for name, module in network.named_modules() if isinstance(module, LSTM)}
    assert len(lstms) == 6
    for lstm in lstms.values():
        admit, forget, candidate, show = (lstm.bias_ih_l0 + lstm.bias_hh_l0).chunk(4)
        assert set(forget.tolist()) == {forget_bias}
        assert set(torch.cat([admit, candidate, show]).tolist()) == {0.0}
    others = {
        name: parameter
        for name, parameter in network.named_parameters()
        if parameter.dim() == 1 and not any(name.startswith(lstm) for lstm in lstms)
    }
    assert "output.bias" in others
    assert all(not parameter.any() for parameter in others.values())


def test_the_same_seed_draws_the_same_weights():
    first, second = fresh(Initialization.xavier).state_dict(), fresh(Initialization.xavier).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("initialization", Initialization)
def test_a_layer_normalised_lstm_starts_with_unit_gains_and_open_forget_gates(initialization):
    network = fresh(initialization, 0.7, cell=CellKind.layer_norm_lstm)
    lstms = [module for module in network.modules() if isinstance(module, LayerNormLSTM)]
    assert len(lstms) == 6
    for lstm in lstms:
        admit, forget, candidate, show = lstm.gate_norm.bias.chunk(4)
        assert forget.tolist() == pytest.approx([0.7] * lstm.hidden_size)
        assert not torch.cat([admit, candidate, show, lstm.cell_norm.bias]).any()
        assert (torch.cat([lstm.gate_norm.weight, lstm.cell_norm.weight]) == 1).all()


@pytest.mark.parametrize(
    "cell", [CellKind.ssru, CellKind.sru, CellKind.min_gru, CellKind.min_lstm, CellKind.slstm, CellKind.mlstm]
)
def test_forget_gates_of_recent_cells_start_open(cell):
    network = fresh(Initialization.orthogonal, 0.7, cell=cell)
    cells = [module for module in network.modules() if isinstance(module, Cell)]
    assert len(cells) == 6
    for module in cells:
        biases = module.weights()[-1]
        if cell is CellKind.mlstm:  # one for each head, the last of its biases
            others, forget = biases[: -module.heads], biases[-module.heads :]
        elif cell is CellKind.min_gru:  # one minus its update gate keeps the state
            forget, others = biases.mul(-1).tensor_split([module.hidden_size])
        else:
            size = module.hidden_size
            others, forget = torch.cat([biases[:size], biases[2 * size :]]), biases[size : 2 * size]
        assert forget.tolist() == pytest.approx([0.7] * len(forget))
        assert not others.any()


@pytest.mark.parametrize("cell", [CellKind.gru, CellKind.rnn_tanh, CellKind.rnn_relu])
def test_cells_without_a_forget_gate_have_no_bias(cell):
    network = fresh(Initialization.uniform, 0.7, cell=cell)
    assert all(not parameter.any() for parameter in network.parameters() if parameter.dim() == 1)
