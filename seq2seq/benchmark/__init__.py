"""Measuring: how fast training and translation run here, beside the floor that arithmetic and memory set."""
