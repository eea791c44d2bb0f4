"""Sequence-to-sequence machine translation with LSTMs.

::

    from seq2seq import LanguageModel, Translator

    translator = Translator.load("runs/demo")
    print(translator.translate("Where is my key?"))
    print(LanguageModel.load("runs/lm").suggest("Wo ist "))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq.language_model import LanguageModel
    from seq2seq.score import Score
    from seq2seq.translate import Translator
    from seq2seq.translation import Translation

__version__ = "0.1.0"

__all__ = ["LanguageModel", "Score", "Translation", "Translator", "__version__"]

_HOMES = {"LanguageModel": "language_model", "Score": "score", "Translation": "translation", "Translator": "translate"}


def __getattr__(name: str) -> Any:
    """The public classes, imported when they are first asked for: processes that only encode text need no PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
