"""Choosing the translation: greedy and beam search over anything that gives log-probabilities for the next piece."""

from seq2seq.search.beam import beam, search
from seq2seq.search.config import SearchConfig
from seq2seq.search.ensemble import LANGUAGE_MODEL_WEIGHT, check_language_model_weight, ensemble, fusion
from seq2seq.search.greedy import greedy
from seq2seq.search.hypothesis import Hypothesis
from seq2seq.search.next_word import NextWord, next_words
from seq2seq.search.penalties import length_normalised
from seq2seq.search.stepper import Stepper

__all__ = [
    "LANGUAGE_MODEL_WEIGHT",
    "Hypothesis",
    "NextWord",
    "SearchConfig",
    "Stepper",
    "beam",
    "check_language_model_weight",
    "ensemble",
    "fusion",
    "greedy",
    "length_normalised",
    "next_words",
    "search",
]
