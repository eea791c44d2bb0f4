"""How often the host waits for a GPU, counted without one: ``python -m seq2seq.benchmark.host_waits``.

It prints JSON, ``{arrangement: {"update": N, "step": N}}``: waits in one update of training, and in the search step
that waits most often. `seq2seq.benchmark.meta_device` says what a wait is.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seq2seq.benchmark.arrangements import Arrangement, arrangements
from seq2seq.benchmark.meta_device import META, Waits
from seq2seq.data.batch import make_batch, source_tensors
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.model import ModelConfig, Network
from seq2seq.search import CallbackStepper, Stepper, search
from seq2seq.system.device import to_device
from seq2seq.system.precision import Precision
from seq2seq.training import Constant, Trainer, TrainingConfig, Validation
from seq2seq.training.loss_scale import LossScale
from seq2seq.training.step import MetricSums

BOS, EOS, VOCABULARY = 1, 2, 12
"""Token ids of made-up sentences; 0 is padding."""

SENTENCES = [[5, 7], [8, 6], [3]]
"""Sentences of different lengths: some are padded, and some end a search before others."""


def network_of(config: ModelConfig, waits: Waits | None = None) -> Network:
    """A network on the meta device; ``waits`` gets random values for its weights."""
    torch.manual_seed(1)
    network = Network(config, VOCABULARY, VOCABULARY, joint=True, copies=[-1] * 3 + [*range(3, VOCABULARY)])
    nn.init.constant_(network.output.bias[EOS], 1.0)  # so that hypotheses end at every length
    moved: dict[int, nn.Parameter] = {}  # tied weights stay one
    for module in network.modules():
        for name, weight in list(module._parameters.items()):
            if weight is None:
                continue
            if id(weight) not in moved:
                moved[id(weight)] = nn.Parameter(torch.empty_like(weight, device=META))
                if waits is not None:
                    waits.pair(moved[id(weight)], weight.detach())
            module._parameters[name] = moved[id(weight)]
        for name, table in module.named_buffers(recurse=False):
            module._buffers[name] = moved_table = torch.empty_like(table, device=META)
            if waits is not None:
                waits.pair(moved_table, table)
    return network


def update_waits(arrangement: Arrangement) -> list[str]:
    """The operations for which the host waits in one update of the trainer."""
    batch = make_batch(SENTENCES, SENTENCES[::-1])
    trainer = Trainer(
        network_of(arrangement.model),
        lambda place: iter(()),
        lambda network, update: Validation(update, 0.0, None),
        Path("never written"),
        config=TrainingConfig(precision=Precision.float32, ema=0.9, self_distillation=arrangement.self_distillation),
        objective=arrangement.objective,
        optimizer=arrangement.optimizer,
        schedule=Constant(),
        seed=1,
        device=META,
    )
    trainer.step.loss_scale = LossScale(arrangement.scaled_loss, META)  # autocast knows no meta device
    sums = MetricSums(0.0, META)
    with Waits(with_values=False) as waits:
        trainer._update(((batch.to(META), StreamPosition(0, 1)) for _ in range(1)), sums)
    return waits.found


def search_waits(arrangement: Arrangement) -> list[list[str]]:
    """The operations for which the host waits in a search: before its first step, and in each step.

    On the way hypotheses end, and sentences leave the batch.
    """
    waits, marks = Waits(), [0]
    network = network_of(arrangement.model, waits).eval()
    source_BS, lengths_B = source_tensors(SENTENCES)
    with waits, torch.no_grad():
        decoder = PreparedDecoder(network, InferencePrecision.float32)
        start = len(waits.found)
        source = to_device(source_BS, META), to_device(lengths_B, META)
        listed, masked = torch.arange(2, 10), torch.arange(24).view(3, 8) % 7 == 5
        shortlist = to_device(listed, META), to_device(masked, META)
        steppers: list[Stepper[Any]] = [
            NetworkStepper(network, decoder, *source, BOS, EOS, shortlist if arrangement.shortlist else None)
            for _ in range(2)
        ]
        watched = CallbackStepper(arrangement.bind(steppers), lambda: marks.append(len(waits.found)))
        search(watched, arrangement.search)
    marks = [start, *marks[1:], len(waits.found)]
    return [waits.found[first:last] for first, last in pairwise(marks)]


def host_waits() -> dict[str, dict[str, int]]:
    """By arrangement, how often the host waits in an update, and in the search step in which it waits most often."""
    updates: dict[Any, int] = {}
    steps: dict[Any, int] = {}
    found = {}
    for name, one in arrangements().items():
        trained = id(one.model), id(one.objective), id(one.optimizer), one.scaled_loss
        searched = id(one.model), id(one.search), one.bind, one.shortlist
        if trained not in updates:
            updates[trained] = len(update_waits(one))
        if searched not in steps:
            steps[searched] = max(map(len, search_waits(one)[1:]))
        found[name] = {"update": updates[trained], "step": steps[searched]}
    return found


if __name__ == "__main__":
    print(json.dumps(host_waits(), indent=2))
