"""Numbers: encoded corpora, batches and their order."""
