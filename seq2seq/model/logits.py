"""How many rows of logits are processed together.

P rows (positions or hypotheses), X any width.
"""

import torch
from torch import Tensor

CHUNK = 64
"""Rows that are processed together on a CPU: few enough to stay in its cache."""


def chunk_size(rows_PX: Tensor) -> int:
    """Rows that are processed together: `CHUNK` on a CPU, all of them elsewhere."""
    return CHUNK if rows_PX.device.type == "cpu" else max(1, len(rows_PX))


def chunks(rows_PX: Tensor) -> tuple[Tensor, ...]:
    """Views of `chunk_size` rows each."""
    return torch.split(rows_PX, chunk_size(rows_PX))
