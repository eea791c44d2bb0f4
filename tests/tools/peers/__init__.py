"""This toolkit beside Transformers of other toolkits: ``python -m tests.tools.peers --help``."""
