"""Sequence-to-sequence machine translation with LSTMs.

::

    from seq2seq import LanguageModel, Translator

    translator = Translator.load("runs/demo")
    print(translator.translate("Where is my key?"))
    print(LanguageModel.load("runs/lm").suggest("Wo ist "))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seq2seq.system.threads import set_wait_policy

if TYPE_CHECKING:
    from seq2seq.metrics.score import Score
    from seq2seq.search import SearchConfig
    from seq2seq.translation.language_model import LanguageModel
    from seq2seq.translation.translator import Translator
    from seq2seq.translation.types import Copy, Request, Translation

__version__ = "0.1.0"

__all__ = [
    "Copy",
    "LanguageModel",
    "Request",
    "Score",
    "SearchConfig",
    "Translation",
    "Translator",
    "__version__",
]

set_wait_policy()  # before anything imports PyTorch

_HOMES = {
    "Copy": "translation.types",
    "LanguageModel": "translation.language_model",
    "Request": "translation.types",
    "Score": "metrics.score",
    "SearchConfig": "search",
    "Translation": "translation.types",
    "Translator": "translation.translator",
}


def __getattr__(name: str) -> Any:
    """The public classes, imported when they are first asked for: processes that only encode text need no PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
