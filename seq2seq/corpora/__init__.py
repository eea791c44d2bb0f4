"""Parallel corpora: file formats, the Hugging Face hub, the built-in corpus, mixtures, filters, segmentation."""
