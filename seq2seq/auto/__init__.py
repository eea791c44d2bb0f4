"""``experiment=auto``: settings chosen by the size and kind of the training text."""
