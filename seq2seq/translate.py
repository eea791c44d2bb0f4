"""Text in, text out: a trained model behind one method."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import overload

import torch
from torch import Tensor

from seq2seq.data.batch import source_tensors, target_input
from seq2seq.device import choose_device, has_bfloat16
from seq2seq.errors import ConfigError
from seq2seq.model import InferencePrecision, Network, NetworkStepper, PreparedDecoder, has_int8
from seq2seq.run import load_run, load_shortlist
from seq2seq.search import Hypothesis, SearchConfig, search
from seq2seq.settings import validate
from seq2seq.shortlist import Shortlist
from seq2seq.text.tokenizer import BOS, EOS, Tokenizers

CHUNK = 2048
"""Sentences of a stream that are sorted by length together."""

BATCH_PIECES = 3072
"""Most source pieces of a batch, padding included, and so a bound on memory."""


@dataclass(frozen=True)
class Translation:
    """One translation of one sentence."""

    source: str
    text: str
    score: float
    """Length-normalised log-probability: comparable among translations of one source."""
    log_probability: float
    """Sum over the pieces, in nats, end mark included."""
    pieces: tuple[str, ...] = ()
    source_pieces: tuple[str, ...] = ()
    attention: Tensor | None = None
    """Weights (target pieces + 1, source pieces + 1), the end marks last; None where not asked for or not there."""
    n_best: tuple["Translation", ...] = ()
    """All translations asked for, best first; the first is this one. Empty unless ``n_best`` > 1."""

    def __str__(self) -> str:
        return self.text


class Translator:
    """Translates with a trained network. Threads may share one: nothing in it changes after loading.

    A translation never depends on what else is translated with it.
    """

    def __init__(
        self,
        network: Network,
        tokenizers: Tokenizers,
        search: SearchConfig,
        device: torch.device | None = None,
        precision: InferencePrecision = InferencePrecision.float32,
        shortlist: Shortlist | None = None,
    ) -> None:
        self.device = device or choose_device("auto")
        self.network = network.to(self.device)
        self.tokenizers = tokenizers
        self.search = search
        self.precision = precision
        reduced = precision is not InferencePrecision.float32 and has_bfloat16(self.device)
        self.decoder = PreparedDecoder(self.network, precision, torch.bfloat16 if reduced else torch.float32)
        self.shortlist = None if shortlist is None else shortlist.to(self.device)

    @classmethod
    def load(
        cls, run: str | Path, device: str = "auto", precision: str = "auto", shortlist: bool = False
    ) -> "Translator":
        """The best model of a run folder.

        Args:
            run: the folder; config.yaml, tokenizer*.model and model.safetensors are read, nothing in them is executed.
            device: auto, cpu, cuda.
            precision: float32; bfloat16 or int8 for products in fewer bytes, at a small cost in quality; auto: as the
                folder keeps its weights (int8 after recipes/quantize.py, where the processor has integer products).
            shortlist: score only the pieces that, going by the training data, can translate this source.

        Raises:
            RunError: a file is missing, damaged or foreign.
            ConfigError: an unknown device or precision, or integer products on a device without them.
        """
        loaded = load_run(Path(run).expanduser())
        chosen = choose_device(device)
        lists = load_shortlist(Path(run).expanduser(), loaded.tokenizers) if shortlist else None
        form = choose_precision(precision, chosen, loaded.quantized)
        return cls(loaded.network, loaded.tokenizers, loaded.search, chosen, form, lists)

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

        Blank text is translated by empty text.

        Raises:
            ConfigError: ``n_best`` above ``beam_size``, or one of them below 1.
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
            sources = self.tokenizers.source.encode_all(chunk)
            found: dict[int, Translation] = {
                row: Translation(text, "", 0.0, 0.0) for row, text in enumerate(chunk) if not sources[row]
            }
            for rows in batches_by_length(sources):
                texts_of, sources_of = [chunk[row] for row in rows], [sources[row] for row in rows]
                found |= zip(rows, self._batch(texts_of, sources_of, search, attention), strict=True)
            yield from (found[row] for row in range(len(chunk)))

    @torch.inference_mode()
    def _batch(
        self, texts: list[str], sources: list[list[int]], config: SearchConfig, attention: bool
    ) -> list[Translation]:
        source_BS, lengths_B = (tensor.to(self.device) for tensor in source_tensors(sources))
        chosen = None if self.shortlist is None else self.shortlist.choose(source_BS, lengths_B)
        stepper = NetworkStepper(self.network, self.decoder, source_BS, lengths_B, BOS, EOS, chosen)
        hypotheses = [
            [hypothesis._replace(tokens=stepper.ids(hypothesis.tokens)) for hypothesis in ranked]
            for ranked in search(stepper, config)
        ]
        weights = self._attention(sources, hypotheses) if attention else {}
        translations = []
        for sentence, ranked in enumerate(hypotheses):
            n_best = tuple(
                self._translation(texts[sentence], sources[sentence], hypothesis, weights.get((sentence, rank)))
                for rank, hypothesis in enumerate(ranked)
            )
            translations.append(replace(n_best[0], n_best=n_best) if config.n_best > 1 else n_best[0])
        return translations

    def _translation(
        self, text: str, source: list[int], hypothesis: Hypothesis, attention: Tensor | None
    ) -> Translation:
        source_tokenizer, target_tokenizer = self.tokenizers
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
        source_BS, lengths_B = source_tensors([sources[sentence] for sentence, _ in places])
        weights_BTS = self.network.attention_weights(
            source_BS.to(self.device), lengths_B.to(self.device), target_input(targets).to(self.device)
        )
        if weights_BTS is None:
            return {}
        return {
            place: weights_BTS[row, : len(targets[row]) + 1, : int(lengths_B[row])].cpu()
            for row, place in enumerate(places)
        }


def batches_by_length(sources: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Row numbers of the sources that are not empty, longest first, at most `BATCH_PIECES` pieces a batch."""
    order = sorted((row for row, source in enumerate(sources) if source), key=lambda row: -len(sources[row]))
    while order:
        size = max(1, BATCH_PIECES // (len(sources[order[0]]) + 1))
        yield order[:size]
        order = order[size:]


def choose_precision(name: str, device: torch.device, quantized: bool) -> InferencePrecision:
    """The form of that name; for ``auto``, int8 where the weights are kept so and the device has integer products.

    Raises:
        ConfigError: there is none of that name, or none on this device.
    """
    if name not in InferencePrecision.__members__:
        raise ConfigError(f"precision must be one of {', '.join(InferencePrecision)}, got {name}")
    if name == InferencePrecision.auto:
        return InferencePrecision.int8 if quantized and has_int8(device) else InferencePrecision.float32
    if name == InferencePrecision.int8 and not has_int8(device):
        raise ConfigError(f"precision=int8 needs an x86 processor with VNNI, not {device}: use precision=float32")
    return InferencePrecision(name)
