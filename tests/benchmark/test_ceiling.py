"""Ours against a bare loop of the same sizes."""

import pytest
import torch
from benchmarks import SLOW_MACHINE, small_benchmark

from seq2seq.benchmark.ceiling import BareLoop, bare_update, measure_ceiling, sized
from seq2seq.benchmark.config import Size
from seq2seq.benchmark.numerals import random_batches
from seq2seq.model import Network

CPU = torch.device("cpu")


def test_a_tiny_size_is_measured_on_a_cpu(tmp_path):
    (row,) = measure_ceiling(small_benchmark(tmp_path), SLOW_MACHINE)
    assert row.size == "matched"
    assert row.share_of_bare == pytest.approx(row.pieces_per_second / row.bare_pieces_per_second)
    assert row.share_of_products > 0


def test_the_bare_loop_learns_with_every_weight(tmp_path):
    config = small_benchmark(tmp_path)
    batch = next(random_batches(60, 6, 50, 1, CPU))
    torch.manual_seed(1)
    network = BareLoop(config.model, 50)
    update = bare_update(network, batch, config)
    update()
    assert all(parameter.grad is not None for parameter in network.parameters())
    for _ in range(100):
        update()
    logits, _ = network(batch.source_BS, batch.target_BT)
    assert torch.nn.functional.cross_entropy(logits, batch.labels_P) < 3.5  # ln 50 is 3.9


@pytest.mark.parametrize(
    ("size", "layers", "units", "vocabulary"), [(Size.luong2015, 4, 1000, 50_000), (Size.gnmt, 8, 1024, 32_000)]
)
def test_the_published_sizes(tmp_path, size, layers, units, vocabulary):
    model, pieces = sized(size, small_benchmark(tmp_path))
    assert (model.encoder.layers, model.decoder.layers) == (layers, layers)
    assert (model.encoder.size, model.decoder.size, pieces) == (units, units, vocabulary)
    with torch.device("meta"):
        network = Network(model, pieces, pieces, joint=True)
    assert sum(parameter.numel() for parameter in network.parameters()) > 150e6


def test_matched_is_the_configs_own_model(tmp_path):
    config = small_benchmark(tmp_path)
    assert sized(Size.matched, config) == (config.model, 400)
