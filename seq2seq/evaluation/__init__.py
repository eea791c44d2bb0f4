"""Scoring a model: validation during training, test-set scores afterwards."""
