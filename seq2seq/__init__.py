"""Sequence-to-sequence machine translation with LSTMs.

::

    import seq2seq

    run = seq2seq.train(pairs, "runs/mine", overrides=["model=attention"])  # rows of (source, target)
    print(run.evaluate()["beam"].bleu.score)
    print(run.translator().translate("Where is my key?"))
    print(seq2seq.LanguageModel.load("runs/lm").suggest("Wo ist "))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seq2seq.system.threads import set_wait_policy

if TYPE_CHECKING:
    from seq2seq.api import Run, evaluate, train
    from seq2seq.corpora.corpus import Corpus
    from seq2seq.metrics.score import Score
    from seq2seq.search import SearchConfig
    from seq2seq.translation.language_model import LanguageModel
    from seq2seq.translation.translator import Translator
    from seq2seq.translation.types import Copy, Request, Translation

__version__ = "0.1.0"

__all__ = [
    "Copy",
    "Corpus",
    "LanguageModel",
    "Request",
    "Run",
    "Score",
    "SearchConfig",
    "Translation",
    "Translator",
    "__version__",
    "evaluate",
    "train",
]

set_wait_policy()  # must run before PyTorch is imported

_MODULES = {
    "Copy": "translation.types",
    "Corpus": "corpora.corpus",
    "LanguageModel": "translation.language_model",
    "Request": "translation.types",
    "Run": "api",
    "Score": "metrics.score",
    "SearchConfig": "search",
    "Translation": "translation.types",
    "Translator": "translation.translator",
    "evaluate": "api",
    "train": "api",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: processes that only encode text need no PyTorch."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
