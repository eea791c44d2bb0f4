"""Classic figures from the literature on encoder-decoder models, for any run."""
