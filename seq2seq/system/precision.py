"""Precisions of matrix products. Does not import PyTorch."""

from enum import StrEnum


class Precision(StrEnum):
    """Precision of matrix products and their results, including the logits in training.

    Weights, softmax, sums and losses are always float32, except for cell states in torch's LSTM kernel.
    """

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"
    """Training scales the loss: see `seq2seq.training.loss_scale`. ``auto`` never chooses it."""
    tf32 = "tf32"
    """float32, with products that a GPU may round to TF32."""
