"""A batch that does not fit in memory is processed in two halves, with a warning and the same result."""

import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from reversal import SEVEN_BATCHES, close, tiny_network, weights

from seq2seq import Translator
from seq2seq.config.error_lines import error_line
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.data.batch import Batch
from seq2seq.data.config import BatchConfig
from seq2seq.data.preparation import encode_corpus
from seq2seq.errors import RunError
from seq2seq.evaluation.validation import Validator
from seq2seq.model import Network
from seq2seq.run.folder import load_run
from seq2seq.system.out_of_memory import halve_if_out_of_memory, is_out_of_memory
from seq2seq.system.precision import Precision
from seq2seq.training import SGD
from seq2seq.training.loss_scale import LossScale
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.optimizer_state import optimizer_of
from seq2seq.training.step import UpdateStep

CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"
ERRORS = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError(CPU),
    MemoryError(),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("Storage size calculation overflowed with sizes=[3037000500, 759250125]"),
]


class Little:
    """Refuses batches of more sentences than ``room``, as a machine with little memory does."""

    def __init__(self, room: int, error: Exception = ERRORS[1]) -> None:
        self.room, self.error, self.given = room, error, list[int]()

    def __call__(self, module: object, arguments: tuple[torch.Tensor, ...]) -> None:
        self.given.append(len(arguments[0]))
        if self.given[-1] > self.room:
            raise self.error


def fail(error: Exception = ERRORS[0]) -> list[int]:
    raise error


@pytest.mark.parametrize("error", ERRORS)
def test_out_of_memory_errors_are_recognized(error):
    assert is_out_of_memory(error)


def test_other_errors_are_raised():
    other = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert not is_out_of_memory(other)
    assert not is_out_of_memory(ValueError("DefaultCPUAllocator"))
    with pytest.raises(RuntimeError) as error:
        halve_if_out_of_memory(partial(fail, other), list, "it", "batch.tokens")
    assert error.value is other


def test_halves_are_tried_once_with_one_warning(caplog):
    assert halve_if_out_of_memory(lambda: 1, lambda: 2, "it", "batch.tokens") == 1
    assert not caplog.messages
    assert halve_if_out_of_memory(fail, lambda: 2, "a batch of 9 pairs", "batch.tokens") == 2
    assert caplog.messages == [
        "out of memory for a batch of 9 pairs: it is processed in two halves; lower batch.tokens to avoid this"
    ]
    with pytest.raises(RunError, match=r"^out of memory for it and for half of it: lower beam_size$"):
        halve_if_out_of_memory(fail, fail, "it", "beam_size")


# In translation


SENTENCES = ["We work.", "Where is my key?", "", "The old man sleeps.", "She sees it."]


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("error", ERRORS[:3])
def test_a_batch_in_halves_has_the_same_translations(tiny_run, monkeypatch, caplog, beam_size, error):
    translator = Translator.load(tiny_run, "cpu")
    whole = translator.translate(SENTENCES, beam_size=beam_size, n_best=beam_size)
    little = Little(2, error)
    translator.members[0].network.encoder.register_forward_pre_hook(little)
    halves = translator.translate(SENTENCES, beam_size=beam_size, n_best=beam_size)
    assert little.given == [4, 2, 2]
    assert caplog.messages == [
        "out of memory for a batch of 4 sentences: it is processed in two halves; lower beam_size to avoid this"
    ]
    for one, other in zip(whole, halves, strict=True):
        assert (one.source, one.text, one.tokens) == (other.source, other.text, other.tokens)
        assert one.score == pytest.approx(other.score, abs=1e-5)
    little.room = 1
    with pytest.raises(RunError, match="out of memory for a batch of 4 sentences and for half of it: lower beam_size"):
        translator.translate(SENTENCES, beam_size=beam_size)
    little.room = 0
    with pytest.raises(RunError, match="out of memory for a batch of 1 sentence"):
        translator.translate("We work.")


# In validation


def test_a_validation_batch_in_halves_has_the_same_loss(tiny_run, tmp_path, caplog):
    loaded = load_run(tiny_run)
    corpus = PairList("five", [Pair(text, text[::-1]) for text in SENTENCES if text])
    table = encode_corpus(corpus, loaded.tokenizers, tmp_path / "five", None)
    validator = Validator(table, [], loaded.tokenizers, BatchConfig(), Precision.float32)
    device = torch.device("cpu")
    whole = validator._loss(loaded.network, device)
    little = Little(2)
    assert loaded.network.encoder is not None
    loaded.network.encoder.register_forward_pre_hook(little)
    assert validator._loss(loaded.network, device) == pytest.approx(whole, rel=1e-6)
    assert little.given == [4, 2, 2]
    assert "a validation batch of 4 pairs" in caplog.text
    little.room = 1
    with pytest.raises(RunError, match=r"lower batch\.tokens$"):
        validator._loss(loaded.network, device)


# In training


def gradients(network: Network, batches: list[Batch]) -> tuple[float, dict[str, torch.Tensor]]:
    tokens = sum(batch.labels_P.numel() for batch in batches)
    objective, loss_scale = TeacherForcing(0.1, Precision.float32), LossScale(False, torch.device("cpu"))
    step = UpdateStep(network.train(), objective, optimizer_of(network, SGD()), loss_scale, clip=None, seed=3)
    cross_entropy = float(step.backward(batches, tokens, 7))
    return cross_entropy, {name: one.grad.clone() for name, one in network.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("fails", ["forward", "backward"])
def test_an_update_in_halves_has_the_same_gradients(fails, caplog):
    """Without dropout, because halves draw other random numbers than the whole batch."""
    whole, expected = gradients(tiny_network(dropout=0), SEVEN_BATCHES[:2])
    network = tiny_network(dropout=0)
    assert network.encoder is not None
    if fails == "forward":
        network.encoder.register_forward_pre_hook(Little(3))
    else:  # during the backward pass: some parameters already have gradients
        Fails(network)
    halves, actual = gradients(network, SEVEN_BATCHES[:2])
    assert halves == pytest.approx(whole, rel=1e-6)
    assert close(actual, expected)
    assert caplog.messages == [
        "out of memory for the batches of update 7: it is processed in two halves; lower batch.tokens to avoid this"
    ]


class Fails:
    """The first gradient of an embedding is one too many."""

    def __init__(self, network: Network) -> None:
        self.failed = False
        network.target_embedding.weight.register_hook(self)

    def __call__(self, slope: torch.Tensor) -> None:
        if not self.failed:
            self.failed = True
            raise ERRORS[1]


def test_an_update_that_does_not_fit_in_halves_gives_one_line():
    network = tiny_network()
    before = weights(network)
    assert network.encoder is not None
    network.encoder.register_forward_pre_hook(Little(0))
    with pytest.raises(
        RunError, match=r"out of memory for the batches of update 7 and for half of it: lower batch\.tokens"
    ):
        gradients(network, SEVEN_BATCHES[:1])
    assert close(weights(network), before, 0)


def test_halves_together_are_the_batch():
    batch = SEVEN_BATCHES[0]
    first, second = batch.halves()
    assert len(first.source_BS) == len(second.source_BS) == 3
    assert torch.equal(torch.cat([first.labels_P, second.labels_P]), batch.labels_P)
    for half in (first, second):
        assert half.positions_P.max() < half.target_BT.numel()
        assert len(half.positions_P) == len(half.labels_P)
    single = first.halves()[0]
    assert single.halves() == [single]  # the same object: a single pair cannot be halved


# With a real memory limit

STARVED = """
import resource, torch
from pathlib import Path
from seq2seq.system.out_of_memory import halve_if_out_of_memory
torch.ones(9) @ torch.ones(9)
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (300 << 20), -1))
print(halve_if_out_of_memory(lambda: len(torch.ones(100 << 20)), lambda: 2 * len(torch.ones(50 << 20)), "it", "less"))
"""


@pytest.mark.ci
@pytest.mark.skipif(sys.platform != "linux", reason="where memory can be limited")
def test_errors_of_a_real_memory_limit_are_recognized():
    completed = subprocess.run([sys.executable, "-c", STARVED], capture_output=True, text=True, check=False)
    assert completed.stdout == f"{100 << 20}\n", completed.stderr


@pytest.mark.parametrize(
    ("module", "what"),
    [
        ("seq2seq.doctor.lexical", "checking the corpus"),
        ("seq2seq.comparison.significance", "comparing"),
        ("seq2seq.auto.statistics", "reading the corpus"),
        ("seq2seq.data.ibm_model1", "aligning words"),
        ("seq2seq.corpora.near_copies", "finding near copies"),
        ("seq2seq.corpora.files", "reading text"),
    ],
)
def test_an_error_of_memory_names_the_work_of_the_innermost_module(module, what):
    assert find_spec(module)
    outside: dict[str, Any] = {"__name__": "seq2seq.corpora.lines"}
    inside: dict[str, Any] = {"__name__": module}
    exec("def work(): raise MemoryError", inside)
    exec("def call(work): work()", outside)
    with pytest.raises(MemoryError) as error:
        outside["call"](inside["work"])
    line = error_line(error.value, None)
    assert line is not None
    assert line.startswith(f"out of memory for {what} (")
    assert "batch.tokens" not in line
