"""Our update against a bare loop of the same sizes."""

import json

import pytest
import torch
from benchmarks import SLOW_MACHINE, SMALL_OVERRIDES, small_benchmark

from seq2seq.model import Network
from tests.tools.ceiling import (
    BareLoop,
    CeilingConfig,
    CeilingRow,
    Size,
    bare_update,
    ceiling_table,
    measure_ceiling,
    model_of,
)
from tests.tools.random_text import random_batches

CPU = torch.device("cpu")
SMALL = CeilingConfig(sizes=[Size.matched], tokens=60, length=6)


def test_a_small_model_is_measured_on_a_cpu(tmp_path):
    (row,) = measure_ceiling(SMALL, small_benchmark(tmp_path), SLOW_MACHINE)
    assert row.size == "matched"
    assert row.share_of_bare == pytest.approx(row.tokens_per_second / row.bare_tokens_per_second)
    assert row.share_of_products > 0


def test_the_bare_loop_trains_every_weight(tmp_path):
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
    model, result = model_of(size, small_benchmark(tmp_path))
    assert (model.encoder.layers, model.decoder.layers) == (layers, layers)
    assert (model.encoder.size, model.decoder.size, result) == (units, units, vocabulary)
    with torch.device("meta"):
        network = Network(model, result, result, joint=True)
    assert sum(parameter.numel() for parameter in network.parameters()) > 150e6


def test_matched_is_the_configured_model(tmp_path):
    config = small_benchmark(tmp_path)
    assert model_of(Size.matched, config) == (config.model, 400)


def test_the_table_has_the_share_of_the_bare_loop():
    assert "85%" in ceiling_table([CeilingRow("gnmt", 10, 20, 85.0, 100.0, 0.85, 0.4)])


def test_the_tool_writes_table_and_json(tool, tmp_path):
    outcome = tool(
        "ceiling", f"output={tmp_path}", "device=cpu", *SMALL_OVERRIDES, "ceiling.sizes=[matched]", "ceiling.tokens=50"
    )
    assert outcome.code == 0, outcome.err
    assert "bare loop" in outcome.out
    written = json.loads((tmp_path / "ceiling.json").read_text())
    assert [row["size"] for row in written["ceiling"]] == ["matched"]
    assert written["settings"]["model"]["decoder"]["size"] == 12
    outcome = tool("ceiling", f"output={tmp_path}", "modle=context")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
