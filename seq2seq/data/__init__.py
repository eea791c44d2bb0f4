"""Encoded corpora, the batch sampler, the stream of batches and their prefetching."""
