"""Analysis of trained models: traces of single sentences, and statistics of units and gradients over a corpus."""
