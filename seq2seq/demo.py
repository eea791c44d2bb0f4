"""Train on the built-in corpus, evaluate on its test set and translate: ``python -m seq2seq.demo``, as ``make demo``.

It is recipes/train.py with ``run=runs/demo`` and the settings on the command line.
"""

import os
import runpy
import sys

from seq2seq.__main__ import recipes_folder


def main() -> None:
    """Run the recipe under its own name, which its last line needs for the next command."""
    train = os.path.relpath(recipes_folder() / "train.py")
    sys.argv = [train, "run=runs/demo", *sys.argv[1:]]
    runpy.run_path(train, run_name="__main__")


if __name__ == "__main__":
    main()
