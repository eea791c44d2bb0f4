"""A trained network prepared for search: weights laid out once for the processor, steps, the lexical shortlist."""

from seq2seq.inference.prepared import PreparedDecoder
from seq2seq.inference.product import InferencePrecision
from seq2seq.inference.stepper import NetworkStepper

__all__ = ["InferencePrecision", "NetworkStepper", "PreparedDecoder"]
