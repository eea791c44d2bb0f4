"""Tokenizers: SentencePiece subwords, words or characters, their training, and subword sampling."""
