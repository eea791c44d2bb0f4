"""A translator for exported folders: text in, translations out, without PyTorch."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, overload

import numpy as np

from seq2seq.portable.check import AT_LOAD, check_translator
from seq2seq.portable.engine import Engine, Floats
from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import CONFIG, SHORTLIST, STEP_GRAPH, WEIGHTS, read_config, read_weights
from seq2seq.portable.hypothesis import Hypothesis, ranked, unique
from seq2seq.portable.network import NumpyEngine, log_softmax
from seq2seq.portable.search import Search, SearchSettings, common_prefix
from seq2seq.portable.segmentation import MAX_SEGMENT
from seq2seq.portable.shortlist import Shortlist
from seq2seq.portable.text import Text
from seq2seq.portable.translation import Translation, join_translations

ENGINES = ("auto", "onnx", "numpy")


class Translator:
    """Translates with an exported model. A translation never depends on what else is translated.

    Args:
        text: both sides' text.
        engine: the network.
        search: the default search settings.
        special: the ids of the special tokens by name.
        shortlist: the lexical shortlist; None: score all tokens.
        name: the model and the engine, for messages.
    """

    def __init__(
        self,
        text: Text,
        engine: Engine[Any, Any],
        search: SearchSettings,
        special: Mapping[str, int],
        shortlist: Shortlist | None = None,
        name: str = "",
    ) -> None:
        self.text, self.engine, self.search, self.shortlist, self.name = text, engine, search, shortlist, name
        self.bos, self.eos = special["bos"], special["eos"]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @classmethod
    def load(
        cls, folder: str | Path, engine: str = "auto", *, shortlist: bool = False, threads: int = 1, check: bool = True
    ) -> "Translator":
        """Load an exported folder.

        Args:
            folder: written by recipes/export.py. Nothing in it is executed.
            engine: onnx, numpy, or auto: onnx if onnxruntime is installed.
            shortlist: score only tokens that can translate the source, by the training data.
            threads: threads of onnxruntime.
            check: translate the first sentences of check.json and compare them with the recorded translations.

        Raises:
            PortableError: a file is missing or damaged, the engine is unknown or not installed, or this device computes
                other translations than the exported ones.
        """
        folder = Path(folder).expanduser()
        if engine not in ENGINES:
            raise PortableError(f"engine must be one of {', '.join(ENGINES)}, got {engine}")
        if engine == "auto":
            engine = "onnx" if find_spec("onnxruntime") and (folder / STEP_GRAPH).is_file() else "numpy"
        config = read_config(folder)
        try:
            made = cls._open(folder, config, engine, shortlist, threads)
            made._try_largest_tokens()
            if check:
                check_translator(made, folder, AT_LOAD)
        except PortableError:
            raise
        except Exception as error:  # onnxruntime has classes of its own
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise PortableError(
                f"{folder / CONFIG} does not fit the other files ({reason}): copy or export the folder again"
            ) from None
        return made

    @classmethod
    def _open(cls, folder: Path, config: Any, engine: str, shortlist: bool, threads: int) -> "Translator":
        text = Text(folder, config)
        copies = text.copies()
        lists = Shortlist(folder / SHORTLIST, copies, text.target.size) if shortlist else None
        if shortlist and config["model"]["copy"] != "none":
            raise PortableError("a shortlist and model.copy=pointer are not supported together: set shortlist=False")
        computed: Engine[Any, Any]
        if engine == "numpy":
            computed = NumpyEngine(config["model"], read_weights(folder / WEIGHTS), copies)
        else:
            computed = _onnx_engine(folder, threads)
        search = SearchSettings.of(config["search"])
        return cls(text, computed, search, config["special"], lists, f"{folder}, {engine}, {config['precision']}")

    @overload
    def translate(
        self,
        text: str,
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchSettings | None = None,
    ) -> Translation: ...

    @overload
    def translate(
        self,
        text: list[str] | tuple[str, ...],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchSettings | None = None,
    ) -> list[Translation]: ...

    def translate(
        self,
        text: str | list[str] | tuple[str, ...],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchSettings | None = None,
    ) -> Translation | list[Translation]:
        """Translate a sentence or a list of sentences.

        Blank text gives empty text. Text of more than 1,000 characters is translated sentence by sentence.

        Args:
            text: a string gives a `Translation`; a list or tuple gives a list in the same order.
            beam_size: hypotheses kept; 1 is greedy search; None: as the search settings.
            n_best: translations per sentence, in `Translation.n_best`; at most ``beam_size``.
            attention: return attention weights, if the model has attention.
            search: search settings; None: those of the folder.

        Raises:
            PortableError: a setting is out of range, or a text is not a string.
        """
        settings = self._settings(search, beam_size, n_best)
        if isinstance(text, str):
            return self._translate(text, settings, attention)
        if not isinstance(text, list | tuple):
            raise PortableError(f"text must be a string or a list of strings, got {type(text).__name__}")
        return [self._translate(each, settings, attention) for each in text]

    def translate_all(
        self,
        texts: Iterable[str],
        *,
        beam_size: int | None = None,
        n_best: int | None = None,
        attention: bool = False,
        search: SearchSettings | None = None,
    ) -> Iterator[Translation]:
        """Translate a stream of sentences, in order, one at a time. Arguments and errors are those of `translate`."""
        settings = self._settings(search, beam_size, n_best)
        if isinstance(texts, str | bytes):
            raise PortableError("texts is one text, and translate_all takes several: use translate, or pass a list")
        return (self._translate(text, settings, attention) for text in texts)

    def stream(
        self, text: str, *, beam_size: int | None = None, search: SearchSettings | None = None
    ) -> Iterator[Translation]:
        """Translate one sentence; yield the fixed part of its translation whenever it grows, then the translation.

        The last result is that of `translate`; the ones before have a prefix of its tokens and NaN for scores. Greedy
        search fixes a token per step, beam search the common prefix of its hypotheses.
        """
        settings = self._settings(search, beam_size, 1)
        require_text(text)
        if len(text) <= MAX_SEGMENT:
            yield from self._stream(text, settings)
            return
        done: list[Translation] = []
        for part in self.text.segments(text):
            for latest in self._stream(part, settings):
                yield join_translations(Translation, text, [*done, latest], settings.length_penalty)
            done.append(latest)
        if not done:
            yield join_translations(Translation, text, [], settings.length_penalty)

    def _try_largest_tokens(self) -> None:
        """Compute a step with the last token of each vocabulary, so that no translation fails.

        Raises:
            ValueError, IndexError and others: the network does not fit its settings or the vocabularies.
        """
        memory, state = self.engine.encode([self.text.source.size - 1, self.eos])
        tokens_2 = np.array([self.bos, self.text.target.size - 1])
        log_probability_2V, *_ = self.engine.step(tokens_2, memory, self.engine.select(state, np.zeros(2, int)))
        if log_probability_2V.shape != (2, self.text.target.size):
            raise ValueError(f"the network predicts {log_probability_2V.shape[1:]} tokens")

    def hypotheses(self, source: str, settings: SearchSettings) -> list[Hypothesis]:
        """The whole beam of a sentence, best first."""
        return self._search(self._ids(source), settings).run()

    def log_probability(self, source: str, tokens: Sequence[int]) -> float:
        """The log-probability of given target token ids, which end with EOS if the translation is finished."""
        memory, state = self.engine.encode(self._ids(source))
        total, previous = 0.0, self.bos
        for token in tokens:
            log_probability_1V, state, _ = self.engine.step(np.array([previous]), memory, state)
            total, previous = total + float(log_probability_1V[0, token]), token
        return total

    def _settings(self, search: SearchSettings | None, beam_size: int | None, n_best: int | None) -> SearchSettings:
        changes = {"beam_size": beam_size, "n_best": n_best}
        return replace(search or self.search, **{name: value for name, value in changes.items() if value is not None})

    def _ids(self, text: str) -> list[int]:
        """Source token ids with EOS; only EOS for blank text."""
        return [*self.text.encode(text), self.eos]

    def _search(self, ids: list[int], settings: SearchSettings) -> Search:
        symbols = self.text.excluded(ids)
        listed = [] if self.shortlist is None else self.shortlist.listed(ids)

        def adjust(log_probability_NV: Floats) -> Floats:
            adjusted_NV = log_probability_NV.copy()
            if listed:
                adjusted_NV[:] = -np.inf
                adjusted_NV[:, listed] = log_softmax(log_probability_NV[:, listed])
            adjusted_NV[:, symbols] = -np.inf
            return adjusted_NV

        return Search(self.engine, ids, settings, self.bos, self.eos, adjust if symbols or listed else None)

    def _translate(self, text: str, settings: SearchSettings, attention: bool) -> Translation:
        require_text(text)
        ids = self._ids(text) if len(text) <= MAX_SEGMENT else []
        if len(ids) <= 1:  # blank or too long
            segments = self.text.segments(text) if not ids else []
            parts = [self._translate(segment, settings, attention) for segment in segments]
            whole = join_translations(Translation, text, parts, settings.length_penalty)
            return replace(whole, n_best=(whole,)) if settings.n_best > 1 and not parts else whole
        found = self._search(ids, settings).run()
        if settings.n_best > 1:
            found = unique(found, lambda each: self.text.target.decode(each.tokens, finished=each.finished))
        n_best: dict[str, Translation] = {}
        for each in found[: settings.n_best]:
            made = self._translation(text, ids, each, attention)
            n_best.setdefault(made.text, made)
        best, *_ = ranking = tuple(n_best.values())
        return replace(best, n_best=ranking) if settings.n_best > 1 else best

    def _translation(self, text: str, ids: list[int], hypothesis: Hypothesis, attention: bool = False) -> Translation:
        written = self.text.decode(hypothesis.tokens, text, finished=hypothesis.finished)
        lost, added = self.text.difference(text, written)
        return Translation(
            source=text,
            text=written,
            score=hypothesis.score,
            log_probability=hypothesis.log_probability,
            tokens=tuple(self.text.target.tokens(hypothesis.tokens)),
            source_tokens=tuple(self.text.source.tokens(ids[:-1])),
            attention=self._attention(ids, hypothesis.tokens) if attention else None,
            finished=hypothesis.finished,
            lost_placeholders=lost,
            added_placeholders=added,
        )

    def _attention(self, ids: list[int], tokens: list[int]) -> Floats | None:
        """Attention weights (target tokens + 1, source tokens + 1) of given tokens; None without attention."""
        memory, state = self.engine.encode(ids)
        rows = []
        for token in [self.bos, *tokens]:
            _, state, weights_1S = self.engine.step(np.array([token]), memory, state)
            if weights_1S is None:
                return None
            rows.append(weights_1S)
        return np.concatenate(rows)

    def _stream(self, text: str, settings: SearchSettings) -> Iterator[Translation]:
        ids, shown, ended, fixed = self._ids(text), "", list[Hypothesis](), list[int]()
        if len(ids) == 1:
            yield join_translations(Translation, text, [], settings.length_penalty)
            return
        for unfinished in self._search(ids, settings).steps(ended):
            shared = common_prefix([*unfinished, *(each.tokens for each in ended)])
            if len(shared) <= len(fixed):
                continue
            fixed = shared
            partial = self._translation(text, ids, Hypothesis(fixed, math.nan, math.nan, finished=False))
            written = partial.text.rstrip("\ufffd")  # the first bytes of an incomplete character
            if len(written) > len(shown):
                shown = written
                yield replace(partial, text=written)
        yield self._translation(text, ids, ranked(ended)[0])


def _onnx_engine(folder: Path, threads: int) -> Engine[Any, Any]:
    if not find_spec("onnxruntime"):
        raise PortableError("engine=onnx needs onnxruntime: python -m pip install onnxruntime, or set engine=numpy")
    try:
        from seq2seq.portable.onnx_engine import OnnxEngine
    except ImportError as error:  # for example a build for another version of NumPy
        raise PortableError(
            f"onnxruntime cannot be imported ({' '.join(str(error).split()) or 'it was built for another NumPy'}): "
            f"python -m pip install onnxruntime --upgrade, or set engine=numpy"
        ) from None
    return OnnxEngine(folder, threads)


def require_text(text: object) -> None:
    """Check that an argument is a string.

    Raises:
        PortableError: it is not.
    """
    if not isinstance(text, str):
        raise PortableError(f"text must be a string, got {type(text).__name__}: pass a string")
