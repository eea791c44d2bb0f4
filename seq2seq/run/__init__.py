"""The run folder: reading it, resuming it, and the provenance of what is in it."""
