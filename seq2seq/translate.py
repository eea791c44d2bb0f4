"""Text in, text out: a trained model behind one method."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import overload

import torch
from torch import Tensor

from seq2seq.data.batch import batches_by_length, target_input
from seq2seq.device import choose_device
from seq2seq.errors import ConfigError
from seq2seq.member import Member, attention_weights, hold_together, shared
from seq2seq.out_of_memory import whole_or_halves
from seq2seq.run import load_run, load_shortlist
from seq2seq.search import (
    LANGUAGE_MODEL_WEIGHT,
    Hypothesis,
    SearchConfig,
    check_language_model_weight,
    ensemble,
    fusion,
    search,
)
from seq2seq.settings import validate
from seq2seq.shortlist import Shortlist
from seq2seq.text.stretches import LONGEST, stretches
from seq2seq.translation import Translation, joined

CHUNK = 2048
"""Sentences of a stream that are sorted by length together."""

BATCH_PIECES = 3072
"""Most source pieces of a batch, padding included, and so a bound on memory."""


class Translator:
    """Translates with trained networks. Threads may share one: nothing in it changes after loading.

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
        hold_together(members, language_model)
        self.members = tuple(members)
        self.source_tokenizers = shared([member.tokenizers.source for member in members])
        self.device = members[0].device
        self.search = search
        self.shortlist = None if shortlist is None else shortlist.to(self.device)
        self.language_model = language_model
        self.language_model_weight = language_model_weight

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
            ConfigError: no run, an unknown device or precision, integer products on a device without them, or a weight
                that is negative or not finite.
        """
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

    @overload
    def translate(  # type: ignore[overload-overlap]  # a str is an Iterable[str] to the checker, not to us
        self, text: str, *, beam_size: int | None = None, n_best: int | None = None, attention: bool = False
    ) -> Translation: ...

    @overload
    def translate(  # type: ignore[overload-overlap]
        self,
        text: list[str] | tuple[str, ...],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
    ) -> list[Translation]: ...

    @overload
    def translate(
        self, text: Iterable[str], *, beam_size: int | None = None, n_best: int | None = None, attention: bool = False
    ) -> Iterator[Translation]: ...

    def translate(
        self,
        text: str | Iterable[str],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
    ) -> Translation | list[Translation] | Iterator[Translation]:
        """Translate a sentence, a list of sentences, or a stream of them.

        Args:
            text: a string gives a `Translation`, a list or tuple a list; any other iterable gives an iterator in the
                same order, which reads some thousand sentences ahead and never holds more.
            beam_size: hypotheses kept; 1 is greedy search; None: as the run's ``search.beam_size``.
            n_best: translations per sentence, in `Translation.n_best`; at most ``beam_size``.
            attention: attach attention weights, where the model has attention.

        Blank text is translated by empty text; text of more than `LONGEST` characters in stretches, each by itself.
        Where there is no memory for a batch, it is translated in two halves, with a warning.

        Raises:
            ConfigError: ``n_best`` above ``beam_size``, or one of them below 1.
            RunError: there is no memory for half a batch.
        """
        search = self.search
        search = replace(search, beam_size=search.beam_size if beam_size is None else beam_size)
        search = replace(search, n_best=search.n_best if n_best is None else n_best)
        validate(search)
        search.check()
        if isinstance(text, str):
            return next(self._stream([text], search, attention))
        stream = self._stream(text, search, attention)
        return list(stream) if isinstance(text, list | tuple) else stream

    def _stream(self, texts: Iterable[str], search: SearchConfig, attention: bool) -> Iterator[Translation]:
        """Chunk by chunk; within a chunk, sentences of similar length share a batch."""
        iterator = iter(texts)
        while chunk := list(islice(iterator, CHUNK)):
            encoded, longest = self._encoded(chunk)
            found: dict[int, Translation] = {}
            for row in (row for row, pieces in enumerate(longest) if not pieces):
                found[row] = self._alone(chunk[row], search, attention)
            for rows in batches_by_length(longest, BATCH_PIECES):
                texts_of, encoded_of = [chunk[row] for row in rows], [[ids[row] for row in rows] for ids in encoded]
                found |= zip(rows, self._whole_or_halves(texts_of, encoded_of, search, attention), strict=True)
            yield from (found[row] for row in range(len(chunk)))

    def _alone(self, text: str, search: SearchConfig, attention: bool) -> Translation:
        """The translation of what shares no batch with others: blank text, or text in stretches."""
        parts = stretches(text, self.source_tokenizers[0].tags) if len(text) > LONGEST else []
        return joined(text, list(self._stream(parts, search, attention)), search.length_penalty)

    def batches(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of the texts in each batch that `translate` makes of them; blank texts are in none.

        The texts of a batch, translated by themselves, are a batch again: so processes may share them (`sharing`). A
        text that is translated in stretches counts as one.
        """
        chunks = ((start, texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK))
        return [[row] for row, text in enumerate(texts) if len(text) > LONGEST] + [
            [start + row for row in rows]
            for start, chunk in chunks
            for rows in batches_by_length(self._encoded(chunk)[1], BATCH_PIECES)
        ]

    def _encoded(self, chunk: Sequence[str]) -> tuple[list[list[list[int]]], list[list[int]]]:
        """The pieces of every text, for each member, and its longest encoding among them; none where it is too long."""
        short = [text if len(text) <= LONGEST else "" for text in chunk]
        pieces = {tokenizer: tokenizer.encode_all(short) for tokenizer in set(self.source_tokenizers)}
        encoded = [pieces[tokenizer] for tokenizer in self.source_tokenizers]
        return encoded, [max(sources, key=len) for sources in zip(*encoded, strict=True)]

    def _whole_or_halves(
        self, texts: list[str], encoded: list[list[list[int]]], config: SearchConfig, attention: bool
    ) -> list[Translation]:
        """As `_batch`, in two halves where memory is short."""
        middle = -(-len(texts) // 2)

        def halves() -> list[Translation]:
            parts = [part for part in (slice(0, middle), slice(middle, None)) if texts[part]]
            found = (self._batch(texts[part], [ids[part] for ids in encoded], config, attention) for part in parts)
            return list(chain.from_iterable(found))

        what = f"a batch of {len(texts):,} sentences"
        return whole_or_halves(lambda: self._batch(texts, encoded, config, attention), halves, what, "beam_size")

    @torch.inference_mode()
    def _batch(
        self, texts: list[str], encoded: list[list[list[int]]], config: SearchConfig, attention: bool
    ) -> list[Translation]:
        """Translate sentences together, given as text and as pieces of every member."""
        hypotheses = self._search(encoded, config)
        sources = encoded[0]
        weights = self._attention(sources, hypotheses) if attention else {}
        translations = []
        for sentence, ranked in enumerate(hypotheses):
            n_best = tuple(
                self._translation(texts[sentence], sources[sentence], hypothesis, weights.get((sentence, rank)))
                for rank, hypothesis in enumerate(ranked)
            )
            translations.append(replace(n_best[0], n_best=n_best) if config.n_best > 1 else n_best[0])
        return translations

    def _search(self, encoded: list[list[list[int]]], config: SearchConfig) -> list[list[Hypothesis]]:
        """Ranked hypotheses of every sentence, by the members and the language model together."""
        batches = [member.sources(sources) for member, sources in zip(self.members, encoded, strict=True)]
        chosen = None if self.shortlist is None else self.shortlist.choose(*batches[0])
        steppers = [member.stepper(batch, chosen) for member, batch in zip(self.members, batches, strict=True)]
        together = ensemble(steppers)
        if self.language_model is not None:  # which looks at no source, only at how many there are
            beside = self.language_model.stepper(batches[0], chosen)
            together = fusion(together, beside, self.language_model_weight)
        ids = steppers[0].ids
        return [[one._replace(tokens=ids(one.tokens)) for one in ranked] for ranked in search(together, config)]

    def _translation(
        self, text: str, source: list[int], hypothesis: Hypothesis, attention: Tensor | None
    ) -> Translation:
        source_tokenizer, target_tokenizer = self.members[0].tokenizers
        return Translation(
            source=text,
            text=target_tokenizer.decode(hypothesis.tokens),
            score=hypothesis.score,
            log_probability=hypothesis.log_probability,
            pieces=tuple(target_tokenizer.pieces(hypothesis.tokens)),
            source_pieces=tuple(source_tokenizer.pieces(source)),
            attention=attention,
        )

    def _attention(self, sources: list[list[int]], hypotheses: list[list[Hypothesis]]) -> dict[tuple[int, int], Tensor]:
        """Weights of every translation, from one pass with the translation given; empty without attention."""
        places = [(sentence, rank) for sentence, ranked in enumerate(hypotheses) for rank in range(len(ranked))]
        targets = [hypotheses[sentence][rank].tokens for sentence, rank in places]
        batch = self.members[0].sources([sources[sentence] for sentence, _ in places])
        weights_BTS = attention_weights(self.members, batch, target_input(targets).to(self.device))
        if weights_BTS is None:
            return {}
        return {
            (sentence, rank): weights_BTS[row, : len(targets[row]) + 1, : len(sources[sentence]) + 1].cpu()
            for row, (sentence, rank) in enumerate(places)
        }
