"""A batch: padded tensors of token ids, and the positions of the target tokens that are not padding.

B sentences, S source positions, T target positions, P target positions without padding.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.system.device import to_device
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD

Ids = NDArray[np.int32] | Sequence[int]


class Batch(NamedTuple):
    """Token ids on one device. Sources end with EOS; the labels are the decoder input shifted by one."""

    source_BS: Tensor
    source_lengths_B: Tensor
    target_BT: Tensor
    """BOS, then the target tokens: the decoder input."""
    positions_P: Tensor
    """Positions without padding in the flattened (B·T)."""
    labels_P: Tensor
    """The token to predict at each of them: the target tokens, then EOS."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on ``device``; the copy is asynchronous."""
        return Batch(*(to_device(part, device) for part in self))

    def halves(self) -> list["Batch"]:
        """Both halves of the sentences with the same padding; a batch of one sentence is returned whole."""
        middle, width = len(self.source_BS) // 2, self.target_BT.size(1)
        if not middle:
            return [self]
        halves = []
        for rows, start in ((slice(0, middle), 0), (slice(middle, None), middle * width)):
            source_BS, lengths_B, target_BT = (part[rows] for part in self[:3])
            positions_P = self.positions_P - start
            own_P = (positions_P >= 0) & (positions_P < target_BT.numel())
            halves.append(Batch(source_BS, lengths_B, target_BT, positions_P[own_P], self.labels_P[own_P]))
        return halves


def pad(rows: Sequence[Ids], *, before: Sequence[int] = (), after: Sequence[int] = ()) -> NDArray[np.int64]:
    """Right-padded matrix of the rows, each with the tokens ``before`` and ``after`` around it."""
    extra = len(before) + len(after)
    matrix = np.full((len(rows), max(len(row) for row in rows) + extra), PAD, dtype=np.int64)
    matrix[:, : len(before)] = before
    for line, row in zip(matrix, rows, strict=True):
        end = len(before) + len(row)
        line[len(before) : end] = row
        line[end : end + len(after)] = after
    return matrix


def source_tensors(rows: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    """Sources (B, S) with EOS, and their lengths (B,) including EOS."""
    lengths = np.array([len(row) + 1 for row in rows], dtype=np.int64)
    return torch.from_numpy(pad(rows, after=[EOS])), torch.from_numpy(lengths)


def target_input(rows: Sequence[Ids]) -> Tensor:
    """Targets (B, T) after BOS: the decoder input."""
    return torch.from_numpy(pad(rows, before=[BOS]))


def make_batch(sources: Sequence[Ids], targets: Sequence[Ids]) -> Batch:
    """A batch of pairs of id lists without BOS and EOS."""
    source_BS, lengths_B = source_tensors(sources)
    target_BT = target_input(targets)
    labels_BT = torch.from_numpy(pad(targets, after=[EOS]))
    ends_B = torch.tensor([len(row) + 1 for row in targets])
    real_BT = torch.arange(target_BT.size(1)) < ends_B.unsqueeze(1)
    positions_P = real_BT.flatten().nonzero().squeeze(1)
    return Batch(source_BS, lengths_B, target_BT, positions_P, labels_BT.flatten()[positions_P])


def batches_by_length(sources: Sequence[Ids], tokens: int, rows: int | None = None) -> Iterator[list[int]]:
    """Row numbers of the non-empty sources, longest first, in batches.

    Args:
        sources: all sources.
        tokens: most padded tokens of a batch; a source that has more is a batch by itself.
        rows: most rows of a batch, None: any number.
    """
    order = sorted((row for row, source in enumerate(sources) if len(source)), key=lambda row: -len(sources[row]))
    while order:
        size = max(1, min(tokens // (len(sources[order[0]]) + 1), len(order) if rows is None else rows))
        yield order[:size]
        order = order[size:]
