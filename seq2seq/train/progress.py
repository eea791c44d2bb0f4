"""How far a run is: everything beside tensors that training needs to go on as if never stopped."""

import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from seq2seq.data.order import Place


class Criterion(StrEnum):
    """What tells a better model on the validation set."""

    loss = "loss"
    bleu = "bleu"


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

    def value(self, criterion: Criterion) -> float:
        """A number that is higher for a better model; the lowest of all where nothing was measured."""
        value = -self.loss if criterion is Criterion.loss else self.bleu
        return -math.inf if value is None or math.isnan(value) else value

    def as_metrics(self) -> dict[str, float]:
        """What a record in metrics.jsonl holds of it."""
        bleu = {} if self.bleu is None else {"bleu": self.bleu}
        return {"loss": self.loss, "perplexity": perplexity(self.loss), **bleu}

    def in_words(self) -> str:
        """The losses, and the score where there is one."""
        score = "" if self.bleu is None else f"  BLEU {self.bleu:.2f}"
        return f"validation loss {self.loss:.3f}  perplexity {perplexity(self.loss):.2f}{score}"


@dataclass
class Window:
    """Sums since the last record in metrics.jsonl, and what the last update had."""

    cross_entropy: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0
    gradient_norm: float = 0.0

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
        return {"loss": self.loss, **rates, "tokens_per_second": self.speed}


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
    records: list[dict[str, Any]] = field(default_factory=list)
    """Those of metrics.jsonl so far."""

    def best(self, criterion: Criterion) -> Validation | None:
        """The best validation so far, the earliest of equals."""
        ranked = self.ranked(criterion)
        return ranked[0] if ranked else None

    def best_value(self, criterion: Criterion) -> float:
        """What the best validation is worth: higher is better, whatever the criterion; not a number without any."""
        best = self.best(criterion)
        return math.nan if best is None else best.value(criterion)

    def ranked(self, criterion: Criterion) -> list[Validation]:
        """All validations, best first, the earlier first among equals."""
        return sorted(self.validations, key=lambda validation: (-validation.value(criterion), validation.update))

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
        return asdict(self) | {"place": list(self.place), "validations": [list(item) for item in self.validations]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Progress":
        """The inverse of `as_dict`.

        Raises:
            ValueError, LookupError, TypeError, AttributeError: it is none.
        """
        validations = [Validation(*item) for item in values["validations"]]
        window = Window(**values["window"])
        later = values.get("model", []), values.get("records", [])  # which older versions did not save
        found = cls(values["update"], Place(*values["place"]), validations, window, values["settled"], *later)
        found._hold_kinds()
        return found

    def _hold_kinds(self) -> None:
        """Refuse what is no number or no name where one must be."""
        counts = [self.update, *self.place, self.window.tokens, self.settled, *self.model]
        counts += [one.update for one in self.validations] + [record["update"] for record in self.records]
        measures = [self.window.cross_entropy, self.window.seconds]
        measures += [self.window.learning_rate, self.window.gradient_norm]
        measures += [one.loss for one in self.validations]
        measures += [one.bleu for one in self.validations if one.bleu is not None]
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
