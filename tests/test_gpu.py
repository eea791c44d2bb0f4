"""GPU tests: results match the CPU, updates do not synchronize, and runs are reproducible to the bit."""

import warnings
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from markov import MarkovStepper, random_stepper
from networks import BOS, EOS, SAMPLES, padded, random_network, random_sentences
from reversal import Scripted, metrics, same, tiny_network, trainer, training, weights
from test_cell import assert_close, random_cell, random_inputs, tensors

from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.model.choices import CellKind
from seq2seq.model.weights import load_weights
from seq2seq.search import CallbackStepper, Method, SearchConfig, search
from seq2seq.system.device import autocast
from seq2seq.system.precision import Precision
from seq2seq.training import SGD, Adadelta, Adagrad, Adam, Muon, Validation
from seq2seq.training.loss_scale import INITIAL, LossScale

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.filterwarnings("ignore:RNN module weights are not part of single contiguous chunk"),
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype feature"),
]
CUDA = torch.device("cuda")
NEVER = 10**6
FUSED = [CellKind.lstm, CellKind.gru, CellKind.rnn_tanh, CellKind.rnn_relu]


@pytest.mark.parametrize("kind", CellKind)
def test_cells_are_the_cpu_s(kind):
    cell = random_cell(kind, 3)
    inputs_NTI, _, padding_NT = random_inputs(3, [5, 1, 9], more=2)
    on_cpu = tensors(cell.run(inputs_NTI, None, padding_NT))
    on_gpu = tensors(cell.cuda().run(inputs_NTI.cuda(), None, padding_NT.cuda()))
    assert_close([part.cpu() for part in on_gpu], on_cpu, 1e-10)


@pytest.mark.parametrize("kind", FUSED)
def test_float32_is_not_rounded_to_tf32(kind):
    cell = random_cell(kind, 3, torch.float32)
    inputs_NTI, _, padding_NT = random_inputs(3, [5, 1, 9], torch.float32)
    on_cpu = tensors(cell.run(inputs_NTI, None, padding_NT))
    on_gpu = tensors(cell.cuda().run(inputs_NTI.cuda(), None, padding_NT.cuda()))
    assert_close([part.cpu() for part in on_gpu], on_cpu, 2e-5)


def slopes(kind: CellKind, precision: Precision) -> list[torch.Tensor]:
    """Return gradients of a cell's weights for a mean loss over many positions, scaled in float16."""
    half = precision is Precision.float16
    scale = LossScale(half, CUDA)
    cell = random_cell(kind, 3, torch.float32).cuda()
    inputs_NTI, _, padding_NT = random_inputs(3, [5, 1, 9], torch.float32)
    with autocast(precision, CUDA):
        states, _ = cell.run(inputs_NTI.cuda(), None, padding_NT.cuda())
    assert (states.dtype is torch.float16) is half
    (states.float().sum() / 1e6 * scale.scale).backward()
    scale.unscale(cell.parameters())
    return [parameter.grad for parameter in cell.parameters()]


@pytest.mark.parametrize("precision", [Precision.auto, Precision.float16])
@pytest.mark.parametrize("kind", FUSED)
def test_small_gradients_keep_their_digits(kind, precision):
    for found, wanted in zip(slopes(kind, precision), slopes(kind, Precision.float32), strict=True):
        assert (found - wanted).norm() < 0.03 * wanted.norm()


def test_search_finds_what_a_cpu_finds():
    on_cpu = random_stepper(5, [1, 2, 3, 4], impossible=0.2)
    on_gpu = MarkovStepper(on_cpu.table_SVVV.cuda(), [1, 2, 3, 4])
    for beam_size in (1, 4):
        settings = SearchConfig(beam_size=beam_size, n_best=beam_size, max_length_offset=1)
        assert search(on_gpu, settings) == search(on_cpu, settings)


PRECISIONS = [Precision.auto, Precision.float32, Precision.float16]
OPTIMIZERS = [Adam(), Adadelta(), Adagrad(), SGD(momentum=0.9), Muon(rows=4)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_update_waits(tmp_path, precision, optimizer):
    config = training(updates=12, log_every=6, validate_every=NEVER, precision=precision)
    one, waits = trainer(tmp_path, config, validate=Scripted([1.0]), optimizer=optimizer, device="cuda"), []
    update = one._update

    def strictly(batches, tally):
        warm = one.progress.update >= 6
        torch.cuda.set_sync_debug_mode("error" if warm else "default")
        try:
            waits.append(warm)
            return update(batches, tally)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    one._update = strictly
    one.fit()
    assert waits.count(True) == 6


SEARCHES = [
    SearchConfig(beam_size=1),
    SearchConfig(beam_size=4, n_best=4),
    SearchConfig(method=Method.diverse_beam, beam_size=4, n_best=4, groups=2),
    SearchConfig(method=Method.sampling, n_best=3),
]


@pytest.mark.parametrize("config", SEARCHES, ids=lambda config: f"{config.method}-{config.beam_size}")
@pytest.mark.parametrize("model", SAMPLES[:4], ids=range(4))
def test_a_search_step_waits_once(model, config):
    network = random_network(model, 1, dtype=torch.float32).cuda()
    decoder = PreparedDecoder(network, InferencePrecision.float32)
    places = (part.cuda() for part in padded(random_sentences(1, [5, 3, 2])))
    marks: list[int] = []
    with warnings.catch_warnings(record=True) as waits:
        warnings.simplefilter("always")
        stepper = NetworkStepper(network, decoder, *places, BOS, EOS)
        torch.cuda.set_sync_debug_mode("warn")
        try:
            search(CallbackStepper(stepper, lambda: marks.append(len(waits))), config)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        marks.append(len(waits))
    assert {after - before for before, after in pairwise(marks)} == {1}


def trained(folder: Path, updates: int, precision: Precision) -> dict[str, torch.Tensor]:
    config = training(updates=updates, validate_every=4, precision=precision)
    network = tiny_network()
    trainer(folder, config, network=network, validate=Scripted([4.0, 3.0, 2.0, 1.0]), device="cuda").fit()
    return load_weights(folder / "model.safetensors")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_run_repeats_itself_to_the_bit_resumed_or_not(tmp_path, precision):
    whole = trained(tmp_path / "whole", 12, precision)
    assert same(trained(tmp_path / "again", 12, precision), whole)
    trained(tmp_path / "resumed", 4, precision)
    assert same(trained(tmp_path / "resumed", 12, precision), whole)


def test_float16_has_the_loss_of_float32(tmp_path):
    losses = {}
    for precision in (Precision.float32, Precision.float16):
        config = training(updates=40, log_every=10, validate_every=NEVER, precision=precision)
        network, validate = tiny_network(dropout=0.0), Scripted([1.0])
        trainer(tmp_path / precision, config, network=network, validate=validate, device="cuda").fit()
        losses[precision] = [record["loss"] for record in metrics(tmp_path / precision) if record["kind"] == "train"]
    assert losses[Precision.float16] == pytest.approx(losses[Precision.float32], rel=0.02)
    assert losses[Precision.float16][-1] < losses[Precision.float16][0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: type(one).__name__)
def test_an_overflow_skips_an_update(tmp_path, optimizer):
    network, factors = tiny_network(), iter([1.0, float("inf"), 1.0])
    network.output.bias.register_hook(lambda gradient: gradient * next(factors))
    shown: list[dict[str, torch.Tensor]] = []
    config = training(updates=3, validate_every=1, log_every=1, precision=Precision.float16)
    one = trainer(tmp_path, config, network=network, optimizer=optimizer, device="cuda")
    one.validate = lambda network, update: shown.append(weights(network)) or Validation(update, 1.0, None)
    one.fit()
    first, second, third = shown[:3]
    assert same(first, second)
    assert not same(second, third)
    assert one.step.loss_scale.state_dict() == {"scale": INITIAL / 2, "streak": 1}
