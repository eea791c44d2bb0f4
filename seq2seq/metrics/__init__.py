"""Scores of translations against references. Strings only: no model, no tokenizer."""
