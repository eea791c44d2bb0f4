"""Benchmarks of training, translation, corpus preparation and serving, each next to its lower bound."""
