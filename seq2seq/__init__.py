"""Sequence-to-sequence machine translation with LSTMs.

::

    import seq2seq

    run = seq2seq.train(pairs, "runs/mine", overrides=["model=attention"])  # rows of (source, target)
    print(run.evaluate()["beam"].bleu.score)
    print(run.translator().translate("Where is my key?"))
    print(seq2seq.LanguageModel.load("runs/lm").suggest("Wo ist "))
"""

from typing import TYPE_CHECKING

from seq2seq.system.lazy import lazy
from seq2seq.system.threads import set_wait_policy

if TYPE_CHECKING:
    from seq2seq.api import Run, evaluate, train
    from seq2seq.corpora.corpus import Corpus
    from seq2seq.metrics.score import Score
    from seq2seq.search import SearchConfig
    from seq2seq.translation.config import Copy
    from seq2seq.translation.language_model import LanguageModel
    from seq2seq.translation.translator import Translator
    from seq2seq.translation.types import Request, Translation
else:
    __getattr__ = lazy(
        __name__,
        {
            "api": "evaluate Run train",
            "corpora.corpus": "Corpus",
            "metrics.score": "Score",
            "search": "SearchConfig",
            "translation.config": "Copy",
            "translation.language_model": "LanguageModel",
            "translation.translator": "Translator",
            "translation.types": "Request Translation",
        },
    )

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
