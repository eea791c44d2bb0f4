"""COMET (Rei et al. 2020), if its package is installed: a learned metric of source, translation and reference."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sacrebleu.metrics.base import Metric as SacrebleuMetric
from sacrebleu.metrics.base import Score, Signature

from seq2seq.errors import ConfigError, install_hint

BATCH = 16
"""Sentences per batch."""


class Comet:
    """A COMET model that scores translations of one test set and caches the scores of each text.

    The COMET package loads its checkpoint without restrictions: name only models that you trust.

    Args:
        model: a name on the Hugging Face hub, or a checkpoint file.
        sources: sentences of the test set.
        references: their references; models without references ignore them.
        on_gpu: whether the model runs on the GPU.

    Raises:
        ConfigError: COMET is not installed, or the model cannot be loaded.
    """

    def __init__(self, model: str, sources: Sequence[str], references: Sequence[str], on_gpu: bool) -> None:
        try:
            comet = importlib.import_module("comet")
        except ImportError:
            raise ConfigError(f"comet={model} needs COMET: {install_hint('comet')}, or leave comet out") from None
        try:
            path = model if Path(model).expanduser().is_file() else comet.download_model(model)
            self.model = comet.load_from_checkpoint(path)
        except Exception as error:  # the package, the hub and the checkpoint raise many kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ConfigError(f"comet={model} cannot be loaded ({reason}): check its name and the network") from None
        self.name, self.sources, self.references, self.on_gpu = model, sources, references, on_gpu
        self.version = str(getattr(comet, "__version__", "unknown"))
        self._known: dict[tuple[str, ...], list[float]] = {}

    def scores(self, hypotheses: Sequence[str]) -> list[float]:
        """The score of each sentence, usually between 0 and 1."""
        key = tuple(hypotheses)
        if key not in self._known:
            rows = zip(self.sources, hypotheses, self.references, strict=True)
            samples = [{"src": source, "mt": text, "ref": reference} for source, text, reference in rows]
            predicted = self.model.predict(samples, batch_size=BATCH, gpus=int(self.on_gpu), progress_bar=False)
            self._known[key] = [float(score) for score in predicted.scores]
        return self._known[key]


class CometSignature(Signature):
    """Model and version of COMET; scores are multiplied by 100."""

    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__(args)
        self.info |= {"model": args["model"], "scale": 100, "version": args["version"]}


class CometMetric(SacrebleuMetric):
    """Mean COMET over sentences times 100 as a sacreBLEU metric, with the same intervals and tests.

    The resampled statistics are a sum and a count for each sentence.
    """

    _SIGNATURE_TYPE = CometSignature

    def __init__(self, comet: Comet) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.comet, self.model, self.version, self.num_refs = comet, comet.name, comet.version, 1

    def _extract_corpus_statistics(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]] | None
    ) -> list[list[float]]:
        return [[100 * score, 1.0] for score in self.comet.scores(hypotheses)]

    def _aggregate_and_compute(self, stats: Any) -> Score:
        return self._compute_score_from_stats([sum(row[0] for row in stats), sum(row[1] for row in stats)])

    def _compute_score_from_stats(self, stats: Any) -> Score:
        return Score("COMET", float(stats[0]) / float(stats[1]))

    def _preprocess_segment(self, sent: str) -> str:
        return sent

    def _extract_reference_info(self, refs: Sequence[str]) -> dict[str, Any]:
        return {}

    def _compute_segment_statistics(self, hypothesis: str, ref_kwargs: dict[str, Any]) -> list[Any]:
        raise NotImplementedError("sentences are scored together")
