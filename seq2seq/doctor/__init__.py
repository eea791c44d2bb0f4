"""Diagnosis of a parallel corpus: what is wrong with which pairs, and a cleaned copy."""
