"""Sequence-to-sequence machine translation with LSTMs.

::

    from seq2seq import Translator

    translator = Translator.load("runs/demo")
    print(translator.translate("Where is my key?"))
"""

from seq2seq.score import Score
from seq2seq.translate import Translation, Translator

__version__ = "0.1.0"

__all__ = ["Score", "Translation", "Translator", "__version__"]
