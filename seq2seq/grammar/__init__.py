"""The synchronous grammar that generates the built-in English–German corpus."""
