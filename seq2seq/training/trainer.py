"""The training loop: updates, validations, checkpoints.

The result is a function of config and seed: a run that was killed and restarted ends with the same bits.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import torch

from seq2seq.data.batch import Batch
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.data.prefetch import prefetch
from seq2seq.data.stream import BatchIterator, BatchStream
from seq2seq.model import Network
from seq2seq.model.weights import save_weights, set_weights
from seq2seq.run.metadata import check_metadata
from seq2seq.system.device import resolve_precision
from seq2seq.system.precision import Precision
from seq2seq.system.processes import barrier, is_first, max_over_processes
from seq2seq.training.batch_counts import BatchCounts
from seq2seq.training.checkpoints import Checkpoints, damaged
from seq2seq.training.config import TrainingConfig, seconds_allowed
from seq2seq.training.interrupt import Interrupted, InterruptFlag
from seq2seq.training.log import MetricsLog
from seq2seq.training.loggers import Logger
from seq2seq.training.loss import Objective
from seq2seq.training.loss_scale import LossScale
from seq2seq.training.moving_average import MovingAverage
from seq2seq.training.optimizer import OptimizerConfig
from seq2seq.training.optimizer_state import load_state, optimizer_of, tables_of
from seq2seq.training.progress import Progress, RunningSums, Validation
from seq2seq.training.progress_bar import ProgressBar
from seq2seq.training.samples import Sample
from seq2seq.training.schedule import ScheduleConfig
from seq2seq.training.self_distillation import with_self_distillation
from seq2seq.training.step import MetricSums, UpdateStep

Validate = Callable[[Network, int], Validation]
"""Validates a network after this number of updates."""


class Trainer:
    """Trains a network in a run folder, where the best weights become model.safetensors."""

    def __init__(
        self,
        network: Network,
        stream: BatchStream,
        validate: Validate,
        folder: Path,
        *,
        config: TrainingConfig,
        objective: Objective,
        optimizer: OptimizerConfig,
        schedule: ScheduleConfig,
        seed: int,
        device: torch.device,
        start: Callable[[Network], None] | None = None,
        place: Callable[[int], StreamPosition] | None = None,
        counts: BatchCounts | None = None,
        logger: Logger | None = None,
        samples: Callable[[], Sequence[Sample]] = tuple,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare training, or resume it from the folder's last state.

        Args:
            network: the network.
            stream: yields batches, from a given position on.
            validate: validates the network.
            folder: the run folder.
            config: settings of training.
            objective: what is minimized.
            optimizer: settings of the optimizer.
            schedule: settings of the learning rate.
            seed: seed of everything that is drawn.
            device: where it trains.
            start: sets the initial weights of a new run; not called when a run is resumed.
            place: the position in the stream after a number of updates, of a stream whose epochs depend on the number
                of all updates, which may have changed; None: the saved position.
            counts: how many batches updates take, saved with the progress.
            logger: receives measurements, besides metrics.jsonl.
            samples: returns translations of the last validation.
            metadata: of the weights, written into each file of them.

        Raises:
            RunError: the training state in the folder cannot be used, or belongs to other tokenizers or settings.
        """
        self.network = network.to(device)
        self.stream = stream
        self.validate = validate
        self.folder = folder
        self.model_path = folder / "model.safetensors"
        self.config = config
        self.optimizer_config = optimizer
        self.optimizer = optimizer_of(network, optimizer)
        self.schedule = schedule
        self.device = device
        self.logger = logger
        self.samples = samples
        self.metadata = dict(metadata or {})
        self.checkpoints = Checkpoints(folder / "checkpoints", network, self.metadata)
        self.saved_at = time.perf_counter()
        state = self.checkpoints.load_state()
        if state is None and start is not None:
            start(self.network)
        self.average = None if config.ema is None else MovingAverage(self.network, config.ema)
        objective = with_self_distillation(objective, self.average, config)
        loss_scale = LossScale(resolve_precision(config.precision, device) is Precision.float16, device)
        self.step = UpdateStep(self.network, objective, self.optimizer, loss_scale, clip=config.clip, seed=seed)
        self.progress = Progress() if state is None else self._resume(state)
        if place is not None:
            self.progress.place = place(self.progress.update)
        if counts is not None:
            self.progress.batches_per_update = [*counts.changes]

    def fit(self) -> Progress:
        """Train to the end and write model.safetensors: the best weights, or their average if that is better.

        Raises:
            Interrupted: Ctrl-C, SIGTERM, or training.time is over; the state is saved, and the same command resumes.
            RunError: the loss or its gradient is not finite. No state with such values is saved.
        """
        if not self.finished():
            self.progress.drop_partial(self.config.log_every)
        with (
            MetricsLog(self.folder, self.progress, self.logger) as log,
            InterruptFlag(seconds_allowed(self.config, self.progress.update)) as interrupt,
            self._progress_bar() as bar,
            closing(self._batches()) as batches,
        ):
            while not self.finished():
                self._train_until_log(batches, interrupt, bar, log)
                if self.progress.update % self.config.validate_every == 0 or self.finished():
                    self._validate(bar, log)
                elif self._save_due():
                    self._save_last()
                self._stop_if_interrupted(interrupt)
            if not self._validated():  # a run that was stopped, then resumed with fewer updates
                self._validate(bar, log)
            self._select_final_weights(bar)
            log.best(self.progress.selected(self.config.criterion).scores())
            self._stop_if_interrupted(interrupt)
        return self.progress

    def _progress_bar(self) -> ProgressBar:
        config = self.config
        return ProgressBar(self.progress.update, config.updates, config.smaller, config.validate_every)

    def finished(self) -> bool:
        """Whether all updates are done or patience is exhausted."""
        patience = self.config.patience
        without_best = min(
            self.progress.validations_since_best(self.config.criterion),
            self.progress.validations_after(self.config.updates_before_patience),
        )
        return self.progress.update >= self.config.updates or (patience is not None and without_best >= patience)

    def _validated(self) -> bool:
        """Whether the current weights have been validated."""
        return self.progress.update in (validation.update for validation in self.progress.validations[-1:])

    def _save_due(self) -> bool:
        """Whether the last state is older than ``save_minutes`` in any process."""
        minutes = self.config.save_minutes
        return minutes is not None and bool(max_over_processes(time.perf_counter() - self.saved_at >= 60 * minutes))

    def _stop_if_interrupted(self, interrupt: InterruptFlag) -> None:
        number = interrupt.received()
        if number is not None:
            self._save_last()
            late = f": training.time={self.config.time} is over" if interrupt.time_is_over() else ""
            message = f"stopped at update {self.progress.update:,} and saved{late}; rerun the same command to resume"
            if not self.progress.validations:
                first = min(self.config.validate_every, self.config.updates)
                message += f" (there is no model before the first validation, at update {first:,})"
            raise Interrupted(message, number)

    def _batches(self) -> Generator[tuple[Batch, StreamPosition]]:
        """The batches from the current position on, on the device; for a GPU, a thread prepares them."""
        moved = ((batch.to(self.device), place) for batch, place in self.stream(self.progress.place))
        # On a CPU, making a batch takes 0.2 % of an update; a thread would compete for the same cores.
        return moved if self.device.type == "cpu" else prefetch(moved)

    def _train_until_log(
        self, batches: BatchIterator, interrupt: InterruptFlag, bar: ProgressBar, log: MetricsLog
    ) -> None:
        """Make updates until the next record or validation, the end or a signal, without waiting for the device."""
        progress, window, started = self.progress, self.progress.window, time.perf_counter()
        first, sums = progress.update + 1, MetricSums(window.cross_entropy, self.device)
        stops = (self.config.updates, self.config.log_every, self.config.validate_every)
        while True:
            learning_rate = self._update(batches, sums)
            bar.step()
            if interrupt.received() is not None or any(progress.update % every == 0 for every in stops):
                break
        window.cross_entropy, window.gradient_norm = sums.read(range(first, progress.update + 1), window.tokens)
        window.seconds, window.learning_rate = window.seconds + time.perf_counter() - started, learning_rate
        window.loss_scale = float(self.step.loss_scale.scale) if self.step.loss_scale.enabled else None
        bar.show(window.loss, learning_rate, window.speed)
        if progress.update % self.config.log_every == 0:
            self._record(log)
            progress.window = RunningSums()

    def _record(self, log: MetricsLog) -> None:
        progress = self.progress
        log.write("train", progress.update, {"epoch": progress.place.epoch, **progress.window.as_metrics()})

    def _update(self, batches: BatchIterator, sums: MetricSums) -> float:
        """Make one update from ``accumulate`` batches of each process; returns its learning rate."""
        number = self.progress.update + 1
        accumulated = [next(batches) for _ in range(self.config.accumulate)]
        learning_rate = self._set_learning_rate(number)
        tokens, cross_entropy, norm = self.step([batch for batch, _ in accumulated], number)
        sums.add(cross_entropy, norm)
        if self.average is not None:
            self.average.update(number)
        self.progress.update, self.progress.place = number, accumulated[-1][1]
        self.progress.window.tokens += tokens
        return learning_rate

    def _set_learning_rate(self, number: int) -> float:
        losses = self.progress.losses_after(self.config.updates_before_patience)
        factor = self.schedule.factor(number, self.config.updates, losses)
        learning_rate = self.optimizer_config.learning_rate * factor
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        return learning_rate

    def _validate(self, bar: ProgressBar, log: MetricsLog) -> None:
        """Validate, keep a checkpoint, and save the best weights as model.safetensors."""
        self.network.eval()
        with bar.validating(), nullcontext() if self.average is None else self.average.applied():
            validation = self.validate(self.network, self.progress.update)
            self.progress.validations.append(validation)
            log.write("validation", validation.update, validation.as_metrics())
            best = self.progress.best(self.config.criterion) == validation
            chosen = best and self.progress.improves(validation, self.config.criterion)
            remark = self.progress.remark(self.config.criterion) if best else ""
            bar.say(f"update {validation.update:>6,}  {validation.in_words()}{remark}")
            self._report_samples(bar, log)
            if is_first():
                self.checkpoints.save(self.network, validation.update)
                if chosen:
                    save_weights(self.network, self.model_path, self.metadata)
        if chosen:
            self.progress.model, self.progress.average = [validation.update], None
        if self.finished() and self.progress.window.tokens:
            self._record(log)  # the window stays: a run that is extended continues it
        self._save_last()

    def _report_samples(self, bar: ProgressBar, log: MetricsLog) -> None:
        samples = self.samples()
        if samples:
            bar.say("\n".join(line for sample in samples for line in sample.lines()))
        log.samples(samples)

    def _averaged(self) -> list[int]:
        """Updates whose weights would be averaged if training ended now."""
        return self.progress.averaged(self.config.average, self.config.average_count, self.config.criterion)

    def _select_final_weights(self, bar: ProgressBar) -> None:
        """Make model.safetensors the best weights or the average, whichever is better on the validation set.

        An average that was selected before the run was extended stays until something is better.
        """
        if line := self.progress.undecided(self.config.criterion):
            bar.say(line)
        updates, criterion = self._averaged(), self.config.criterion
        [best, *_] = self.progress.ranked(criterion)
        if updates in ([], [best.update]) or self.progress.settled == self.progress.update:
            return
        average, before = self._validate_average(updates), self.progress.average
        better = average.merit(criterion) > best.merit(criterion) and self.progress.improves(average, criterion)
        if better:
            self.progress.model, self.progress.average = updates, average
        elif before is None:
            self.progress.model = [best.update]
        chosen = "this average" if better else "the best single checkpoint" if before is None else "the average before"
        count = f"average of {len(updates)} checkpoints" if len(updates) > 1 else "last checkpoint"
        bar.say(f"{count}: {average.in_words()}; model.safetensors is {chosen}")
        self.progress.settled = self.progress.update
        if is_first():
            self.checkpoints.put(self.progress.model, self.model_path)
        self._save_last()

    def _validate_average(self, updates: list[int]) -> Validation:
        """Validate the average of the checkpoints of these updates; a single one has been validated already."""
        known = {validation.update: validation for validation in self.progress.validations}
        if len(updates) == 1:
            return known[updates[0]]
        trained = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        set_weights(self.network, self.checkpoints.average(updates), self.checkpoints.folder)
        outcome = self.validate(self.network.eval(), self.progress.update)
        self.network.load_state_dict(trained)
        return outcome

    def _save_last(self) -> None:
        """Save the training state. No process continues before the first has written it."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": self.progress.as_dict(),
            "metadata": self.metadata,
        }
        if self.average is not None:
            state["average"] = self.average.weights
        if self.step.loss_scale.enabled:
            state["loss_scale"] = self.step.loss_scale.state_dict()
        if is_first():
            best = self.progress.ranked(self.config.criterion)[:1]
            needed = {*self._averaged(), *self.progress.model, *(validation.update for validation in best)}
            self.checkpoints.save_state(state, needed)
        barrier()
        self.saved_at = time.perf_counter()

    def _resume(self, state: dict[str, Any]) -> Progress:
        """Resume from a training state.

        Raises:
            RunError: it is damaged, or of another network, tokenizer or optimizer.
        """
        try:
            check_metadata(dict(state.get("metadata", {})), self.metadata, self.checkpoints.last, self.folder)
            self.network.load_state_dict(state["network"])
            load_state(self.optimizer, self.optimizer_config, state["optimizer"], tables_of(self.network))
            if self.average is not None:
                self.average.load(state["average"])
            if self.step.loss_scale.enabled and "loss_scale" in state:  # else it was trained in another precision
                self.step.loss_scale.load_state_dict(state["loss_scale"])
            progress = Progress.from_dict(state["progress"])
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise damaged(self.checkpoints.last, type(error).__name__) from None
        if progress.model and is_first():  # the file may be damaged, or of updates after this state
            self.checkpoints.put(progress.model, self.model_path)
        return progress
