"""Evaluation of models: validation during training, scores on test sets."""
