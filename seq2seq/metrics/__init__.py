"""Scores of translations against references. Works on strings: no model, no tokenizer."""
