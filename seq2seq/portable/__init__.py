"""Translation without PyTorch: exported models on numpy or onnxruntime.

::

    from seq2seq.portable import Translator

    translator = Translator.load("exported")
    print(translator.translate("Where is my key?"))

It imports numpy, sentencepiece, onnxruntime and the standard library only, and nothing else of seq2seq: exporting a
model copies this package into the folder.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq.portable.errors import PortableError
    from seq2seq.portable.search import SearchSettings
    from seq2seq.portable.translation import Translation
    from seq2seq.portable.translator import Translator

__all__ = ["PortableError", "SearchSettings", "Translation", "Translator"]


def __getattr__(name: str) -> Any:
    """Import a name at its first use: configs import the text functions of this package, and must not load numpy."""
    from importlib import import_module

    modules = {
        "PortableError": "errors",
        "SearchSettings": "search",
        "Translation": "translation",
        "Translator": "translator",
    }
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{modules[name]}"), name)
