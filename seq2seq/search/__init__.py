"""Search and sampling over any model that gives log-probabilities for the next token."""

from typing import TYPE_CHECKING

from seq2seq.system.lazy import lazy

if TYPE_CHECKING:
    from seq2seq.search.beam import beam_search
    from seq2seq.search.characters import CharacterStepper
    from seq2seq.search.config import (
        LANGUAGE_MODEL_WEIGHT,
        SAMPLING_METHODS,
        Method,
        SearchConfig,
        SearchOverrides,
        Utility,
        resolve_search,
    )
    from seq2seq.search.constrained import Phrase, constrained_beam_search
    from seq2seq.search.diverse import diverse_beam_search
    from seq2seq.search.ensemble import SubsetStepper, check_language_model_weight, fusion, normalized
    from seq2seq.search.exclusion import ExclusionStepper
    from seq2seq.search.forced import forced_decoding
    from seq2seq.search.greedy import greedy_search
    from seq2seq.search.hypothesis import Hypothesis, length_normalized, make_hypothesis
    from seq2seq.search.methods import search
    from seq2seq.search.next_word import NextWord, next_words
    from seq2seq.search.prefix import PrefixStepper, TokenIndex, token_indexes
    from seq2seq.search.repetition import with_repetition_settings
    from seq2seq.search.sampling import sample
    from seq2seq.search.stepper import CallbackStepper, Stepper
    from seq2seq.search.streaming import PartialResult, stream_beam_search
else:
    __getattr__ = lazy(
        __name__,
        {
            "beam": "beam_search",
            "characters": "CharacterStepper",
            "config": "LANGUAGE_MODEL_WEIGHT Method resolve_search SAMPLING_METHODS "
            "SearchConfig SearchOverrides Utility",
            "constrained": "constrained_beam_search Phrase",
            "diverse": "diverse_beam_search",
            "ensemble": "check_language_model_weight fusion normalized SubsetStepper",
            "exclusion": "ExclusionStepper",
            "forced": "forced_decoding",
            "greedy": "greedy_search",
            "hypothesis": "Hypothesis length_normalized make_hypothesis",
            "methods": "search",
            "next_word": "next_words NextWord",
            "prefix": "PrefixStepper token_indexes TokenIndex",
            "repetition": "with_repetition_settings",
            "sampling": "sample",
            "stepper": "CallbackStepper Stepper",
            "streaming": "PartialResult stream_beam_search",
        },
    )

__all__ = [
    "LANGUAGE_MODEL_WEIGHT",
    "SAMPLING_METHODS",
    "CallbackStepper",
    "CharacterStepper",
    "ExclusionStepper",
    "Hypothesis",
    "Method",
    "NextWord",
    "PartialResult",
    "Phrase",
    "PrefixStepper",
    "SearchConfig",
    "SearchOverrides",
    "Stepper",
    "SubsetStepper",
    "TokenIndex",
    "Utility",
    "beam_search",
    "check_language_model_weight",
    "constrained_beam_search",
    "diverse_beam_search",
    "forced_decoding",
    "fusion",
    "greedy_search",
    "length_normalized",
    "make_hypothesis",
    "next_words",
    "normalized",
    "resolve_search",
    "sample",
    "search",
    "stream_beam_search",
    "token_indexes",
    "with_repetition_settings",
]
