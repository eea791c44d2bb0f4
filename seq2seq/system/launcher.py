"""Whether a launcher such as torchrun started this process. Does not import PyTorch."""

import os

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables that a launcher sets."""


def is_launched() -> bool:
    """Whether a launcher started this process, possibly with others."""
    return all(name in os.environ for name in VARIABLES)
