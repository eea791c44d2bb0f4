"""Settings of the recipes, Hydra, old names of settings."""
