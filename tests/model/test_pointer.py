"""The copy mechanism, compared with its equations written plainly."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import ARRANGEMENTS, BOS, COPIES, EOS, VOCABULARY, model_configs, padded, random_network, random_sentences
from torch import Tensor
from torch.nn.functional import nll_loss

from seq2seq.data.batch import make_batch
from seq2seq.errors import ConfigError
from seq2seq.model import AttentionKind, CopyKind, EncoderConfig, ModelConfig, Network
from seq2seq.model.logits import CHUNK
from seq2seq.model.pointer import AddCopies, CopyMemory, Pointer
from seq2seq.system.precision import Precision
from seq2seq.training.config import Passes, Prediction, ScheduledSamplingConfig
from seq2seq.training.consistency import symmetric_divergence
from seq2seq.training.loss import label_log_probabilities, loss_sums
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.scheduled_sampling import ScheduledSampling

POINTERS = [config for config in ARRANGEMENTS if config.copy is CopyKind.pointer]
CLOSE = {"rtol": 0, "atol": 1e-6}  # attention weights and losses are float32 in every precision


def plain_probabilities(network: Network, source: list[int], target: list[int]) -> Tensor:
    """Return p (len(target), V) of one pair, token by token, with gradients."""
    memory, state = network.encode(*padded([source]))
    decoded = network.decoder(network.target_embedding(torch.tensor([target])), memory, state)
    rows = []
    for features, weights in zip(decoded.features_NTF[0], decoded.weights_NTS[0].double(), strict=True):
        gate = (network.pointer.gate.weight[0] @ features + network.pointer.gate.bias).sigmoid()
        copied = [torch.zeros((), dtype=torch.float64)] * VOCABULARY
        for token, weight in zip(source, weights, strict=True):
            if COPIES[token] >= 0:
                copied[COPIES[token]] = copied[COPIES[token]] + weight
        mass = sum(copied)
        vocabulary = network.output(features).softmax(0)
        rows.append((1 - (1 - gate) * mass) * vocabulary + (1 - gate) * torch.stack(copied))
    return torch.stack(rows)


def flat_gradient(network: Network, value: Tensor) -> Tensor:
    network.zero_grad()
    value.backward()
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


SOURCES, TARGETS = [[3, 5, 3, 7, EOS], [6, 6, EOS], [7, EOS]], [[BOS, 3, 6], [BOS, 5, 5], [BOS, 4, 7]]
LABELS = torch.tensor([3, 6, EOS, 5, 5, 4, 4, 7, EOS])


def both(network: Network) -> tuple[Tensor, Tensor]:
    """Return the network's logits and the plain probabilities of three pairs, (9, V)."""
    logits = network(*padded(SOURCES), torch.tensor(TARGETS), torch.arange(9))
    return logits, torch.cat([plain_probabilities(network, *pair) for pair in zip(SOURCES, TARGETS, strict=True)])


@pytest.mark.parametrize("config", POINTERS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_probabilities_losses_and_gradients_are_those_of_the_equations(config, smoothing):
    network = random_network(config, seed=3)
    logits, plain = both(network)
    torch.testing.assert_close(logits.softmax(1), plain, **CLOSE)
    torch.testing.assert_close(plain.sum(1), torch.ones(9).double())
    cross_entropy = nll_loss(plain.log(), LABELS, reduction="sum")
    expected = (1 - smoothing) * cross_entropy - smoothing * plain.log().mean(1).sum()
    loss = loss_sums(logits, LABELS, smoothing)
    torch.testing.assert_close(loss.objective.double(), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(loss.cross_entropy.double(), cross_entropy, rtol=1e-5, atol=0)
    gradients = (flat_gradient(network, value) for value in (loss.objective, expected))
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def test_other_objectives_have_the_gradients_of_the_equations():
    """Probabilities of labels, as in training on risk, and the divergence of two passes."""
    network = random_network(POINTERS[0], seed=3, spread=0.7)
    logits, plain = both(network)
    chosen = plain.log().gather(1, LABELS.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(label_log_probabilities(logits, LABELS).double(), chosen, **CLOSE)
    risks = (
        label_log_probabilities(logits, LABELS) @ torch.linspace(-1, 1, 9),
        chosen @ torch.linspace(-1, 1, 9).double(),
    )
    torch.testing.assert_close(*(flat_gradient(network, risk) for risk in risks), **CLOSE)
    logits, plain = both(network)
    one, other = plain[:4], plain[4:8]
    divergence = ((one - other) * (one.log() - other.log())).sum()
    gradients = (flat_gradient(network, value) for value in (symmetric_divergence(logits[:8]), divergence))
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-5)


@pytest.mark.parametrize("passes", Passes)
def test_scheduled_sampling_reads_the_most_probable_tokens(passes):
    """Copied ones too, in both ways to predict them; in one pass they are predicted from the target."""
    network, batch = random_network(POINTERS[0], seed=3), make_batch(SOURCES, [target[1:] for target in TARGETS])
    config = ScheduledSamplingConfig(rate=1.0, passes=passes, prediction=Prediction.argmax)
    sampling = ScheduledSampling(TeacherForcing(0.0, Precision.float32), config, 1, Precision.float32)
    inputs = sampling.mixed(network, batch, 1.0)
    for row, target in enumerate(TARGETS):
        read = inputs[row].tolist() if passes is Passes.sequential else target
        source = batch.source_BS[row, : batch.source_lengths_B[row]].tolist()
        expected = plain_probabilities(network, source, read)[:-1].argmax(1)
        assert inputs[row].tolist() == [batch.target_BT[row, 0], *expected.tolist()]


def test_a_token_outside_the_source_keeps_the_gate_where_weights_are_rounded():
    """In float32 the weights of copied tokens may sum to more than 1, while the gate is nearly shut."""
    pointer, logits = Pointer(1, torch.tensor([-1, 1, 2])), torch.zeros(1, 3)
    with torch.no_grad():
        pointer.gate.weight.zero_()
        pointer.gate.bias.fill_(-20.0)
    weights = torch.tensor([[[0.5, 0.50000012]]])
    copied = pointer.memory(torch.tensor([[1, 2]])).at(weights, torch.tensor([0]))
    expected = pytest.approx(-20 - math.log(3), abs=1e-5)
    features = torch.zeros(1, 1)
    found = pointer.mix(logits.log_softmax(1), features, copied)[0, 0]
    assert float(found.detach()) == expected
    log_probability = pointer(logits.clone(), features, copied).log_softmax(1)[0, 0]
    assert float(log_probability.detach()) == expected
    log_probability.backward()
    assert float(pointer.gate.bias.grad) == pytest.approx(1)


@pytest.mark.parametrize("rows", [3, CHUNK + 1])
def test_the_gradient_is_that_of_finite_differences(rows):
    """In float64, for sources in which tokens occur twice; logits are changed in place."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.tensor([[1, 2, 1, 0], [3, 3, 3, 0], [0, 4, 2, 0]]).repeat(rows // 3 + 1, 1)[:rows]
    leaders = torch.tensor([[0, 1, 0, 3], [0, 0, 0, 3], [0, 1, 2, 0]]).repeat(rows // 3 + 1, 1)[:rows]
    logits = torch.randn(rows, 5, generator=generator).double().requires_grad_()
    copies = torch.randn(rows, 4, generator=generator).double().requires_grad_()

    def mixed(logits: Tensor, copies: Tensor) -> Tensor:
        copies = copies.gather(1, leaders)  # equal for equal tokens
        return AddCopies.apply(logits * 1, copies, tokens, leaders == torch.arange(4)).square()[[0, -1]]

    assert torch.autograd.gradcheck(mixed, (logits, copies), fast_mode=rows > 3)


@given(model_configs().filter(lambda config: config.copy is CopyKind.pointer), st.integers(0, 10_000), st.data())
@torch.no_grad()
def test_every_model_assigns_the_probabilities_of_the_equations(config, seed, data):
    network = random_network(config, seed)
    source = [*random_sentences(seed, [data.draw(st.integers(0, 6))])[0], EOS]
    target = [BOS, *random_sentences(seed + 1, [3])[0]]
    logits = network(*padded([source], more=data.draw(st.integers(0, 2))), torch.tensor([target]), torch.arange(4))
    torch.testing.assert_close(logits.softmax(1), plain_probabilities(network, source, target), **CLOSE)


def test_without_tokens_to_copy_the_vocabulary_decides():
    """Its logits do not change by a bit."""
    network = random_network(POINTERS[0], seed=1)
    plain = random_network(replace(POINTERS[0], copy=CopyKind.none), seed=1)
    plain.load_state_dict(network.state_dict(), strict=False)
    batch = *padded([[7, EOS], [7, 7, EOS]]), torch.tensor([[BOS, 3], [BOS, 4]]), torch.arange(4)
    assert torch.equal(network(*batch), plain(*batch))


@pytest.mark.parametrize("bias", [-1e4, -60.0, 60.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_saturated_gate_keeps_losses_and_gradients_finite(bias, dtype):
    network = random_network(POINTERS[0], seed=1, dtype=torch.float32)
    with torch.no_grad():
        network.pointer.gate.bias.fill_(bias)
    with torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
        logits = network(*padded(SOURCES), torch.tensor(TARGETS), torch.arange(9))
    assert logits.dtype is dtype
    loss = loss_sums(logits, LABELS, 0.1).objective
    assert loss.isfinite()
    assert flat_gradient(network, loss).isfinite().all()


def test_only_the_first_of_equal_tokens_counts_and_all_have_their_sum():
    memory = CopyMemory.of(torch.tensor([[4, -1, 4, 0, -1], [-1, -1, 2, 2, 2]]))
    assert memory.tokens_BS.tolist() == [[4, 0, 4, 0, 0], [0, 0, 2, 2, 2]]
    assert memory.leaders_BS.tolist() == [[0, 1, 0, 1, 1], [0, 0, 2, 2, 2]]
    weights = torch.tensor([0.1, 0.2, 0.3, 0.25, 0.15]).expand(2, 1, 5)
    copied = memory.at(weights, torch.tensor([1, 0]))
    torch.testing.assert_close(
        copied.sums_PS.float(), torch.tensor([[0, 0, 0.7, 0.7, 0.7], [0.4, 0.25, 0.4, 0.25, 0.25]])
    )
    assert copied.first_PS.tolist() == [[True, False, True, False, False], [True, True, False, False, False]]


def test_only_the_gate_is_saved():
    network = Network(POINTERS[0], 9, VOCABULARY, joint=False, copies=[-1, *range(8)])
    assert {name for name in network.state_dict() if name.startswith("pointer")} == {
        "pointer.gate.weight",
        "pointer.gate.bias",
    }
    assert sum(parameter.numel() for parameter in network.pointer.parameters()) == POINTERS[0].feature_size + 1
    assert (Network(POINTERS[0], 9, VOCABULARY, joint=False).pointer.copies_X == -1).all()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ModelConfig(copy=CopyKind.pointer), r"^model\.copy=pointer needs attention: set model\.attention=additive"),
        (
            ModelConfig(encoder=EncoderConfig(layers=0), copy=CopyKind.pointer),
            r"^model\.encoder\.layers=0 is a language model, .*: set model\.copy=none$",
        ),
    ],
)
def test_copying_needs_attention_to_a_source(config, message):
    with pytest.raises(ConfigError, match=message):
        config.check()
    replace(config, encoder=EncoderConfig(), attention=AttentionKind.additive).check()
