"""Self-distillation: the network learns from the moving average of its own weights.

P target positions of a batch that are not padding, V vocabulary size.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.system.device import autocast
from seq2seq.training.config import TrainingConfig
from seq2seq.training.consistency import divergence
from seq2seq.training.loss import Loss, Objective, evaluating
from seq2seq.training.moving_average import MovingAverage


class SelfDistillation:
    """Another objective plus ``weight`` times the divergence of its first pass from the moving average's prediction.

    L = objective + w · KL(P_average ‖ P), like the consistency cost of mean teachers (Tarvainen & Valpola 2017). The
    average predicts without dropout, and gradients flow through P only.
    """

    def __init__(self, objective: Objective, average: MovingAverage, config: TrainingConfig) -> None:
        self.objective = objective
        self.average = average
        self.weight = config.self_distillation
        self.precision = config.precision

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target tokens."""
        device = batch.source_BS.device
        with torch.no_grad(), self.average.applied(), evaluating(network), autocast(self.precision, device):
            teacher_PV: Tensor = network(*batch[:-1])
        with outputs_of(network) as outputs:
            loss = self.objective(network, batch, update)
        student_PV = outputs[0][: len(teacher_PV)]  # objectives of two passes have the plain one first
        difference = divergence(torch.cat([teacher_PV, student_PV]))
        return loss._replace(objective=loss.objective + self.weight * difference)


def with_self_distillation(objective: Objective, average: MovingAverage | None, config: TrainingConfig) -> Objective:
    """The objective, with self-distillation if that is set."""
    if average is None or config.self_distillation == 0:
        return objective
    return SelfDistillation(objective, average, config)


@contextmanager
def outputs_of(network: nn.Module) -> Iterator[list[Tensor]]:
    """The logits of each pass of a network within the context, in order."""
    outputs: list[Tensor] = []
    handle = network.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    try:
        yield outputs
    finally:
        handle.remove()
