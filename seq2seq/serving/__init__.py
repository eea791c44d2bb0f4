"""Serving: a local web page and a JSON API in front of trained runs.

Only `config` and `installed` can be imported without the extra ``seq2seq[serve]``.
"""
