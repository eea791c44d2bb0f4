"""The network, and copies of it without weights."""

import subprocess
import sys

import pytest
import torch
from abilities import LOW_TRAINING, needs_bfloat16
from hypothesis import given
from hypothesis import strategies as st
from networks import BOS, EOS, EVERY, VOCABULARY, model_configs, padded, random_network, random_sentences
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.model import AttentionKind, CellKind, DecoderConfig, Direction, EncoderConfig, ModelConfig, Network, Tying
from seq2seq.model.choices import Initialization
from seq2seq.model.network import meta_network
from seq2seq.search import Hypothesis, SearchConfig, search

LENGTHS = st.lists(st.integers(1, 7), min_size=2, max_size=5)


def logits(
    network: Network, sources: list[list[int]], targets: list[list[int]], padding: int, more: int
) -> list[Tensor]:
    """Return the logits (target length + 1, V) of every pair."""
    source_BS, lengths_B = padded(sources, padding, more)
    target_BT, target_lengths_B = padded([[BOS, *target] for target in targets], padding, more)
    positions = (torch.arange(target_BT.size(1)) < target_lengths_B.unsqueeze(1)).flatten().nonzero().squeeze(1)
    return list(network(source_BS, lengths_B, target_BT, positions).split(target_lengths_B.tolist()))


@given(
    model_configs(), st.integers(0, 10_000), LENGTHS, st.integers(0, VOCABULARY - 1), st.integers(0, 3), st.randoms()
)
@torch.no_grad()
def test_logits_do_not_depend_on_the_batch(config, seed, lengths, padding, more, random):
    network = random_network(config, seed)
    sources = random_sentences(seed, lengths)
    targets = random_sentences(seed + 1, random.choices(range(7), k=len(lengths)))
    together = logits(network, sources, targets, padding, more)
    order = random.sample(range(len(lengths)), len(lengths))
    reordered = logits(network, [sources[row] for row in order], [targets[row] for row in order], padding, 0)
    for place, row in enumerate(order):
        [alone] = logits(network, [sources[row]], [targets[row]], padding, 0)
        assert alone.shape == (len(targets[row]) + 1, VOCABULARY)
        torch.testing.assert_close(together[row], alone, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(reordered[place], alone, rtol=1e-5, atol=1e-5)


def translations(
    network: Network, sources: list[list[int]], config: SearchConfig, more: int = 0
) -> list[list[Hypothesis]]:
    decoder = PreparedDecoder(network, InferencePrecision.float32)
    return search(NetworkStepper(network, decoder, *padded(sources, more=more), BOS, EOS), config)


def assert_same(actual: list[Hypothesis], expected: list[Hypothesis]) -> None:
    """Scores equal to rounding, and equal tokens, except of hypotheses whose scores differ in the last bits only."""
    for one, other in zip(actual, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        tied = one.score == pytest.approx(other.score, rel=1e-14)
        assert tied or (one.tokens, one.finished) == (other.tokens, other.finished)


@given(model_configs(), st.integers(0, 10_000), LENGTHS, st.sampled_from([1, 2, 4]), st.integers(0, 3), st.randoms())
def test_translations_and_scores_do_not_depend_on_the_batch(config, seed, lengths, beam_size, more, random):
    network, sources = random_network(config, seed), random_sentences(seed, lengths)
    settings = SearchConfig(beam_size=beam_size, n_best=beam_size, max_length_ratio=1.5, max_length_offset=2)
    together = translations(network, sources, settings, more)
    order = random.sample(range(len(lengths)), len(lengths))
    reordered = translations(network, [sources[row] for row in order], settings)
    for place, row in enumerate(order):
        [alone] = translations(network, [sources[row]], settings)
        assert_same(together[row], alone)
        assert_same(reordered[place], alone)


@pytest.mark.grid
@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("config", EVERY)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_logits_do_not_depend_on_the_batch_in_the_training_precision(config, beam_size, seed):
    settings = SearchConfig(beam_size=beam_size, n_best=beam_size, max_length_ratio=1.0, max_length_offset=4)
    network = random_network(config, seed, dtype=torch.float32)
    sources = random_sentences(seed, [6, 1, 3, 8, 2])
    together = translations(network, sources, settings, more=2)
    for source, result in zip(sources, together, strict=True):
        [alone] = translations(network, [source], settings)
        assert_same(result, alone)
    assert len({tuple(best.tokens) for best, *_ in together}) > 1, "equal translations make the test meaningless"


@pytest.mark.parametrize("config", EVERY)
def test_scores_are_the_log_probabilities_of_the_forward_pass(config):
    network, sources = random_network(config, seed=6), random_sentences(1, [4, 2, 5])
    for beam_size in (1, 4):
        for source, [best] in zip(
            sources,
            translations(network, sources, SearchConfig(beam_size=beam_size, max_length_ratio=1.0)),
            strict=True,
        ):
            tokens = [*best.tokens, EOS] if best.finished else best.tokens
            [result] = logits(network, [source], [tokens[:-1]], 0, 0)
            chosen = result.log_softmax(1)[torch.arange(len(tokens)), torch.tensor(tokens)]
            assert best.log_probability == pytest.approx(chosen.sum().item(), abs=1e-4)


@pytest.mark.parametrize("config", EVERY)
def test_every_parameter_affects_the_output(config):
    network = random_network(config, seed=4)
    outputs = logits(network, random_sentences(1, [6, 4, 5]), random_sentences(2, [4, 6, 5]), 0, 0)
    sum((output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum() for output in outputs).backward()
    without = [
        name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []


def small(tying: Tying = Tying.none) -> ModelConfig:
    """E = 4, H = 3 per direction, two encoder layers, one decoder layer of 5 units."""
    return ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=2, size=3, direction=Direction.bidirectional),
        decoder=DecoderConfig(layers=1, size=5),
        tying=tying,
    )


def lstm_parameters(inputs: int, units: int) -> int:
    return 4 * units * (inputs + units + 2)


ENCODER = 2 * (lstm_parameters(4, 3) + lstm_parameters(6, 3))
BRIDGE = 2 * (6 * 5 + 5)


@pytest.mark.parametrize(
    ("tying", "count"),
    [
        # source table, target table, output matrix; with tying a readout from 5 units to embedding width 4
        (Tying.none, 7 * 4 + 9 * 4 + (9 * 5 + 9) + ENCODER + BRIDGE + lstm_parameters(4, 5)),
        (Tying.output, 7 * 4 + 9 * 4 + 9 + (5 * 4 + 4) + ENCODER + BRIDGE + lstm_parameters(4, 5)),
    ],
)
def test_the_number_of_parameters_follows_the_formula(tying, count):
    assert sum(parameter.numel() for parameter in Network(small(tying), 7, 9, joint=False).parameters()) == count


def test_attention_and_three_tied_tables_are_counted_too():
    config = small(Tying.all)
    config.attention, config.decoder.layers = AttentionKind.additive, 2
    decoder = lstm_parameters(4, 5) + lstm_parameters(5 + 6, 5)
    attention = 6 * 5 + (5 * 5 + 5) + 5
    count = 9 * 4 + 9 + ((5 + 6) * 4 + 4) + ENCODER + 2 * BRIDGE + decoder + attention
    assert sum(parameter.numel() for parameter in Network(config, 9, 9, joint=True).parameters()) == count


@pytest.mark.parametrize(
    ("tying", "output", "source"), [(Tying.none, False, False), (Tying.output, True, False), (Tying.all, True, True)]
)
def test_tied_tables_are_one_tensor(tying, output, source):
    network = Network(small(tying), VOCABULARY, VOCABULARY, joint=True)
    target = network.target_embedding.weight
    assert (network.output.weight is target) == output
    assert (network.source_embedding.weight is target) == source
    # They remain tied in another precision.
    network.double()
    assert (network.output.weight is network.target_embedding.weight) == output


def test_tying_all_tables_needs_a_joint_vocabulary():
    with pytest.raises(ConfigError, match=r"^model\.tying=all .*tokenizer\.joint=true or model\.tying=output$"):
        Network(small(Tying.all), 9, 9, joint=False)


@pytest.mark.parametrize("config", EVERY)
def test_memory_contains_the_top_summary_and_the_attention_inputs(config):
    network = random_network(config, seed=1)
    source_BS, lengths_B = padded(random_sentences(1, [3, 6]))
    memory, state = network.encode(source_BS, lengths_B)
    encoded = network.encoder(network.source_embedding(source_BS), lengths_B)
    assert torch.equal(memory.context_BD, encoded.hidden[-1])
    hidden, cell = network.bridge(encoded.hidden, encoded.cell)
    first = network.decoder.layers[0].start(hidden[0], None if cell is None else cell[0])
    assert torch.equal(state.hidden_LNH[0], first.hidden_NH)
    assert (first.cell_NH is None and state.cell_LNH is None) or torch.equal(state.cell_LNH[0], first.cell_NH)
    if config.decoder.cell not in (CellKind.ssru, CellKind.sru, CellKind.slstm, CellKind.mlstm):
        assert torch.equal(state.hidden_LNH, hidden)
        assert (cell is None and state.cell_LNH is None) or torch.equal(state.cell_LNH, cell)
    if config.attention is AttentionKind.none:
        assert memory.attention is None
    else:
        attention = network.decoder.attention
        assert torch.equal(
            memory.attention.values_BMSD, attention.memory(encoded.states_BSD, encoded.padding_BS).values_BMSD
        )
        assert torch.equal(
            memory.attention.keys_BMSA, attention.memory(encoded.states_BSD, encoded.padding_BS).keys_BMSA
        )
        assert memory.attention.padding_BS.tolist() == [[False] * 3 + [True] * 3, [False] * 6]


def test_contradictory_settings_raise():
    config = small()
    config.attention, config.decoder.feed_context = AttentionKind.general, True
    with pytest.raises(ConfigError, match=r"feed_context=true feeds .* or model\.attention=none"):
        Network(config, 9, 9, joint=False)


LANGUAGE_MODEL = ModelConfig(
    embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(layers=2, size=5), tying=Tying.output
)


@torch.no_grad()
def test_without_an_encoder_the_source_has_no_effect():
    network = random_network(LANGUAGE_MODEL, seed=2)
    assert network.encoder is None
    assert network.bridge is None
    assert {name.split(".")[0] for name, _ in network.named_parameters()} == {"target_embedding", "decoder", "output"}
    target = [[3, 4, 5]] * 2
    one, other = logits(network, [[3], [4, 5, 6, 7]], target, 0, 0)
    torch.testing.assert_close(one, other)
    memory, state = network.encode(*padded([[3], [4, 5]]))
    assert memory.context_BD.shape == (2, 0)
    assert memory.attention is None
    assert state.hidden_LNH.shape == (2, 2, 5)
    assert not state.hidden_LNH.any()
    assert not state.cell_LNH.any()
    assert network.attention_weights(*padded([[3]]), torch.tensor([[BOS]])) is None


def test_a_language_model_ties_its_two_tables():
    config = ModelConfig(encoder=EncoderConfig(layers=0), tying=Tying.all)
    network = Network(config, 9, 9, joint=False)
    assert network.output.weight is network.target_embedding.weight


def test_word_dropout_is_active_in_training_only():
    config = small()
    config.word_dropout, config.dropout = 0.5, 0.0
    network = random_network(config, seed=1)
    source_BS, lengths_B = padded(random_sentences(1, [6, 4]))
    target_BT, positions_P = torch.tensor([[BOS, 3, 4], [BOS, 5, 6]]), torch.arange(6)
    still = network(source_BS, lengths_B, target_BT, positions_P)
    assert torch.equal(still, network(source_BS, lengths_B, target_BT, positions_P))
    heard: list[Tensor] = []
    for part in (network.encoder, network.decoder):
        part.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    torch.manual_seed(3)
    learning = network.train()(source_BS, lengths_B, target_BT, positions_P)
    assert not torch.allclose(learning, still, atol=1e-3)
    for embedded_BTE in heard:
        silent_BT = (embedded_BTE == 0).all(2)
        assert silent_BT.any()
        assert not silent_BT.all()
        assert torch.equal(silent_BT, (embedded_BTE == 0).any(2)), "word dropout drops whole embeddings"


@pytest.mark.parametrize("low", LOW_TRAINING)
@pytest.mark.parametrize("config", EVERY)
def test_every_sample_config_trains_in_lower_precision(config, low):
    """All gradients exist and equal those of float32 to rounding."""
    network = random_network(config, seed=1, spread=0.5, dtype=torch.float32).train()
    source_BS, lengths_B = padded(random_sentences(1, [5, 3]))
    target_BT, positions_P = torch.tensor([[BOS, 3, 4], [BOS, 5, 6]]), torch.arange(6)
    labels_P = torch.tensor([3, 4, EOS, 5, 6, EOS])
    gradients = []
    for dtype in (torch.float32, low):
        network.zero_grad()
        torch.manual_seed(1)  # the same dropout
        with torch.autocast("cpu", dtype, enabled=dtype is low):
            logits_PV = network(source_BS, lengths_B, target_BT, positions_P)
        torch.nn.functional.cross_entropy(logits_PV.float(), labels_P).backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    full, half = gradients
    assert full.norm() > 0.05
    assert torch.nn.functional.cosine_similarity(full, half, dim=0) > 0.95  # rounding may change a maximum


@needs_bfloat16
@pytest.mark.parametrize("config", EVERY)
@torch.no_grad()
def test_search_after_an_encoder_in_bfloat16(config):
    network = random_network(config, seed=1, spread=0.5, dtype=torch.float32)
    source_BS, lengths_B = padded(random_sentences(1, [5, 3]))
    scores = []
    for dtype in (torch.float32, torch.bfloat16):
        decoder = PreparedDecoder(network, InferencePrecision.bfloat16, dtype)
        stepper = NetworkStepper(network, decoder, source_BS, lengths_B, BOS, EOS)
        _, state = stepper.step(torch.tensor([BOS, BOS]), stepper.start(1))
        scores.append(stepper.step(torch.tensor([3, 4]), state)[0])
    torch.testing.assert_close(*scores, rtol=0, atol=0.1)


@pytest.mark.parametrize("config", EVERY)
def test_a_meta_network_has_the_names_and_shapes_of_the_network(config):
    config.initialization = Initialization.orthogonal
    expected = Network(config, VOCABULARY, VOCABULARY, joint=True).named_parameters()
    meta = meta_network(config, VOCABULARY, VOCABULARY, joint=True).named_parameters()
    assert [(name, one.shape) for name, one in meta] == [(name, one.shape) for name, one in expected]


def test_a_meta_network_uses_no_random_numbers_and_no_memory():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    network = meta_network(ModelConfig(embedding_size=10**9), 10**6, 10**6, joint=True)  # petabytes
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}
    assert torch.equal(torch.get_rng_state(), before)


def test_an_invalid_config_has_no_meta_network():
    with pytest.raises(ConfigError):
        meta_network(ModelConfig(attention_heads=2), 9, 9, joint=True)
    with pytest.raises(RuntimeError):
        meta_network(ModelConfig(embedding_size=2**62), 9, 9, joint=True)


@pytest.mark.ci
def test_building_a_meta_network_loads_no_compiler():
    program = (
        "import sys; from seq2seq.model import ModelConfig; from seq2seq.model.network import meta_network; "
        "meta_network(ModelConfig(), 9, 9, True); print('sympy' in sys.modules)"
    )
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert completed.stdout == "False\n"
