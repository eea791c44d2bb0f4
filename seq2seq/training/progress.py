"""How far a run is: everything beside tensors that training needs to go on as if never stopped."""

import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from seq2seq.data.batch_sampler import Place


class Criterion(StrEnum):
    """What tells a better model on the validation set; equal scores are decided by the loss."""

    loss = "loss"
    bleu = "bleu"
    chrf = "chrf"


class Average(StrEnum):
    """Whose weights are averaged at the end: nobody's, those of the best or of the last validations."""

    none = "none"
    best = "best"
    last = "last"


class Validation(NamedTuple):
    """Outcome of one validation."""

    update: int
    loss: float
    """Cross entropy per target piece, in nats."""
    bleu: float | None
    """Corpus BLEU of greedy translations, detokenised and cased; None for what does not translate."""
    chrf: float | None = None
    """Corpus chrF of them; None where it does not decide."""

    def value(self, criterion: Criterion) -> float:
        """A number that is higher for a better model; the lowest of all where nothing was measured."""
        value = {Criterion.loss: -self.loss, Criterion.bleu: self.bleu, Criterion.chrf: self.chrf}[criterion]
        return -math.inf if value is None or math.isnan(value) else value

    def merit(self, criterion: Criterion) -> tuple[float, float]:
        """What is compared: the value, and where values are equal the loss; higher is better."""
        return self.value(criterion), self.value(Criterion.loss)

    def as_metrics(self) -> dict[str, float]:
        """What a record in metrics.jsonl holds of it."""
        scores = {name: score for name, score in (("bleu", self.bleu), ("chrf", self.chrf)) if score is not None}
        return {"loss": self.loss, "perplexity": perplexity(self.loss), **scores}

    def in_words(self) -> str:
        """The losses, and the scores where there are any."""
        scores = "".join(
            f"  {name} {score:.2f}" for name, score in (("BLEU", self.bleu), ("chrF", self.chrf)) if score is not None
        )
        return f"validation loss {self.loss:.3f}  perplexity {perplexity(self.loss):.2f}{scores}"


@dataclass
class Window:
    """Sums since the last record in metrics.jsonl, and what the last update had."""

    cross_entropy: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0
    gradient_norm: float = 0.0
    loss_scale: float | None = None
    """None where the loss is not scaled."""

    @property
    def loss(self) -> float:
        """Cross entropy per target token, in nats."""
        return self.cross_entropy / self.tokens

    @property
    def speed(self) -> float:
        """Target tokens per second."""
        return self.tokens / self.seconds

    def as_metrics(self) -> dict[str, float]:
        """What a record in metrics.jsonl holds of it."""
        rates = {"learning_rate": self.learning_rate, "gradient_norm": self.gradient_norm}
        scale = {} if self.loss_scale is None else {"loss_scale": self.loss_scale}
        return {"loss": self.loss, **rates, **scale, "tokens_per_second": self.speed}


@dataclass
class Progress:
    """Place in the training: replaced as a whole in every checkpoint."""

    update: int = 0
    place: Place = Place(0, 0)
    validations: list[Validation] = field(default_factory=list)
    window: Window = field(default_factory=Window)
    settled: int = 0
    """The update after which model.safetensors was last chosen between best and average; 0: not yet."""
    model: list[int] = field(default_factory=list)
    """The validated updates of whose weights model.safetensors is the mean; mostly one."""
    average: Validation | None = None
    """Outcome of model.safetensors where it is such a mean; None where it is one checkpoint."""
    records: list[dict[str, Any]] = field(default_factory=list)
    """Those of metrics.jsonl so far."""

    def best(self, criterion: Criterion) -> Validation | None:
        """The best validation so far; of equal scores that of the lowest loss, of equals the earliest."""
        ranked = self.ranked(criterion)
        return ranked[0] if ranked else None

    def best_value(self, criterion: Criterion) -> float:
        """What the best validation is worth: higher is better, whatever the criterion; not a number without any."""
        best = self.best(criterion)
        return math.nan if best is None else best.value(criterion)

    def ranked(self, criterion: Criterion) -> list[Validation]:
        """All validations, best first; of equal scores the lower loss first, of equals the earlier."""

        def place(validation: Validation) -> tuple[float, float, int]:
            value, loss = validation.merit(criterion)
            return -value, -loss, validation.update

        return sorted(self.validations, key=place)

    def improves(self, outcome: Validation, criterion: Criterion) -> bool:
        """Whether a validation is better than the average that is model.safetensors; where it is none, it is."""
        return self.average is None or outcome.merit(criterion) > self.average.merit(criterion)

    def undecided(self, criterion: Criterion) -> str | None:
        """One line where all validations have one score, so that the loss alone chose between them; else None."""
        values = {validation.value(criterion) for validation in self.validations}
        if criterion is Criterion.loss or len(self.validations) < 2 or len(values) > 1:
            return None
        name = {Criterion.bleu: "BLEU", Criterion.chrf: "chrF"}[criterion]
        others = "training.criterion=loss" + (" or chrf" if criterion is Criterion.bleu else "")
        return (
            f"{name} was {values.pop():.2f} at all {len(self.validations)} validations and cannot tell checkpoints "
            f"apart: the loss decided; set {others}, or data.target_language if BLEU cuts words wrongly"
        )

    def averaged(self, average: Average, count: int, criterion: Criterion) -> list[int]:
        """Validated updates whose weights would be averaged if training ended now."""
        if average is Average.none:
            return []
        chosen = self.validations[-count:] if average is Average.last else self.ranked(criterion)[:count]
        return [validation.update for validation in chosen]

    def waited(self, criterion: Criterion) -> int:
        """Validations since the best one."""
        best = self.best(criterion)
        return 0 if best is None else sum(validation.update > best.update for validation in self.validations)

    def drop_partial(self, log_every: int) -> None:
        """Forget the record of a partial window, which a run has written at its end and which now goes on."""
        self.records[:] = [
            record for record in self.records if record["kind"] != "train" or record["update"] % log_every == 0
        ]

    def as_dict(self) -> dict[str, Any]:
        """Numbers and lists only, so that it can be loaded without running code."""
        return asdict(self) | {
            "place": list(self.place),
            "validations": [list(item) for item in self.validations],
            "average": None if self.average is None else list(self.average),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Progress":
        """The inverse of `as_dict`.

        Raises:
            ValueError, LookupError, TypeError, AttributeError: it is none.
        """
        validations = [Validation(*item) for item in values["validations"]]
        window = Window(**values["window"])
        average = None if values.get("average") is None else Validation(*values["average"])
        later = values.get("model", []), average, values.get("records", [])  # which older versions did not save
        found = cls(values["update"], Place(*values["place"]), validations, window, values["settled"], *later)
        found._hold_kinds()
        return found

    def _hold_kinds(self) -> None:
        """Refuse what is no number or no name where one must be."""
        counts = [self.update, *self.place, self.window.tokens, self.settled, *self.model]
        outcomes = [*self.validations, *([] if self.average is None else [self.average])]
        counts += [one.update for one in outcomes] + [record["update"] for record in self.records]
        measures = [self.window.cross_entropy, self.window.seconds]
        measures += [self.window.learning_rate, self.window.gradient_norm]
        measures += [] if self.window.loss_scale is None else [self.window.loss_scale]
        measures += [one.loss for one in outcomes]
        measures += [score for one in outcomes for score in (one.bleu, one.chrf) if score is not None]
        measures += [value for one in self.records for name, value in one.items() if name not in ("kind", "update")]
        names = [name for one in self.records for name in (*one, one["kind"])]
        if not all(type(name) is str for name in names):
            raise ValueError("a name is none")
        if not all(type(count) is int and 0 <= count < 2**53 for count in counts):
            raise ValueError("a count is none")
        if not all(type(value) is float or (type(value) is int and abs(value) < 2**53) for value in measures):
            raise ValueError("a measure is none")


def perplexity(loss: float) -> float:
    """exp(cross entropy per piece); infinity where that overflows."""
    return math.exp(loss) if loss < 700 else math.inf
