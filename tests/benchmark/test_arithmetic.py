"""Counted operations against PyTorch's counter, and counted weights against the network's."""

import pytest
import torch
from networks import EVERY, VOCABULARY, random_network
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.benchmark.arithmetic import (
    Counts,
    Work,
    cell,
    count_tokens,
    forward_operations,
    step_weights,
    training_work,
    translation_work,
    weights,
)
from seq2seq.data.batch import make_batch
from seq2seq.model import AttentionKind, DecoderConfig, EncoderConfig, ModelConfig, Network, Tying
from seq2seq.model.choices import CellKind, CopyKind

S, T, B = 5, 4, 3
"""Tokens with EOS. All sentences have the same length, so there is no padding."""


MATCHED = ModelConfig(attention=AttentionKind.general, tying=Tying.none)


def batch_of(sentences: int = B, source: int = S, target: int = T):
    return make_batch([[4] * (source - 1)] * sentences, [[5] * (target - 1)] * sentences)


def added(sum_shape, left_shape, right_shape, **_):
    """Operations of a product that is added in place, which PyTorch does not count by itself."""
    return 2 * left_shape[0] * left_shape[1] * right_shape[1]


def measured(network: Network, *, backward: bool) -> int:
    """Operations that PyTorch counts, products that are added in place among them; in float64 no kernel hides any."""
    batch = batch_of()
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: added}) as counter:
        logits = network(batch.source_BS, batch.source_lengths_B, batch.target_BT, batch.positions_P)
        if backward:
            logits.sum().backward()
    return counter.get_total_flops()


def other_operations(config: ModelConfig) -> int:
    """What is not the model's arithmetic: the flag of padding, one more input of every encoder LSTM; sums of copies."""
    encoder = config.encoder
    lstms = sum(encoder.layer_width(layer) // encoder.size for layer in range(encoder.layers))
    flag = B * S * lstms * 8 * encoder.size if encoder.cell is CellKind.lstm else 0
    copies = 2 * B * T * S * S if config.copy is CopyKind.pointer else 0
    memories = lstms * matrix_memory(S, encoder.size) if encoder.cell is CellKind.mlstm else 0
    if config.decoder.cell is CellKind.mlstm:
        memories += config.decoder.layers * matrix_memory(T, config.decoder.size)
    return flag + copies + memories


def matrix_memory(positions: int, units: int) -> int:
    """Products of queries, keys, values and memories of an mLSTM's two heads; those of vectors are not products."""
    heads, size = 2, units // 2
    compared = 2 * positions * positions * size  # queries with keys, and their scores with values
    stored = 2 * positions * size * size  # queries with the memory before, and values with keys for the next
    return 2 * B * heads * (compared + stored + positions * size)  # queries with the mean of keys before


@pytest.mark.parametrize("config", EVERY)
def test_forward_operations_are_those_that_pytorch_counts(config):
    counts = count_tokens(batch_of())
    one = forward_operations(config, VOCABULARY)
    ours = one.encoder * counts.source + one.bridge * B + one.decoder * counts.target
    ours += one.keys * counts.source + one.queries * counts.target + one.scores * counts.pairs
    ours += one.output * counts.target
    measurement = measured(random_network(config, 1), backward=False)
    assert measurement - other_operations(config) <= ours <= measurement


@pytest.mark.parametrize("config", EVERY)
def test_an_update_costs_three_forward_passes_except_for_inputs_without_gradient(config):
    work = training_work(config, VOCABULARY, VOCABULARY, count_tokens(batch_of()), 4)
    ours = sum(part.operations for part in work.values())
    measurement = measured(random_network(config, 1), backward=True)
    # PyTorch skips the gradient of the encoder's zero state, and computes that of the flag.
    assert measurement - 3 * other_operations(config) <= ours <= 1.25 * measurement


@pytest.mark.parametrize("config", EVERY)
def test_counted_weights_are_the_networks_matrices(config):
    network = random_network(config, 1)
    matrices = sum(parameter.numel() for parameter in network.parameters() if parameter.dim() == 2)
    assert sum(weights(config, VOCABULARY, VOCABULARY).values()) == matrices


@pytest.mark.parametrize(("kind", "blocks"), [("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("layer_norm_lstm", 4)])
def test_a_step_of_a_cell_against_a_count_by_hand(kind, blocks):
    # Every block 3 units from 2 inputs and 3 states: 3 · 5 multiply-adds.
    assert cell(CellKind(kind), 2, 3) == blocks * 30


def test_a_language_model_has_no_encoder():
    config = ModelConfig(encoder=EncoderConfig(layers=0), tying=Tying.none)
    one = forward_operations(config, 100)
    assert one.encoder == one.bridge == one.keys == one.scores == 0
    assert weights(config, 77, 100)["embedding"] == 100 * config.embedding_size


def test_the_matched_model_against_a_count_by_hand():
    one = forward_operations(MATCHED, 8000)
    assert one.encoder == 2 * 8 * 256 * (256 + 256)
    assert one.decoder == 8 * 512 * (256 + 512)
    assert one.keys == 2 * 512 * 512
    assert one.output == 2 * 1024 * 512 + 2 * 512 * 8000


def test_padding_is_not_counted():
    batch = make_batch([[4] * 9, [4]], [[5], [5] * 6])
    assert count_tokens(batch) == Counts(sentences=2, source=10 + 2, target=2 + 7, pairs=10 * 2 + 2 * 7)


def test_bytes_of_an_update():
    counts = Counts(sentences=2, source=10, target=8, pairs=40)
    work = training_work(MATCHED, 100, 100, counts, 2)
    assert work["loss"] == Work(0, 2 * 2 * 8 * 100)
    assert work["embedding"].bytes == 2 * 4 * 18 * 256
    assert work["optimizer"].bytes == 8 * 4 * sum(weights(MATCHED, 100, 100).values())
    assert work["decoder"].bytes == 3 * 4 * 4 * 512 * (256 + 512)


def test_a_search_step_counts_rows_and_reads_weights_once_for_all():
    alone = translation_work(MATCHED, 8000, [(10, 10)], beam=1, weight_bytes=4)
    twice = translation_work(MATCHED, 8000, [(10, 10), (10, 10)], beam=1, weight_bytes=4)
    assert twice.operations == 2 * alone.operations
    assert twice.bytes == alone.bytes
    half = translation_work(MATCHED, 8000, [(10, 10)], beam=1, weight_bytes=2)
    assert half.bytes == alone.bytes / 2


def test_a_beam_has_one_row_in_the_first_step():
    one = forward_operations(MATCHED, 8000)
    single = translation_work(MATCHED, 8000, [(10, 1)], beam=5, weight_bytes=4)
    assert single == translation_work(MATCHED, 8000, [(10, 1)], beam=1, weight_bytes=4)
    longer = translation_work(MATCHED, 8000, [(10, 2)], beam=5, weight_bytes=4)
    row = one.decoder + one.queries + 10 * one.scores + one.output
    assert longer.operations - single.operations == 5 * row
    assert longer.bytes - single.bytes == 4 * step_weights(MATCHED, 8000)


def test_work_adds_up():
    assert Work(1, 2) + Work(3, 4) == Work(4, 6)


def test_deeper_models_cost_more():
    small = forward_operations(ModelConfig(), 100)
    deep = forward_operations(ModelConfig(encoder=EncoderConfig(layers=2), decoder=DecoderConfig(layers=2)), 100)
    assert deep.encoder > small.encoder
    assert deep.decoder > small.decoder
    assert torch.tensor(deep).isfinite().all()
