"""A local web page and a JSON API for trained runs.

Only `config` can be imported without the extra ``serve``.
"""
