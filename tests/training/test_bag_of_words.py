"""The bag-of-words loss of the context vector, compared with loops over the definition."""

from collections import Counter
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from networks import BOS, EOS, random_network
from reversal import SEVEN_BATCHES, Stream, same, tiny_network, trainer, training, weights

from seq2seq.config.hydra import compose_train
from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.errors import ConfigError
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig, Network, Readout
from seq2seq.model.choices import BridgeKind, CellKind, Summary, Tying
from seq2seq.system.precision import Precision
from seq2seq.training import LossConfig, RiskConfig, ScheduledSamplingConfig, build_objective
from seq2seq.training.bag_of_words import BagOfWords
from seq2seq.training.consistency import Consistency, SimCut
from seq2seq.training.objective import TeacherForcing

F32 = Precision.float32
PLAIN = TeacherForcing(0.1, F32)
BATCH = make_batch([[4, 5, 6], [7], [3, 3]], [[5, 3], [6, 7, 4, 6], [5]])
TARGETS = [[5, 3], [6, 7, 4, 6], [5]]

CONFIGS = {
    "last state only": ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(size=3),
        bridge=BridgeKind.copy,
        decoder=DecoderConfig(layers=2, size=6, readout_size=4),
        tying=Tying.none,
    ),
    "no readout": ModelConfig(
        embedding_size=4, encoder=EncoderConfig(size=3), bridge=BridgeKind.linear, decoder=DecoderConfig(size=4)
    ),
    "fed, readout sees the input": ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(size=3),
        summary=Summary.max_mean,
        decoder=DecoderConfig(size=5, feed_context=True, readout=Readout.maxout, readout_sees_input=True),
    ),
    "fed only": ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(size=3),
        bridge=BridgeKind.zero,
        decoder=DecoderConfig(size=5, feed_context=True),
    ),
    "gru": ModelConfig(
        embedding_size=4, encoder=EncoderConfig(size=3), decoder=DecoderConfig(cell=CellKind.gru, layers=2, size=5)
    ),
    "layers one by one": ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(size=3),
        decoder=DecoderConfig(cell=CellKind.layer_norm_lstm, size=5),
    ),
    **{
        f"{kind}": ModelConfig(
            embedding_size=4,
            encoder=EncoderConfig(size=3),
            bridge=BridgeKind.linear,
            decoder=DecoderConfig(cell=kind, layers=2, size=8),
        )
        for kind in (CellKind.ssru, CellKind.sru, CellKind.min_gru, CellKind.slstm, CellKind.mlstm)
    },
}


def by_loops(network: Network, batch: Batch) -> torch.Tensor:
    """-Σ log p(word | what the top layer shows of its initial state with an open output gate), row by row."""
    config, total = network.config, torch.zeros((), dtype=torch.float64)
    for row, target in enumerate(TARGETS):
        source_1S = batch.source_BS[row : row + 1, : batch.source_lengths_B[row]]
        memory, state = network.encode(source_1S, batch.source_lengths_B[row : row + 1])
        match config.decoder.cell:
            case CellKind.lstm:
                features = state.cell_LNH[-1, 0].tanh()
            case CellKind.layer_norm_lstm:
                features = network.decoder.cells[-1].cell_norm(state.cell_LNH[-1, 0]).tanh()
            case CellKind.ssru:
                features = state.cell_LNH[-1, 0].clamp(min=0)
            case CellKind.sru:
                features = state.cell_LNH[-1, 0]
            case CellKind.slstm:  # y, then ln n
                features = state.cell_LNH[-1, 0, : config.decoder.size]
            case _:
                features = state.hidden_LNH[-1, 0]
        if network.decoder.readout is not None:
            parts = [features]
            parts += [memory.context_BD[0]] if config.decoder.feed_context else []
            parts += [network.target_embedding.weight[BOS]] if config.decoder.readout_sees_input else []
            mixed = network.decoder.readout.weight @ torch.cat(parts) + network.decoder.readout.bias
            pairs = config.decoder.readout is Readout.maxout
            features = torch.stack([max(*two) for two in mixed.view(-1, 2)]) if pairs else mixed.tanh()
        log_probabilities_V = (network.output.weight @ features + network.output.bias).log_softmax(0)
        for word in target:
            total = total - log_probabilities_V[word]
    return total


@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_and_its_gradients_are_those_of_the_definition_in_float64(name: str):
    config = replace(CONFIGS[name], dropout=0.0)
    exact = random_network(config, 3, spread=0.5)
    network = deepcopy(exact).float().train()
    exact.train()
    loss = BagOfWords(PLAIN, 2.0, 10, F32)(network, BATCH, 1)
    assert loss.cross_entropy == PLAIN(network, BATCH, 1).cross_entropy
    definition = PLAIN(exact, BATCH, 1).objective.double() + 2 * by_loops(exact, BATCH)
    assert loss.objective.item() == pytest.approx(definition.item(), rel=1e-5)
    loss.objective.backward()
    definition.backward()
    for (name, parameter), reference in zip(network.named_parameters(), exact.parameters(), strict=True):
        assert (parameter.grad is None) == (reference.grad is None), name
        if parameter.grad is not None:
            assert torch.allclose(parameter.grad.double(), reference.grad, rtol=1e-4, atol=1e-5), name


def test_only_the_initial_state_and_the_output_layer_are_trained_by_it():
    """The recurrence of the decoder plays no part: its words are in no order."""
    network = random_network(replace(CONFIGS["last state only"], dropout=0.0), 3).train()
    before = PLAIN(network, BATCH, 1).objective
    (BagOfWords(PLAIN, 1.0, 10, F32)(network, BATCH, 1).objective - before).backward()
    for cell in network.decoder.cells:
        assert all(weight.grad.abs().max() < 1e-12 for weight in cell.weights())
    encoder = network.encoder.layers[0]
    for cell in (encoder.forward_cell, encoder.reversed_cell):
        assert cell.weights()[0].grad.abs().max() > 1e-3


def test_eos_is_not_counted_and_a_repeated_word_counts_each_time():
    network = random_network(replace(CONFIGS["gru"], dropout=0.0), 3)
    loss = BagOfWords(PLAIN, 1.0, 10, F32)
    added = loss(network, BATCH, 1).objective - PLAIN(network, BATCH, 1).objective
    assert added.item() == pytest.approx(by_loops(network, BATCH).item(), rel=1e-6)
    assert Counter(BATCH.labels_P.tolist())[EOS] == len(TARGETS)
    other = make_batch([[4, 5, 6], [7], [3, 3]], [[3, 5], [6, 6, 4, 7], [5]])  # the same words in another order
    reordered = loss(network, other, 1).objective - PLAIN(network, other, 1).objective
    assert reordered.item() == pytest.approx(added.item(), rel=1e-6)


TWO_PASSES = [Consistency(1.0, 0.1, F32), SimCut(1.0, 0.3, 0.1, F32)]


@pytest.mark.parametrize("objective", TWO_PASSES, ids=["r-drop", "simcut"])
def test_of_two_passes_the_first_has_to_know_the_words(objective):
    network = random_network(replace(CONFIGS["last state only"], dropout=0.0), 3, dtype=torch.float32).train()
    values = []
    for each in (objective, BagOfWords(objective, 1.0, 10, F32)):
        torch.manual_seed(1)
        values.append(each(network, BATCH, 1).objective.item())
    assert values[1] - values[0] == pytest.approx(by_loops(network, BATCH).item(), rel=1e-3)


def test_the_weight_falls_and_without_it_nothing_is_computed():
    network = random_network(replace(CONFIGS["no readout"], dropout=0.0), 3)
    bag, base = BagOfWords(PLAIN, 2.0, 4, F32), PLAIN(network, BATCH, 1).objective
    added = [(bag(network, BATCH, update).objective - base).item() for update in range(1, 7)]
    assert [value / added[0] for value in added] == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0], abs=1e-5)
    assert bag(network, BATCH, 5).objective == base
    assert not network.decoder._forward_hooks


def test_it_is_inside_of_sampled_inputs_and_off_by_default():
    def built(loss: LossConfig):
        sampling, risk = ScheduledSamplingConfig(rate=0.5), RiskConfig(weight=0.5)
        return build_objective(
            loss, sampling, risk, training(updates=10), lambda network, batch: []
        ).objective.objective

    bag = built(LossConfig(bag_of_words=1.5, bag_until=0.3))
    assert type(bag) is BagOfWords
    assert (bag.weight, bag.updates) == (1.5, 3)
    assert type(built(LossConfig())) is TeacherForcing


class StoppedError(Exception):
    pass


def stop_at_update_10(place: StreamPosition) -> None:
    if place == (1, 2):
        raise StoppedError


def test_training_stopped_at_any_update_resumes_to_the_bit_and_the_weights_have_the_same_names(tmp_path):
    config = training(updates=12, validate_every=4, save_minutes=0.0, log_every=1)

    def run(name: str, stream: Stream):
        return trainer(tmp_path / name, config, stream=stream, objective=BagOfWords(PLAIN, 1.0, 12, F32))

    whole = run("whole", Stream(SEVEN_BATCHES))
    whole.fit()
    with pytest.raises(StoppedError):
        run("cut", Stream(SEVEN_BATCHES, stop_at_update_10)).fit()
    resumed = run("cut", Stream(SEVEN_BATCHES))
    assert resumed.progress.update == 9
    resumed.fit()
    assert same(weights(whole.network), weights(resumed.network))
    assert weights(whole.network).keys() == weights(tiny_network()).keys()
    plain = trainer(tmp_path / "plain", config)
    plain.fit()
    assert not same(weights(whole.network), weights(plain.network))


def test_models_without_a_context_vector_alone_are_refused():
    for settings, line in (
        (["model=attention"], r"^loss\.bag_of_words .* set model\.attention=none or loss\.bag_of_words=0$"),
        (["model=language_model", "model.decoder.feed_context=false"], r"language model .* set loss\.bag_of_words=0$"),
    ):
        with pytest.raises(ConfigError, match=line):
            compose_train(overrides=[*settings, "loss.bag_of_words=1"]).check()
