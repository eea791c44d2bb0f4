"""Looking: what a network does at every step, as data, as pictures and as a page; and what its units do on a corpus."""
