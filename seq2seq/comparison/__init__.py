"""Comparing systems on one test set: scores, significance, wins by length and by rare words, sentences side by side."""
