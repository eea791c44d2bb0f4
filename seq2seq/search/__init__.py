"""Choosing the translation: search and sampling over anything that gives log-probabilities for the next piece."""

from seq2seq.search.beam import beam
from seq2seq.search.changes import SearchChanges
from seq2seq.search.characters import CharacterStepper
from seq2seq.search.config import DRAWING, Method, SearchConfig, Utility
from seq2seq.search.constrained import constrained_beam
from seq2seq.search.diverse import diverse_beam
from seq2seq.search.ensemble import (
    LANGUAGE_MODEL_WEIGHT,
    check_language_model_weight,
    ensemble,
    fusion,
    listed,
    normalized,
)
from seq2seq.search.forced import forced
from seq2seq.search.greedy import greedy
from seq2seq.search.hypothesis import Hypothesis, hypothesis
from seq2seq.search.methods import search
from seq2seq.search.next_word import NextWord, next_words
from seq2seq.search.penalties import length_normalised
from seq2seq.search.prefix import PieceIndex, PrefixStepper, indexes
from seq2seq.search.sample import sample
from seq2seq.search.stepper import Stepper
from seq2seq.search.streaming import Growth, growing
from seq2seq.search.tracking import Phrase
from seq2seq.search.watched import WatchedStepper

__all__ = [
    "DRAWING",
    "LANGUAGE_MODEL_WEIGHT",
    "CharacterStepper",
    "Growth",
    "Hypothesis",
    "Method",
    "NextWord",
    "Phrase",
    "PieceIndex",
    "PrefixStepper",
    "SearchChanges",
    "SearchConfig",
    "Stepper",
    "Utility",
    "WatchedStepper",
    "beam",
    "check_language_model_weight",
    "constrained_beam",
    "diverse_beam",
    "ensemble",
    "forced",
    "fusion",
    "greedy",
    "growing",
    "hypothesis",
    "indexes",
    "length_normalised",
    "listed",
    "next_words",
    "normalized",
    "sample",
    "search",
]
