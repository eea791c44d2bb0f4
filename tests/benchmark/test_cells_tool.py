"""Cells at equal numbers of weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from model_folders import model_folder, tokenizers_of

from seq2seq.config.hydra import compose_train
from seq2seq.metrics.score import Metric
from seq2seq.model import ModelConfig
from seq2seq.model.choices import CellKind
from seq2seq.run.folder import RunFolder
from seq2seq.run.network import make_network
from tests.tools import cells
from tests.tools.cells import Speed, Variant, sized, weights


@pytest.fixture(scope="module")
def base() -> ModelConfig:
    model = ModelConfig(embedding_size=64)
    return replace(model, encoder=replace(model.encoder, size=128), decoder=replace(model.decoder, size=256))


def test_words_name_cells_and_layers():
    assert Variant.parse("gru") == (CellKind.gru, CellKind.gru, None)
    assert Variant.parse("lstm:ssru") == (CellKind.lstm, CellKind.ssru, None)
    assert Variant.parse("min_gru:lstm:2").name == "min_gru-lstm-2"
    for word in ("lstn", "lstm:gru:two"):
        with pytest.raises(ValueError, match=r"lstn|two"):
            Variant.parse(word)


@pytest.mark.parametrize(
    "word", ["lstm:min_gru:2", "mlstm", *(pytest.param(word, marks=pytest.mark.slow) for word in ("ssru", "gru:slstm"))]
)
def test_models_have_about_as_many_weights(base, word):
    tokenizers = tokenizers_of(281)
    wanted = sum(parameter.numel() for parameter in make_network(base, tokenizers).parameters())
    assert weights(base, tokenizers) == wanted
    chosen = sized(Variant.parse(word).model(base), tokenizers, wanted)
    network = make_network(chosen, tokenizers)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(wanted, rel=0.03)
    assert chosen.decoder.size / chosen.encoder.size == pytest.approx(2, rel=0.4)


def test_layers_of_the_first_word_are_those_of_the_others(tmp_path):
    """They are sized for them, so they must be trained with them."""
    words = [Variant.parse(word) for word in ("lstm:lstm:2", "ssru", "gru:gru:3")]
    model = compose_train(None, [*cells.settings_of(words[0], None), "model.encoder.size=32"]).model
    assert (model.encoder.layers, model.decoder.layers) == (2, 2)
    first = RunFolder.open(model_folder(tmp_path / "first", model=model))
    for word, layers in zip(words[1:], (2, 3), strict=True):
        other = compose_train(None, cells.settings_of(word, first)).model
        assert (other.encoder.layers, other.decoder.layers) == (layers, layers)


def test_the_table_has_means_over_seeds_and_ratios_to_the_first(tool, tmp_path, monkeypatch):
    trained, rounds = [], []

    def train(run: Path, settings: list[str]) -> float:
        trained.append(run.name)
        config = compose_train(None, settings)
        model_folder(run, model=config.model)
        return 60.0 * len(trained)

    def evaluate(run: Path) -> dict[str, dict[str, Metric]]:
        score = Metric(10.0 * int(run.name[-1]), None, "signature")
        return {"beam": {"bleu": score, "chrf": score}, "greedy": {"bleu": score}}

    def measured(run: Path, output: Path) -> Speed:
        rounds.append(run.name)
        return Speed(*([2.0 if run.name.startswith("ssru") else 1.0 + 8 * (len(rounds) == 3)] * 4))

    for name, function in (("train", train), ("evaluate", evaluate), ("measured", measured)):
        monkeypatch.setattr(cells, name, function)
    settings = ["model.embedding_size=16", "model.encoder.size=32", "model.decoder.size=64"]
    out = tool("cells", str(tmp_path), "--cells", "lstm", "ssru", "--seeds", "1", "2", "--settings", *settings).out
    assert trained == ["lstm-lstm.1", "lstm-lstm.2", "ssru-ssru.1", "ssru-ssru.2"]
    assert rounds == ["lstm-lstm.1", "ssru-ssru.1"] * 3
    first, second = [line for line in out.split("\n") if line.startswith("| ")][1:]
    assert first.startswith("| lstm, 1 × 32 | lstm, 1 × 64 | ")
    assert first.endswith(" | 1.5 | 15.0 ± 7.1 | 15.0 ± 7.1 | 15.0 ± 7.1" + 4 * " | 1 (1.00 ×)" + " |")
    assert second.endswith(" | 3.5 | 15.0 ± 7.1 | 15.0 ± 7.1 | 15.0 ± 7.1" + 4 * " | 2 (2.00 ×)" + " |")
    written = (tmp_path / "table.md").read_text("utf-8")
    assert written.startswith("python -m tests.tools.cells ")
    assert f"PyTorch {torch.__version__}" in written
    assert RunFolder.open(tmp_path / "ssru-ssru.2").section("model", ModelConfig).encoder.cell is CellKind.ssru
