"""Sequence-to-sequence machine translation with LSTMs.

::

    from seq2seq import LanguageModel, Translator

    translator = Translator.load("runs/demo")
    print(translator.translate("Where is my key?"))
    print(LanguageModel.load("runs/lm").suggest("Wo ist "))
"""

from seq2seq.language_model import LanguageModel
from seq2seq.score import Score
from seq2seq.translate import Translation, Translator

__version__ = "0.1.0"

__all__ = ["LanguageModel", "Score", "Translation", "Translator", "__version__"]
