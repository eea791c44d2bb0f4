"""Sentences: reading corpora, filtering pairs, splitting text into pieces, and the built-in corpus."""
