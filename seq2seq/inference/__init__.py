"""Trained networks prepared for search: packed weights, single steps, ensembles and the lexical shortlist."""

from seq2seq.inference.prepared_decoder import PreparedDecoder
from seq2seq.inference.products import InferencePrecision
from seq2seq.inference.stepper import NetworkStepper

__all__ = ["InferencePrecision", "NetworkStepper", "PreparedDecoder"]
