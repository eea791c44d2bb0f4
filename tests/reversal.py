"""Fixtures for training tests: a tiny network that learns to reverse short sequences of ids."""

import copy
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import torch

from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.model import ModelConfig, Network
from seq2seq.model.config import DecoderConfig, EncoderConfig
from seq2seq.system.precision import Precision
from seq2seq.system.processes import rank, world_size
from seq2seq.training import (
    Adam,
    Constant,
    OptimizerConfig,
    ScheduleConfig,
    Trainer,
    TrainingConfig,
    Validation,
)
from seq2seq.training.config import Criterion
from seq2seq.training.loggers import TensorBoard
from seq2seq.training.loss import Objective, loss_sums
from seq2seq.training.objective import TeacherForcing

VOCABULARY = 9  # four special tokens and five letters

Weights = dict[str, torch.Tensor]
Rows = list[list[int]]


def sources(count: int, seed: int) -> Rows:
    chance = Random(seed)
    return [[chance.randrange(4, VOCABULARY) for _ in range(chance.randint(1, 4))] for _ in range(count)]


def reversal_batch(rows: Rows) -> Batch:
    return make_batch(rows, [row[::-1] for row in rows])


class Stream:
    """The endless stream over some batches; ``before`` receives every batch before it is yielded."""

    def __init__(self, batches: list[Batch], before: Callable[[StreamPosition], None] = lambda place: None) -> None:
        self.batches, self.before = batches, before

    def __call__(self, place: StreamPosition) -> Iterator[tuple[Batch, StreamPosition]]:
        epoch, taken = place
        while True:
            self.before(StreamPosition(epoch, taken))
            batch = self.batches[taken]
            epoch, taken = (epoch, taken + 1) if taken + 1 < len(self.batches) else (epoch + 1, 0)
            yield batch, StreamPosition(epoch, taken)


class Shared:
    """The batches of this process from the stream shared by all processes, like `batch_stream`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __call__(self, place: StreamPosition) -> Iterator[tuple[Batch, StreamPosition]]:
        batches = self.stream(place)
        while turn := list(islice(batches, world_size())):
            yield turn[rank()][0], turn[-1][1]


SEVEN_BATCHES = [reversal_batch(sources(6, seed)) for seed in range(7)]
HELD_OUT = reversal_batch(sources(20, 100))


@torch.inference_mode()
def held_out_loss(network: Network, update: int) -> Validation:
    """Return the real loss, and as BLEU a number that rises as the loss falls."""
    assert not network.training
    source_BS, lengths_B, target_BT, positions_P, labels_P = HELD_OUT
    total = loss_sums(network(source_BS, lengths_B, target_BT, positions_P), labels_P, 0.0).cross_entropy
    loss = float(total) / len(labels_P)
    return Validation(update, loss, 100 / (1 + loss))


class Scripted:
    """A validation with given results, which stores the weights it receives."""

    def __init__(self, losses: list[float], bleu: list[float] | None = None) -> None:
        self.losses, self.bleu, self.shown = losses, bleu or [0.0] * len(losses), list[Weights]()

    def __call__(self, network: Network, update: int) -> Validation:
        self.shown.append(weights(network))
        return Validation(update, self.losses[len(self.shown) - 1], self.bleu[len(self.shown) - 1])


def tiny_network(dropout: float = 0.3) -> Network:
    torch.manual_seed(5)
    model = ModelConfig(
        embedding_size=10, encoder=EncoderConfig(size=8), decoder=DecoderConfig(size=12), dropout=dropout
    )
    return Network(model, VOCABULARY, VOCABULARY, joint=True)


def training(**changes: Any) -> TrainingConfig:
    defaults: dict[str, Any] = {"validate_every": 4, "log_every": 5, "criterion": Criterion.loss, "average_count": 2}
    return TrainingConfig(**{**defaults, "precision": Precision.float32, **changes})


def trainer(
    folder: Path,
    config: TrainingConfig,
    *,
    network: Network | None = None,
    stream: Callable[[StreamPosition], Iterator[tuple[Batch, StreamPosition]]] | None = None,
    validate: Callable[[Network, int], Validation] = held_out_loss,
    optimizer: OptimizerConfig | None = None,
    schedule: ScheduleConfig | None = None,
    objective: Objective | None = None,
    start: Callable[[Network], None] | None = None,
    device: str = "cpu",
) -> Trainer:
    return Trainer(
        network or tiny_network(),
        stream or Stream(SEVEN_BATCHES),
        validate,
        folder,
        config=config,
        objective=objective or TeacherForcing(0.1, config.precision),
        optimizer=optimizer or Adam(learning_rate=0.01),
        schedule=schedule or Constant(),
        seed=3,
        device=torch.device(device),
        start=start,
        logger=TensorBoard().build(folder, {}),
    )


def weights(network: torch.nn.Module) -> Weights:
    return {name: copy.deepcopy(parameter.detach()) for name, parameter in network.named_parameters()}


def same(one: Weights, other: Weights) -> bool:
    """Return whether the weights have the same bits."""
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def close(one: Weights, other: Weights, tolerance: float = 1e-6) -> bool:
    return all(torch.allclose(tensor, other[name], rtol=0, atol=tolerance) for name, tensor in one.items())


def metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the records of metrics.jsonl without the measured speed."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in record.items() if name != "tokens_per_second"} for record in records]
