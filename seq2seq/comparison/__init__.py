"""Compare systems on one test set: scores, significance, wins by length and by rare words, example sentences."""
