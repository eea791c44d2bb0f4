"""Progress of a run: everything except tensors that exact resuming needs."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.training.batch_counts import BatchCounts
from seq2seq.training.config import Average, Criterion


class Validation(NamedTuple):
    """Result of one validation."""

    update: int
    loss: float
    """Cross entropy per target token, in nats."""
    bleu: float | None
    """Corpus BLEU of greedy translations, detokenized and cased; None for language models."""
    chrf: float | None = None
    """Corpus chrF of them; None if it is not the criterion."""

    def value(self, criterion: Criterion) -> float:
        """A number that is higher for a better model; minus infinity if it was not measured."""
        value = {Criterion.loss: -self.loss, Criterion.bleu: self.bleu, Criterion.chrf: self.chrf}[criterion]
        return -math.inf if value is None or math.isnan(value) else value

    def merit(self, criterion: Criterion) -> tuple[float, float]:
        """The key for comparisons, higher is better: the value, then the loss."""
        return self.value(criterion), self.value(Criterion.loss)

    def scores(self) -> dict[str, float]:
        """What was measured, by name: loss, bleu, chrf."""
        scores = {name: score for name, score in (("bleu", self.bleu), ("chrf", self.chrf)) if score is not None}
        return {"loss": self.loss, **scores}

    def as_metrics(self) -> dict[str, float]:
        """The values for a record in metrics.jsonl."""
        return {"loss": self.loss, "perplexity": perplexity(self.loss), **self.scores()}

    def in_words(self) -> str:
        """Loss, perplexity and scores in one line."""
        scores = "".join(
            f"  {name} {score:.2f}" for name, score in (("BLEU", self.bleu), ("chrF", self.chrf)) if score is not None
        )
        return f"validation loss {self.loss:.3f}  perplexity {perplexity(self.loss):.2f}{scores}"


@dataclass
class RunningSums:
    """Sums since the last record in metrics.jsonl, and values of the last update."""

    cross_entropy: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0
    gradient_norm: float = 0.0
    loss_scale: float | None = None
    """None if the loss is not scaled."""

    @property
    def loss(self) -> float:
        """Cross entropy per target token, in nats."""
        return self.cross_entropy / self.tokens

    @property
    def speed(self) -> float:
        """Target tokens per second."""
        return self.tokens / self.seconds

    def as_metrics(self) -> dict[str, float]:
        """The values for a record in metrics.jsonl."""
        rates = {"learning_rate": self.learning_rate, "gradient_norm": self.gradient_norm}
        scale = {} if self.loss_scale is None else {"loss_scale": self.loss_scale}
        return {"loss": self.loss, **rates, **scale, "tokens_per_second": self.speed}


@dataclass
class Progress:
    """Position and history of a run, part of every training state."""

    update: int = 0
    place: StreamPosition = StreamPosition(0, 0)
    validations: list[Validation] = field(default_factory=list)
    window: RunningSums = field(default_factory=RunningSums)
    settled: int = 0
    """The update after which the final weights were last selected; 0: not yet."""
    model: list[int] = field(default_factory=list)
    """The updates whose weights are averaged in model.safetensors; usually one."""
    average: Validation | None = None
    """Validation of model.safetensors if it is an average; None if it is one checkpoint."""
    records: list[dict[str, Any]] = field(default_factory=list)
    """The records of metrics.jsonl."""
    batches_per_update: list[tuple[int, int]] = field(default_factory=list)
    """`BatchCounts.changes`; empty if the state is from before they were saved."""

    def batch_counts(self, count: int) -> BatchCounts:
        """How many batches updates have taken; ``count`` each if that was not saved."""
        return BatchCounts(tuple(self.batches_per_update) or ((0, count),))

    def best(self, criterion: Criterion) -> Validation | None:
        """The best validation so far: highest score, then lowest loss, then earliest."""
        ranked = self.ranked(criterion)
        return ranked[0] if ranked else None

    def best_value(self, criterion: Criterion) -> float:
        """The value of the best validation, higher is better for every criterion; NaN without validations."""
        best = self.best(criterion)
        return math.nan if best is None else best.value(criterion)

    def ranked(self, criterion: Criterion) -> list[Validation]:
        """All validations, best first: by score, then loss, then update."""

        def key(validation: Validation) -> tuple[float, float, int]:
            value, loss = validation.merit(criterion)
            return -value, -loss, validation.update

        return sorted(self.validations, key=key)

    def improves(self, validation: Validation, criterion: Criterion) -> bool:
        """Whether a validation is better than model.safetensors; True unless that is an average."""
        return self.average is None or validation.merit(criterion) > self.average.merit(criterion)

    def selected(self, criterion: Criterion) -> Validation:
        """The validation of model.safetensors: of its average, or the best one.

        Raises:
            ValueError: there is no validation.
        """
        best = self.average or self.best(criterion)
        if best is None:
            raise ValueError("nothing has been validated")
        return best

    def remark(self, criterion: Criterion) -> str:
        """A remark on the best validation: that it is the best, and that it is so by the loss if scores are equal."""
        values = [validation.value(criterion) for validation in self.ranked(criterion)]
        name = {Criterion.bleu: "BLEU", Criterion.chrf: "chrF"}.get(criterion)
        if name and values[0] == 0:
            return f"  (best by the loss: {name} is still 0.00)"
        return "  (best by the loss: equal scores)" if name and values[:1] == values[1:2] else "  (best)"

    def undecided(self, criterion: Criterion) -> str | None:
        """A warning if all validations have the same score, so that the loss selected the best; else None."""
        values = {validation.value(criterion) for validation in self.validations}
        if criterion is Criterion.loss or len(self.validations) < 2 or len(values) > 1:
            return None
        name = {Criterion.bleu: "BLEU", Criterion.chrf: "chrF"}[criterion]
        others = "training.criterion=loss"
        if criterion is Criterion.bleu:
            others += " or chrf, or data.target_language if BLEU tokenizes wrongly"
        return (
            f"{name} was {values.pop():.2f} at all {len(self.validations)} validations, so the loss selected the best "
            f"checkpoint: set {others}"
        )

    def averaged(self, average: Average, count: int, criterion: Criterion) -> list[int]:
        """Updates whose weights would be averaged if training ended now."""
        if average is Average.none:
            return []
        selected = self.validations[-count:] if average is Average.last else self.ranked(criterion)[:count]
        return [validation.update for validation in selected]

    def validations_since_best(self, criterion: Criterion) -> int:
        """Validations since the best one."""
        best = self.best(criterion)
        return 0 if best is None else self.validations_after(best.update)

    def validations_after(self, update: int) -> int:
        """Number of validations after this update."""
        return sum(validation.update > update for validation in self.validations)

    def losses_after(self, update: int) -> list[float]:
        """Losses of the validations after this update, preceded by the lowest loss until then, if there is one."""
        until = [validation.loss for validation in self.validations if validation.update <= update]
        return [*sorted(until)[:1], *(validation.loss for validation in self.validations if validation.update > update)]

    def drop_partial(self, log_every: int) -> None:
        """Remove the record of an incomplete window, which was written at the end of a run that now continues."""
        self.records[:] = [
            record for record in self.records if record["kind"] != "train" or record["update"] % log_every == 0
        ]

    def as_dict(self) -> dict[str, Any]:
        """Convert to numbers and lists, so that loading executes nothing."""
        return asdict(self) | {
            "place": list(self.place),
            "batches_per_update": [list(change) for change in self.batches_per_update],
            "validations": [list(item) for item in self.validations],
            "average": None if self.average is None else list(self.average),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Progress":
        """The inverse of `as_dict`.

        Raises:
            ValueError, LookupError, TypeError, AttributeError: the values are not from `as_dict`.
        """
        validations = [Validation(*item) for item in values["validations"]]
        window = RunningSums(**values["window"])
        average = None if values.get("average") is None else Validation(*values["average"])
        counts = [(update, count) for update, count in values.get("batches_per_update", [])]
        newer = values.get("model", []), average, values.get("records", []), counts  # older versions lack these
        position = StreamPosition(*values["place"])
        progress = cls(values["update"], position, validations, window, values["settled"], *newer)
        progress._check_types()
        return progress

    @classmethod
    def saved(cls, values: dict[str, Any] | None) -> "Progress":
        """As `from_dict`; that of a new run if there are no values, or the trainer will refuse them."""
        try:
            return cls() if values is None else cls.from_dict(values)
        except (ValueError, LookupError, TypeError, AttributeError):
            return cls()

    def _check_types(self) -> None:
        """Check that all counts, measurements and names have their types.

        Raises:
            ValueError: one has not.
        """
        counts = [self.update, *self.place, self.window.tokens, self.settled, *self.model]
        validations = [*self.validations, *([] if self.average is None else [self.average])]
        counts += [validation.update for validation in validations] + [record["update"] for record in self.records]
        measures = [self.window.cross_entropy, self.window.seconds]
        measures += [self.window.learning_rate, self.window.gradient_norm]
        measures += [] if self.window.loss_scale is None else [self.window.loss_scale]
        measures += [validation.loss for validation in validations]
        measures += [score for item in validations for score in (item.bleu, item.chrf) if score is not None]
        measures += [
            value for record in self.records for name, value in record.items() if name not in ("kind", "update")
        ]
        names = [name for record in self.records for name in (*record, record["kind"])]
        if not all(type(name) is str for name in names):
            raise ValueError("a name is not a string")
        if not all(type(count) is int and 0 <= count < 2**53 for count in counts):
            raise ValueError("a count is not an integer")
        BatchCounts(tuple(self.batches_per_update)).check()
        if not all(type(value) is float or (type(value) is int and abs(value) < 2**53) for value in measures):
            raise ValueError("a measurement is not a number")


def perplexity(loss: float) -> float:
    """exp(cross entropy per token); infinity if that overflows."""
    return math.exp(loss) if loss < 700 else math.inf
