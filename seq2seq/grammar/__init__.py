"""The built-in English–German corpus, generated from a synchronous grammar."""
