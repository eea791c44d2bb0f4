"""Teacher-forced and free-running loss by position: exposure bias (Bengio et al. 2015, Ranzato et al. 2016).

For a source x and its reference y₁ … y_T (y_T is EOS), at position t:

- teacher-forced loss: -log p(y_t | x, y₁ … y_{t-1}); the decoder reads the reference, as in training;
- free-running loss: -log p(y_t | x, ŷ₁ … ŷ_{t-1}); the decoder reads its own predictions ŷ, the most probable tokens or
  samples, as in search, but is scored on the reference.

A free run ends at its own EOS. Later positions are excluded from both losses, so that both are means over the same
positions. The losses are equal at t = 1, and as long as the free run equals the reference; `Position.same` is the share
of such sentences. The free-running loss also penalizes paraphrases and shifts by one token, so it is an upper bound on
the effect of exposure bias.

B sentences, T target positions, P labels of a batch.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import Batch, batches_by_length, make_batch
from seq2seq.figures.config import ExposureConfig
from seq2seq.figures.systems import System
from seq2seq.model import Network
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.token_bytes import non_text_tokens
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.training.config import Prediction, ScheduledSamplingConfig
from seq2seq.training.loss import label_log_probabilities
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.scheduled_sampling import ScheduledSampling

MAX_BATCH_TOKENS = 2048
"""Source tokens of a batch, padding included."""

SEED = 1
"""Random seed for prediction=sample."""

Floats = NDArray[np.float64]


class Position(NamedTuple):
    """Means over the sentences whose reference and free run both reach this position."""

    position: int
    """The first is 1."""
    sentences: int
    teacher_forced: float
    """Nats."""
    free_running: float
    gap_ci95: tuple[float, float]
    """95 % interval of free-running minus teacher-forced loss: normal approximation for paired differences."""
    same: float
    """Share of sentences whose free run equals the reference so far."""


class Losses(NamedTuple):
    """Losses of a batch, one entry per counted position."""

    position_P: Floats
    teacher_forced_P: Floats
    free_running_P: Floats
    same_P: NDArray[np.bool_]


class Exposure(NamedTuple):
    """Losses of a run by position, and their means over all counted positions."""

    name: str
    positions: list[Position]
    counted: int
    """Target tokens."""
    teacher_forced: float
    free_running: float


def measure_exposure(system: System, pairs: Sequence[Pair], config: ExposureConfig) -> Exposure:
    """Compute both losses on a test set; leave out positions that fewer than ``config.sentences`` sentences reach."""
    member = system.translator.members[0]
    sources = system.encoded([pair.source for pair in pairs])
    texts = [system.translator.ensemble.protected(pair.target, pair.source) for pair in pairs]
    targets = member.tokenizers.target.encode_all(texts)
    excluded = non_text_tokens(member.tokenizers.target)
    batches = []
    with torch.random.fork_rng([member.device] if member.device.type == "cuda" else []):
        torch.manual_seed(SEED)
        for rows in batches_by_length(sources, MAX_BATCH_TOKENS):
            batch = make_batch([sources[row] for row in rows], [targets[row] for row in rows]).to(member.device)
            batches.append(batch_losses(system.network, batch, config.prediction, excluded))
    losses = Losses(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))
    positions = [_position(losses, position) for position in range(1, config.positions + 1)]
    return Exposure(
        system.name,
        [position for position in positions if position is not None and position.sentences >= config.sentences],
        len(losses.position_P),
        float(losses.teacher_forced_P.mean()),
        float(losses.free_running_P.mean()),
    )


@torch.no_grad()
def batch_losses(network: Network, batch: Batch, prediction: Prediction, excluded: Collection[int] = ()) -> Losses:
    """Compute both losses at every label up to the end of the free run.

    Args:
        network: in evaluation mode.
        batch: pairs.
        prediction: the token that the free run reads next.
        excluded: token ids that the free run never predicts.
    """
    sampling = ScheduledSamplingConfig(rate=1, prediction=prediction)
    objective = TeacherForcing(0, Precision.float32)
    free_BT = ScheduledSampling(objective, sampling, 1, Precision.float32, excluded).mixed(network, batch, 1.0)
    teacher_P, free_P = (_label_losses(network, batch._replace(target_BT=read)) for read in (batch.target_BT, free_BT))
    running_BT = (free_BT == EOS).cumsum(1) == 0
    same_BT = (free_BT != batch.target_BT).cumsum(1) == 0
    position_BT = torch.arange(1, free_BT.size(1) + 1, device=free_BT.device).expand_as(free_BT)
    counted_P, same_P, position_P = (
        values_BT.flatten()[batch.positions_P].cpu().numpy() for values_BT in (running_BT, same_BT, position_BT)
    )
    return Losses(position_P[counted_P].astype(np.float64), teacher_P[counted_P], free_P[counted_P], same_P[counted_P])


def _label_losses(network: Network, batch: Batch) -> Floats:
    logits_PV = network(batch.source_BS, batch.source_lengths_B, batch.target_BT, batch.positions_P)
    losses_P: Tensor = -label_log_probabilities(logits_PV, batch.labels_P)
    array: Floats = losses_P.double().cpu().numpy()
    return array


def _position(losses: Losses, position: int) -> Position | None:
    selected = losses.position_P == position
    count = int(selected.sum())
    if not count:
        return None
    teacher, free = losses.teacher_forced_P[selected], losses.free_running_P[selected]
    gap = free - teacher
    error = 1.96 * float(gap.std(ddof=1)) / count**0.5 if count > 1 else 0.0
    interval = (float(gap.mean()) - error, float(gap.mean()) + error)
    same = float(losses.same_P[selected].mean())
    return Position(position, count, float(teacher.mean()), float(free.mean()), interval, same)
