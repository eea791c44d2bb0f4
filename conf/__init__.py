"""Hydra configs: one primary YAML a recipe, then groups."""
