"""Splitting text into tokens: SentencePiece, words or characters, their training, and subword sampling."""
