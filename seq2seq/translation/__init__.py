"""Translators and language models: text in, text out."""
