"""Scheduled sampling: the decoder reads its own predictions instead of some target tokens (Bengio et al. 2015).

B sentences, T target positions, R rows that need a prediction, V vocabulary size.
"""

import math
from collections.abc import Collection

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.system.device import autocast, to_device
from seq2seq.system.precision import Precision
from seq2seq.training.config import Passes, Prediction, SamplingSchedule, ScheduledSamplingConfig
from seq2seq.training.loss import Loss, Objective, evaluating


def rate_at(config: ScheduledSamplingConfig, update: int, updates: int) -> float:
    """Share of predictions at ``update`` of the schedule's ``updates`` updates; constant afterwards.

    Bengio et al. 2015 write ε for the target's share, i for the update: linear ε = 1 - c·i, exponential ε = kⁱ, inverse
    sigmoid ε = k / (k + exp(i / k)). Here c and k are such that 1 - ε is ``rate`` at the end.
    """
    share = min(1.0, update / updates)
    if config.schedule is SamplingSchedule.linear or config.rate == 0:
        return config.rate * share
    if config.schedule is SamplingSchedule.exponential:
        return 1 - math.pow(1 - config.rate, share)
    k = _inverse_sigmoid(config.rate, updates)
    return 1 / (1 + k * math.exp(-share * updates / k))


def _inverse_sigmoid(rate: float, updates: int) -> float:
    """The k with k / (k + exp(updates / k)) = 1 - rate: updates / k - log k decreases in k, so bisection finds it."""
    wanted = math.log(rate) - math.log1p(-rate)
    low, high = 1e-3, float(updates) + 1
    while updates / high - math.log(high) > wanted:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if updates / middle - math.log(middle) > wanted else (low, middle)
    return high


class ScheduledSampling:
    """Another objective over batches in which some decoder inputs are the network's own predictions.

    Inputs are computed first, without gradients and dropout, as in search. The objective then reads them in one fused
    pass. No gradient flows through a prediction, as in the paper.
    """

    def __init__(
        self,
        objective: Objective,
        config: ScheduledSamplingConfig,
        updates: int,
        precision: Precision,
        excluded: Collection[int] = (),
    ) -> None:
        """Wrap another objective.

        Args:
            objective: reads the mixed inputs.
            config: rate, schedule and kind of predictions.
            updates: updates of the run, over which the rate rises unless ``config.updates`` is set.
            precision: precision of matrix products.
            excluded: tokens that are never predicted, such as padding.

        Raises:
            ConfigError: as `ScheduledSamplingConfig.check`.
        """
        config.check()
        self.objective = objective
        self.config = config
        self.updates = config.updates or updates
        self.precision = precision
        self.excluded = sorted(excluded)

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """The objective over the batch, with inputs mixed at this update's rate."""
        target_BT = self.mixed(network, batch, rate_at(self.config, update, self.updates))
        return self.objective(network, batch._replace(target_BT=target_BT), update)

    @torch.no_grad()
    def mixed(self, network: Network, batch: Batch, rate: float) -> Tensor:
        """Decoder inputs (B, T): each token except BOS is replaced by its prediction with probability ``rate``."""
        # Drawn on the host, which then knows the rows that need a prediction without waiting for the device.
        replaced_BT = torch.rand(batch.target_BT.shape) < rate
        replaced_BT[:, 0] = False
        make = self._sequential if self.config.passes is Passes.sequential else self._parallel
        with evaluating(network), autocast(self.precision, batch.target_BT.device):
            return make(network, batch, replaced_BT)

    def _sequential(self, network: Network, batch: Batch, replaced_BT: Tensor) -> Tensor:
        inputs_BT = batch.target_BT.clone()
        memory, state = network.encode(batch.source_BS, batch.source_lengths_B)
        for step, replaced_B in enumerate(replaced_BT.T[1:]):
            embedded_B1E = network.target_embedding(inputs_BT[:, step : step + 1])
            decoded = network.decoder(embedded_B1E, memory, state)
            state = decoded.state
            rows_R = to_device(replaced_B.nonzero().squeeze(1), inputs_BT.device)
            if len(rows_R):
                logits_RV = network.logits(decoded, memory, rows_R)
                inputs_BT[:, step + 1].index_copy_(0, rows_R, self._predict(logits_RV))
        return inputs_BT

    def _parallel(self, network: Network, batch: Batch, replaced_BT: Tensor) -> Tensor:
        positions_R = to_device(replaced_BT.flatten().nonzero().squeeze(1), batch.target_BT.device)
        inputs_BT = batch.target_BT.clone()
        if len(positions_R):
            # A token is predicted at the position before it.
            logits_RV = network(batch.source_BS, batch.source_lengths_B, batch.target_BT, positions_R - 1)
            inputs_BT.view(-1).index_copy_(0, positions_R, self._predict(logits_RV))
        return inputs_BT

    def _predict(self, logits_RV: Tensor) -> Tensor:
        logits_RV[:, self.excluded] = -torch.inf
        if self.config.prediction is Prediction.argmax:
            return logits_RV.argmax(1)
        # Inverse of the cumulative distribution: one random number per row.
        sum_RV = logits_RV.softmax(1, dtype=torch.float32).cumsum(1)
        uniform_R1 = torch.rand_like(sum_RV[:, :1]) * sum_RV[:, -1:]
        return torch.searchsorted(sum_RV, uniform_R1, right=True).squeeze(1).clamp_(max=sum_RV.size(1) - 1)
