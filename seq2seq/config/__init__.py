"""The settings of each recipe, composed from the settings of the rooms, and their entry into Hydra."""
