"""Trained networks prepared for search: packed weights, single steps, ensembles and the lexical shortlist."""

from typing import TYPE_CHECKING

from seq2seq.system.lazy import lazy

if TYPE_CHECKING:
    from seq2seq.inference.config import InferencePrecision
    from seq2seq.inference.prepared_decoder import PreparedDecoder
    from seq2seq.inference.stepper import NetworkStepper
else:
    __getattr__ = lazy(
        __name__,
        {
            "config": "InferencePrecision",
            "prepared_decoder": "PreparedDecoder",
            "stepper": "NetworkStepper",
        },
    )

__all__ = ["InferencePrecision", "NetworkStepper", "PreparedDecoder"]
