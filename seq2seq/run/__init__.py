"""The run folder: open, create, resume; provenance of scores."""
