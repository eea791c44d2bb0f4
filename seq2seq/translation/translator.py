"""A trained translator: text in, translations out."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import torch

from seq2seq.analysis.config import ALTERNATIVES
from seq2seq.analysis.trace import Trace
from seq2seq.analysis.tracing import trace_sentence
from seq2seq.errors import ConfigError, require_text
from seq2seq.inference.member import Member, check_members
from seq2seq.inference.members import Members
from seq2seq.inference.shortlist import Shortlist
from seq2seq.portable.placeholders import SYMBOLS
from seq2seq.portable.segmentation import MAX_SEGMENT
from seq2seq.run.folder import RunFolder, load_run
from seq2seq.search import (
    LANGUAGE_MODEL_WEIGHT,
    Method,
    NextWord,
    SearchConfig,
    check_language_model_weight,
    next_words,
    normalized,
    resolve_search,
)
from seq2seq.system.device import choose_device
from seq2seq.tokenizer.normalization import Normalization
from seq2seq.tokenizer.token_bytes import split_prefix
from seq2seq.translation.batching import batch_rows, translate_stream
from seq2seq.translation.config import Copy
from seq2seq.translation.decoding import SearchOptions, search_options
from seq2seq.translation.portable_engine import EngineChoice, PortableEngine, choose_engine
from seq2seq.translation.scoring import score_pairs
from seq2seq.translation.streaming import stream_translation
from seq2seq.translation.types import Request, Translation

log = logging.getLogger("seq2seq")


class Translator:
    """Translates with trained networks. Threads may share it: its results do not change after loading.

    A translation never depends on what else is translated with it.
    """

    def __init__(
        self,
        members: Sequence[Member],
        search: SearchConfig | str,
        shortlist: Shortlist | None = None,
        language_model: Member | None = None,
        language_model_weight: float = LANGUAGE_MODEL_WEIGHT,
        portable: PortableEngine | None = None,
    ) -> None:
        """Build a translator from prepared networks.

        Args:
            members: one network, or several that form an ensemble; each encodes sources with its own tokenizer.
            search: the default search settings, or the name of a method.
            shortlist: the first member's lexical shortlist, applied to all members.
            language_model: a network without encoder for shallow fusion.
            language_model_weight: the weight of its log-probabilities, at least 0.
            portable: onnxruntime engine for the requests that it can answer; None: the networks answer all.

        Raises:
            ConfigError: there are no members, or the weight is negative or not finite.
            RunError: target vocabularies differ, a member is a language model, or the language model is a translator.
        """
        if not members:
            raise ConfigError("there is no model to translate with: name a run folder")
        check_language_model_weight(language_model_weight)
        check_members(members, language_model)
        self.members = tuple(members)
        self.device = members[0].device
        self.search = resolve_search(search, SearchConfig())
        self.shortlist = None if shortlist is None else shortlist.to(self.device)
        self.language_model = language_model
        self.language_model_weight = language_model_weight
        self.portable = portable
        self.ensemble = Members(self.members, self.shortlist, language_model, language_model_weight)

    def __repr__(self) -> str:
        """The models, for a log: ``Translator(runs/demo, cpu, float32)``."""
        parts = [*[member.name for member in self.members], str(self.device), str(self.members[0].precision)]
        return f"{type(self).__name__}({', '.join([*parts, *(['onnxruntime'] if self.portable else [])])})"

    @property
    def normalization(self) -> Normalization:
        """The Unicode form of its translations, ``tokenizer.normalization`` of the run."""
        return self.ensemble.target.normalization

    @classmethod
    def load(
        cls,
        run: str | Path | Sequence[str | Path],
        device: str = "auto",
        precision: str = "auto",
        shortlist: bool = False,
        *,
        language_model: str | Path | None = None,
        language_model_weight: float = LANGUAGE_MODEL_WEIGHT,
        engine: str = EngineChoice.auto,
    ) -> "Translator":
        """Load the best model of a run folder, or an ensemble of several.

        Args:
            run: the run folder, or ``hf://USER/NAME[@REVISION]``, a model of the Hugging Face hub. Reads config.yaml,
                tokenizer*.model and model.safetensors; executes nothing in them. Several folders form an ensemble with
                a shared target vocabulary and the first one's search settings.
            device: auto, cpu or cuda.
            precision: float32, tf32, bfloat16, int8 or auto. bfloat16 and int8 are faster at a small cost in quality;
                auto keeps each folder's own (int8 after recipes/quantize.py on processors with integer products).
            shortlist: score only tokens that can translate the source, by the first run's training data.
            language_model: run folder of a language model of the same target vocabulary, for shallow fusion.
            language_model_weight: the weight of its log-probabilities, at least 0.
            engine: torch, onnx or auto. For a folder of recipes/export.py, onnx translates with onnxruntime only, and
                refuses what that does not support; auto translates single sentences with it where it is faster.
                `suggest`, `score` and `trace` always use PyTorch.

        Raises:
            RunError: a file is missing, damaged or of another kind, or the runs do not fit together.
            ConfigError: no run, an unknown device, precision or engine, a precision that the device does not support, a
                weight that is negative or not finite, a weight without a language model, or onnx for what it does not
                support.
        """
        if language_model is None and language_model_weight != LANGUAGE_MODEL_WEIGHT:
            raise ConfigError(
                f"language_model_weight={language_model_weight:g} does nothing without a language model: set "
                f"language_model=RUN, or leave the weight out"
            )
        folders = [run] if isinstance(run, str | Path) or not isinstance(run, Iterable) else [*run]
        chosen = choose_device(device)
        runs = [RunFolder.open(folder) for folder in folders]
        loaded = [run.load() for run in runs]
        members = [model.member(chosen, precision) for model in loaded]
        search = loaded[0].search if loaded else SearchConfig()
        lists = runs[0].load_shortlist(loaded[0].tokenizers) if shortlist and loaded else None
        fused = None if language_model is None else load_run(language_model).member(chosen, precision)
        options = {"shortlist": shortlist, "language_model": fused is not None}
        portable = choose_engine(engine, [run.path for run in runs], chosen, precision, **options)
        if portable is not None:
            log.info("%s: engine=onnx, %s", runs[0].path, "all text" if portable.forced else "single sentences")
        return cls(members, search, lists, fused, language_model_weight, portable)

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickling and copying: packed weights cannot be pickled, so the copy packs its own."""
        fusion = self.language_model, self.language_model_weight
        return Translator, (self.members, self.search, self.shortlist, *fusion, self.portable)

    def watched(self, on_step: Callable[[], None]) -> "Translator":
        """Return a translator with the same weights that calls ``on_step`` before each step of encoding or search.

        An exception from ``on_step`` ends the translation; a server cancels requests in this way. It uses PyTorch.
        """
        watched = object.__new__(Translator)
        watched.__dict__ |= self.__dict__
        watched.ensemble, watched.portable = self.ensemble.watched(on_step), None
        return watched

    @overload
    def translate(
        self,
        text: str | Request,
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchConfig | str | None = None,
        copy: Copy | str = Copy.none,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> Translation: ...

    @overload
    def translate(
        self,
        text: list[str] | list[Request] | list[str | Request] | tuple[str | Request, ...],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchConfig | str | None = None,
        copy: Copy | str = Copy.none,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> list[Translation]: ...

    def translate(
        self,
        text: str | Request | list[str] | list[Request] | list[str | Request] | tuple[str | Request, ...],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchConfig | str | None = None,
        copy: Copy | str = Copy.none,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> Translation | list[Translation]:
        """Translate a sentence or a list of sentences.

        Blank text gives empty text. Text of more than 1,000 characters is translated sentence by sentence; the prefix
        and the phrases apply to the first. If memory for a batch runs out, the batch is split in two with a warning.

        Args:
            text: a string gives a `Translation`; a list or tuple gives a list in the same order. A `Request` instead
                of a string has constraints of its own. For streams, see `translate_all`.
            beam_size: hypotheses kept; 1 is greedy search; None: as the search settings.
            n_best: translations per sentence, in `Translation.n_best`; at most ``beam_size`` in beam search.
            attention: return attention weights, if the model has attention.
            search: how to search or sample: settings, or the name of a method; None: the run's search settings.
            copy: what to copy from the source by attention.
            prefix: how translations of strings begin; it may end within a word. A `Request` has its own.
            phrases: words or phrases that translations contain.

        Raises:
            ConfigError: settings are out of range, contradict each other, or are not supported by the model; or
                ``text`` is an iterator.
            DataError: a text, prefix or phrase is not a string, or no tokens of the vocabulary write it.
            RunError: memory runs out for half a batch.
        """
        options = search_options(
            self.ensemble, resolve_search(search, self.search), beam_size, n_best, attention=attention, copy=copy
        )
        if isinstance(text, str | Request):
            request = _request(text, prefix, phrases)
            if self.portable is not None and self.portable.takes(request, options):
                return self.portable.translate(request, options)
            return next(self._stream([request], options))
        if not isinstance(text, list | tuple):
            if text is None or isinstance(text, bytes | bytearray) or not isinstance(text, Iterable):
                require_text(text, "text")
            raise ConfigError(f"text must be a string or a list, got {type(text).__name__}: use translate_all")
        return list(self._stream(_requests(text, prefix, phrases), options))

    def require_tag(self, tag: str | None) -> None:
        """Check that every model has a token for a tag: other words would be translated. None is no tag.

        Raises:
            ConfigError: a model has none for it.
        """
        for member in self.members:
            known = sorted(member.tokenizers.source.tags - {*SYMBOLS})
            if any(word not in known for word in (tag or "").split()):
                hint = f"use one of its tags, {', '.join(known)}" if known else "leave tag out, for it has no tags"
                raise ConfigError(f"{member.name} was not trained with the tag {tag}: {hint}")

    def translate_all(
        self,
        texts: Iterable[str | Request],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchConfig | str | None = None,
        copy: Copy | str = Copy.none,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> Iterator[Translation]:
        """Translate a stream of sentences, in order; reads some thousand sentences ahead and never holds more.

        Settings are checked at once. Arguments and errors are those of `translate`.
        """
        options = search_options(
            self.ensemble, resolve_search(search, self.search), beam_size, n_best, attention=attention, copy=copy
        )
        if isinstance(texts, str | bytes | Request):
            raise ConfigError("texts is one text, and translate_all takes several: use translate, or pass a list")
        return self._stream(_requests(texts, prefix, phrases), options)

    def _stream(self, requests: Iterable[Request], options: SearchOptions) -> Iterator[Translation]:
        if self.portable is not None and self.portable.forced:
            return self.portable.translate_all(requests, options)
        return translate_stream(self.ensemble, requests, options)

    def batches(self, texts: Sequence[str | Request], search: SearchConfig | str | None = None) -> list[list[int]]:
        """Return the row numbers of each batch that `translate` makes of the texts; blank texts are in none."""
        return batch_rows(self.ensemble, [_request(each) for each in texts], resolve_search(search, self.search))

    def stream(
        self, text: str, *, beam_size: int | None = None, search: SearchConfig | str | None = None, prefix: str = ""
    ) -> Iterator[Translation]:
        """Translate one sentence; yield the fixed part of its translation whenever it grows, then the translation.

        The last result is that of `translate`; the ones before have a prefix of its tokens and NaN for scores. Greedy
        search fixes a token per step, beam search the common prefix of its hypotheses. Each text begins with the one
        before, except if a combining character joins its last letter. Errors are those of `translate`.
        """
        options = search_options(self.ensemble, resolve_search(search, self.search), beam_size, 1)
        if options.search.method != Method.beam:
            raise ConfigError(f"search.method={options.search.method} cannot be streamed: set search.method=beam")
        request = Request(text, prefix)
        if self.portable is not None and self.portable.takes(request, options):
            return self.portable.stream(request, options)
        return stream_translation(self.ensemble, request, options)

    def suggest(self, text: str, prefix: str = "", count: int = 5) -> list[NextWord]:
        """Return the most probable next words of a translation that begins with ``prefix``, best first.

        If the prefix ends in white space, the words are new ones; otherwise they complete its last word, as in
        `LanguageModel.suggest`.

        Raises:
            ConfigError: ``count`` is below 1, or there is a shortlist.
        """
        if count < 1:
            raise ConfigError(f"count must be at least 1, got {count}")
        members = self.ensemble
        members.require_full_vocabulary("a suggestion")
        context, partial_word = split_prefix(members.protected(prefix, text), members.target.normalization)
        with torch.inference_mode():
            stepper = members.bind(members.encoded([text])[0]).stepper
            if members.language_model is not None:
                stepper = normalized(stepper)
            words = next_words(stepper, members.target.encode(context), partial_word, members.spelling, count)
        return [word._replace(word=members.restored(word.word, text)) for word in words]

    def trace(
        self,
        text: str,
        *,
        target: str | None = None,
        beam_size: int | None = None,
        alternatives: int = ALTERNATIVES,
        member: int = 0,
    ) -> Trace:
        """Return everything that one network computes for a sentence, and the tree of the beam search.

        Covers gates, states, attention and probabilities. The translation is that of `translate`, or ``target``. In an
        ensemble, ``member`` (0 for the first) selects the network.

        Raises:
            ConfigError: a number is out of range, or the method is not beam.
            DataError: the sentence is blank, or it has no possible translation.
        """
        search = self.search if beam_size is None else self.search.beam(beam_size)
        return trace_sentence(self.ensemble, search, text, target=target, alternatives=alternatives, member=member)

    def score(self, source: str, target: str) -> Translation:
        """Score a given translation by forced decoding: `score_all` for one pair."""
        return next(self.score_all([(source, target)]))

    def score_all(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Translation]:
        """Yield the log-probability of every source's target, and that of each token, in order.

        Reads some thousand pairs ahead. A source of more than 1,000 characters is split as `translate` splits it, and
        its target with it. Ensembles and language models count as in search; shortlists are ignored.

        Raises:
            DataError: a pair is not two strings; while iterating.
        """
        return score_pairs(self.ensemble, pairs, self.search.length_penalty)


def _requests(texts: Iterable[str | Request], prefix: str, phrases: Sequence[str]) -> Iterator[Request]:
    """A request for each text; the error of one that is no string names its position."""
    for number, text in enumerate(texts):
        if not isinstance(text, Request):
            require_text(text, f"texts[{number}]")
        yield _request(text, prefix, phrases)


def _request(text: str | Request, prefix: str = "", phrases: Sequence[str] = ()) -> Request:
    """Return a request with its glossary's phrases; a long text looks them up for each of its segments."""
    if not isinstance(text, Request):
        return Request(text, prefix, phrases)  # type: ignore[arg-type]  # Request makes the list a tuple
    return text.with_terms() if len(text.text) <= MAX_SEGMENT else text
