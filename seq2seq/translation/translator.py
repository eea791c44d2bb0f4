"""Text in, text out: a trained model behind a few methods."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy as shallow_copy
from pathlib import Path
from typing import overload

from seq2seq.analysis.trace import Trace
from seq2seq.analysis.tracing import ALTERNATIVES, trace_sentence
from seq2seq.corpora.segments import LONGEST
from seq2seq.errors import ConfigError
from seq2seq.inference.member import Member, check_members
from seq2seq.inference.members import EncodedSources, Members
from seq2seq.inference.shortlist import Shortlist
from seq2seq.run.folder import load_run, load_shortlist
from seq2seq.search import LANGUAGE_MODEL_WEIGHT, Method, NextWord, SearchConfig, check_language_model_weight
from seq2seq.system.device import choose_device
from seq2seq.translation.answer import Asked, answers, asked_of
from seq2seq.translation.batching import numbered, translated
from seq2seq.translation.interactive import growing_translation, suggestions
from seq2seq.translation.scoring import scored
from seq2seq.translation.types import Copy, Request, Translation


class Translator:
    """Translates with trained networks. Threads may share one: nothing that counts in it changes after loading.

    A translation never depends on what else is translated with it.
    """

    def __init__(
        self,
        members: Sequence[Member],
        search: SearchConfig,
        shortlist: Shortlist | None = None,
        language_model: Member | None = None,
        language_model_weight: float = LANGUAGE_MODEL_WEIGHT,
    ) -> None:
        """Put together what translates.

        Args:
            members: one network, or an ensemble that chooses each piece together; each encodes sources by itself.
            search: how to search.
            shortlist: the first member's, applied to all.
            language_model: a network without encoder whose weighted log-probabilities are added (shallow fusion).
            language_model_weight: the weight, at least 0.

        Raises:
            ConfigError: there is no member, or the weight is negative or not finite.
            RunError: target vocabularies differ; a member is a language model, or the language model is none.
        """
        if not members:
            raise ConfigError("nothing can translate: name a run folder")
        check_language_model_weight(language_model_weight)
        check_members(members, language_model)
        self.members = tuple(members)
        self.device = members[0].device
        self.search = search
        self.shortlist = None if shortlist is None else shortlist.to(self.device)
        self.language_model = language_model
        self.language_model_weight = language_model_weight
        self.together = Members(self.members, self.shortlist, language_model, language_model_weight)

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
    ) -> "Translator":
        """The best model of a run folder, or an ensemble of several.

        Args:
            run: the folder; config.yaml, tokenizer*.model and model.safetensors are read, nothing in them is executed.
                Several translate together; their target vocabularies must be the same, and the first one's
                search settings hold.
            device: auto, cpu, cuda.
            precision: float32; bfloat16 or int8 for products in fewer bytes, at a small cost in quality; auto: as each
                folder keeps its weights (int8 after recipes/quantize.py, where the processor has integer products).
            shortlist: score only the pieces that, going by the first run's training data, can translate this source.
            language_model: run folder of a language model of the same target vocabulary, for shallow fusion.
            language_model_weight: what its log-probabilities count, at least 0.

        Raises:
            RunError: a file is missing, damaged or foreign, or the runs do not fit each other.
            ConfigError: no run, an unknown device or precision, integer products on a device without them, a weight
                that is negative or not finite, or one without a language model.
        """
        if language_model is None and language_model_weight != LANGUAGE_MODEL_WEIGHT:
            raise ConfigError(
                f"language_model_weight={language_model_weight:g} has no language model to weigh: name one with "
                f"language_model=RUN, or leave the weight out"
            )
        folders = [Path(one).expanduser() for one in ([run] if isinstance(run, str | Path) else run)]
        chosen = choose_device(device)
        loaded = [load_run(folder) for folder in folders]
        members = [Member.of_run(folder, one, chosen, precision) for folder, one in zip(folders, loaded, strict=True)]
        search = loaded[0].search if loaded else SearchConfig()
        lists = load_shortlist(folders[0], loaded[0].tokenizers) if shortlist and loaded else None
        beside = None
        if language_model is not None:
            folder = Path(language_model).expanduser()
            beside = Member.of_run(folder, load_run(folder), chosen, precision)
        return cls(members, search, lists, beside, language_model_weight)

    def watched(self, on_step: Callable[[], None]) -> "Translator":
        """The same translator with the same weights, which calls ``on_step`` before each step of reading or search.

        What ``on_step`` raises ends the translation: so a server stops one that nobody waits for any more.
        """
        watched = shallow_copy(self)
        watched.together = self.together.watched(on_step)
        return watched

    @overload
    def translate(  # type: ignore[overload-overlap]  # a str is an Iterable[str] to the checker, not to us
        self,
        text: str | Request,
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchConfig | None = None,
        copy: Copy = Copy.none,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> Translation: ...

    @overload
    def translate(  # type: ignore[overload-overlap]
        self,
        text: list[str] | list[Request] | tuple[str | Request, ...],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchConfig | None = None,
        copy: Copy = Copy.none,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> list[Translation]: ...

    @overload
    def translate(
        self,
        text: Iterable[str | Request],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchConfig | None = None,
        copy: Copy = Copy.none,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> Iterator[Translation]: ...

    def translate(
        self,
        text: str | Request | Iterable[str | Request],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchConfig | None = None,
        copy: Copy = Copy.none,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> Translation | list[Translation] | Iterator[Translation]:
        """Translate a sentence, a list of sentences, or a stream of them.

        Args:
            text: a string gives a `Translation`, a list or tuple a list; any other iterable gives an iterator in the
                same order, which reads some thousand sentences ahead and never holds more. `Request` in place of a
                string has conditions of its own.
            beam_size: hypotheses kept; 1 is greedy search; None: as the search settings say.
            n_best: translations per sentence, in `Translation.n_best`; at most ``beam_size``.
            attention: attach attention weights, where the model has attention.
            search: how to search, sample or choose; None: as the run's search settings.
            copy: what is taken from the source by attention.
            prefix: how translations begin; it may end within a word (`Request`).
            phrases: words or phrases that translations contain.

        Blank text is translated by empty text; text of more than 1,000 characters sentence by sentence; the first has
        the prefix and the phrases. Where there is no memory for a batch, it is translated in two halves, with
        a warning.

        Raises:
            ConfigError: settings are out of range or contradict each other, or the model cannot do what is asked.
            DataError: no pieces of the vocabulary write a prefix or a phrase.
            RunError: there is no memory for half a batch.
        """
        asked = asked_of(self.together, search or self.search, beam_size, n_best, attention=attention, copy=copy)
        if isinstance(text, str | Request):
            return next(self._stream([_request(text, prefix, phrases)], asked))
        stream = self._stream((_request(one, prefix, phrases) for one in text), asked)
        return list(stream) if isinstance(text, list | tuple) else stream

    def _stream(self, requests: Iterable[Request], asked: Asked) -> Iterator[Translation]:
        return translated(self.together, requests, asked.search, lambda own, encoded: self._batch(own, encoded, asked))

    def _batch(self, requests: list[Request], encoded: EncodedSources, asked: Asked) -> list[Translation]:
        return answers(self.together, requests, encoded, asked)

    def batches(self, texts: Sequence[str | Request], search: SearchConfig | None = None) -> list[list[int]]:
        """The numbers of the texts in each batch that `translate` makes of them; blank texts are in none."""
        return numbered(self.together, [_request(one) for one in texts], search or self.search)

    def stream(
        self, text: str, *, beam_size: int | None = None, search: SearchConfig | None = None, prefix: str = ""
    ) -> Iterator[Translation]:
        """Translate one sentence and show it growing: what is certain of it, whenever that has become more.

        The last is what `translate` gives, the ones before it have a beginning of its pieces and NaN for scores. Greedy
        search settles a piece at each step, a beam only what all its hypotheses share. Each text begins with the one
        before it, unless a mark of its own joins the last letter. Errors are those of `translate`.
        """
        asked = asked_of(self.together, search or self.search, beam_size, 1)
        if asked.search.method != Method.beam:
            raise ConfigError(f"search.method={asked.search.method} cannot be shown growing: set search.method=beam")
        return growing_translation(self.together, Request(text, prefix), asked)

    def suggest(self, text: str, prefix: str = "", count: int = 5) -> list[NextWord]:
        """The likeliest next words of a translation that begins so, likeliest first, each with its probability.

        White space at the prefix's end asks for a new word, else the last one was begun (`LanguageModel.suggest`).

        Raises:
            ConfigError: ``count`` below 1, or there is a short-list.
        """
        return suggestions(self.together, text, prefix, count)

    def trace(
        self,
        text: str,
        *,
        target: str | None = None,
        beam_size: int | None = None,
        alternatives: int = ALTERNATIVES,
        member: int = 0,
    ) -> Trace:
        """All that one network computes for a sentence: gates, states, attention, probabilities; and the beam's tree.

        The translation is that of `translate`, or ``target``; of an ensemble, ``member`` (0 the first) is looked into.

        Raises:
            ConfigError: a number is out of range, or the method is not beam.
            DataError: the sentence is blank, or no translation of it is possible.
        """
        search = self.search if beam_size is None else self.search.beam(beam_size)
        return trace_sentence(self.together, search, text, target=target, alternatives=alternatives, member=member)

    def score(self, source: str, target: str) -> Translation:
        """What the model makes of a translation that is given (forced decoding): `score_all` for one pair."""
        return next(self.score_all([(source, target)]))

    def score_all(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Translation]:
        """The log-probability of every source's target as the tokenizer cuts it, and that of every piece.

        In their order, some thousand read ahead. A source of more than 1,000 characters is cut as `translate` cuts it,
        and its target with it. Ensembles and language models count as in search, short-lists do not.
        """
        return scored(self.together, pairs, self.search.length_penalty)


def _request(one: str | Request, prefix: str = "", phrases: Sequence[str] = ()) -> Request:
    """A request whose phrases are known; those of a text in stretches are each stretch's own."""
    if not isinstance(one, Request):
        return Request(one, prefix, tuple(phrases))
    return one.with_terms() if len(one.text) <= LONGEST else one
