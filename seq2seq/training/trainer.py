"""The trainer: updates, validations, checkpoints. A function of (config, seed): killed and restarted, it ends alike."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.data.batch_sampler import Place
from seq2seq.data.prefetch import ahead
from seq2seq.data.stream import Batches, BatchStream
from seq2seq.model import Network
from seq2seq.model.weights import save_weights, set_weights
from seq2seq.system.device import Precision, resolve_precision
from seq2seq.system.processes import is_first, largest, total, wait
from seq2seq.training.checkpoints import Checkpoints, damaged
from seq2seq.training.config import TrainingConfig
from seq2seq.training.interrupt import Interrupted, InterruptFlag
from seq2seq.training.learner import Learner
from seq2seq.training.log import MetricsLog, ProgressBar
from seq2seq.training.loss import Objective
from seq2seq.training.loss_scale import LossScale
from seq2seq.training.moving_average import MovingAverage
from seq2seq.training.optimizer import OptimizerConfig, load_state, optimizer_of, tables_of
from seq2seq.training.progress import Progress, Validation, Window
from seq2seq.training.schedule import ScheduleConfig
from seq2seq.training.tally import Tally

Validate = Callable[[Network, int], Validation]
"""Loss and BLEU of a network after so many updates."""


class Trainer:
    """Trains a network in its run folder and leaves the best weights there as model.safetensors."""

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
    ) -> None:
        """``start`` sets the weights that a new run begins with; one that goes on has its own and does not call it."""
        self.network = network.to(device)
        self.stream = stream
        self.validate = validate
        self.folder = folder
        self.model_path = folder / "model.safetensors"
        self.config = config
        self.learner = Learner(self.network, objective, seed)
        self.optimizer_config = optimizer
        self.optimizer = optimizer_of(network, optimizer)
        self.loss_scale = LossScale(resolve_precision(config.precision, device) is Precision.float16, device)
        self.schedule = schedule
        self.device = device
        self.checkpoints = Checkpoints(folder / "checkpoints", network)
        self.saved_at = time.perf_counter()
        state = self.checkpoints.load_state()
        if state is None and start is not None:
            start(self.network)
        self.average = None if config.ema is None else MovingAverage(self.network, config.ema)
        self.progress = Progress() if state is None else self._resume(state)

    def fit(self) -> Progress:
        """Train to the end and write model.safetensors: the best weights, or their average where that is better.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; the state is saved, the same command goes on.
            RunError: the loss or its gradient is not finite; noticed before anything that came of it is saved.
        """
        if not self.finished():
            self.progress.drop_partial(self.config.log_every)
        with (
            MetricsLog(self.folder, self.progress) as log,
            InterruptFlag() as interrupt,
            ProgressBar(self.progress.update, self.config.updates, self.config.smaller) as bar,
            closing(self._batches()) as batches,
        ):
            while not self.finished():
                self._stretch(batches, interrupt, bar, log)
                if self.progress.update % self.config.validate_every == 0 or self.finished():
                    self._validate(bar, log)
                elif self._save_due():
                    self._save_last()
                self._stop_if_asked(interrupt)
            if not self._validated():  # it was stopped, and is now to be no longer than it is
                self._validate(bar, log)
            self._settle(bar)
            self._stop_if_asked(interrupt)
        return self.progress

    def finished(self) -> bool:
        """True when all updates are done or patience has run out."""
        patience = self.config.patience
        waited = self.progress.waited(self.config.criterion)
        return self.progress.update >= self.config.updates or (patience is not None and waited >= patience)

    def _validated(self) -> bool:
        """True where the weights as they stand have been validated; the last update need not be a multiple."""
        return self.progress.update in (validation.update for validation in self.progress.validations[-1:])

    def _save_due(self) -> bool:
        """True where so long has passed since the last state was saved, for one of the processes at least."""
        minutes = self.config.save_minutes
        return minutes is not None and bool(largest(time.perf_counter() - self.saved_at >= 60 * minutes))

    def _stop_if_asked(self, interrupt: InterruptFlag) -> None:
        number = interrupt.asked()
        if number is not None:
            self._save_last()
            message = f"stopped at update {self.progress.update:,} and saved; the same command goes on from there"
            raise Interrupted(message, number)

    def _batches(self) -> Generator[tuple[Batch, Place]]:
        """The stream from where the run stands, on the device, and prepared ahead where that is not the CPU."""
        moved = ((batch.to(self.device), place) for batch, place in self.stream(self.progress.place))
        # Making a batch takes a CPU 0.2 % of an update; a thread for it takes turns with the update on the same cores.
        return moved if self.device.type == "cpu" else ahead(moved)

    def _stretch(self, batches: Batches, interrupt: InterruptFlag, bar: ProgressBar, log: MetricsLog) -> None:
        """Updates up to the next record or validation, the end or a signal; the host waits for no device on the way."""
        progress, window, started = self.progress, self.progress.window, time.perf_counter()
        first, tally = progress.update + 1, Tally(window.cross_entropy, self.device)
        stops = (self.config.updates, self.config.log_every, self.config.validate_every)
        while True:
            learning_rate = self._update(batches, tally)
            bar.step()
            if interrupt.asked() is not None or any(progress.update % every == 0 for every in stops):
                break
        window.cross_entropy, window.gradient_norm = tally.look(range(first, progress.update + 1), window.tokens)
        window.seconds, window.learning_rate = window.seconds + time.perf_counter() - started, learning_rate
        window.loss_scale = float(self.loss_scale.scale) if self.loss_scale.enabled else None
        bar.show(window.loss, learning_rate, window.speed)
        if progress.update % self.config.log_every == 0:
            self._record(log)
            progress.window = Window()

    def _record(self, log: MetricsLog) -> None:
        progress = self.progress
        log.write("train", progress.update, {"epoch": progress.place.epoch, **progress.window.as_metrics()})

    def _update(self, batches: Batches, tally: Tally) -> float:
        """One update of the weights from ``accumulate`` batches of each process; its learning rate."""
        number = self.progress.update + 1
        taken = [next(batches) for _ in range(self.config.accumulate)]
        tokens = total(sum(batch.labels_P.numel() for batch, _ in taken))
        learning_rate = self._set_learning_rate(number)
        cross_entropy, norm = self._gradients([batch for batch, _ in taken], tokens)
        tally.add(cross_entropy, self.loss_scale.step(self.optimizer, norm))
        if self.average is not None:
            self.average.update(number)
        self.progress.update, self.progress.place = number, taken[-1][1]
        self.progress.window.tokens += tokens
        return learning_rate

    def _gradients(self, batches: list[Batch], tokens: int) -> tuple[Tensor, Tensor]:
        """Leave clipped gradients of the mean loss over ``tokens`` in the network; summed cross entropy and norm."""
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        cross_entropy = self.learner(batches, tokens, self.progress.update + 1, self.loss_scale.scale)
        self.loss_scale.unscale(self.network.parameters())
        limit = math.inf if self.config.clip is None else self.config.clip
        return cross_entropy, torch.nn.utils.clip_grad_norm_(self.network.parameters(), limit)

    def _set_learning_rate(self, number: int) -> float:
        losses = [validation.loss for validation in self.progress.validations]
        factor = self.schedule.factor(number, self.config.updates, losses)
        learning_rate = self.optimizer_config.learning_rate * factor
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        return learning_rate

    def _validate(self, bar: ProgressBar, log: MetricsLog) -> None:
        """Validate, keep the weights if they may be needed again, save the best as model.safetensors."""
        self.network.eval()
        with nullcontext() if self.average is None else self.average.applied():
            outcome = self.validate(self.network, self.progress.update)
            self.progress.validations.append(outcome)
            log.write("validation", outcome.update, outcome.as_metrics())
            best = self.progress.best(self.config.criterion) == outcome
            chosen = best and self.progress.improves(outcome, self.config.criterion)
            bar.say(f"update {outcome.update:>6,}  {outcome.in_words()}{'  (best)' if best else ''}")
            if is_first():
                self.checkpoints.save(self.network, outcome.update)
                if chosen:
                    save_weights(self.network, self.model_path)
        if chosen:
            self.progress.model, self.progress.average = [outcome.update], None
        if self.finished() and self.progress.window.tokens:
            self._record(log)  # the window stays as it is: a run that is made longer goes on in it
        self._save_last()

    def _averaged(self) -> list[int]:
        """Updates whose weights would be averaged if training ended now."""
        return self.progress.averaged(self.config.average, self.config.average_count, self.config.criterion)

    def _settle(self, bar: ProgressBar) -> None:
        """Choose for model.safetensors between best weights and average: whichever the validation set likes better.

        An average that was chosen before the run was extended stays until something is better.
        """
        if line := self.progress.undecided(self.config.criterion):
            bar.say(line)
        updates, criterion = self._averaged(), self.config.criterion
        [best, *_] = self.progress.ranked(criterion)
        if updates in ([], [best.update]) or self.progress.settled == self.progress.update:
            return
        outcome, before = self._outcome(updates), self.progress.average
        better = outcome.merit(criterion) > best.merit(criterion) and self.progress.improves(outcome, criterion)
        if better:
            self.progress.model, self.progress.average = updates, outcome
        elif before is None:
            self.progress.model = [best.update]
        chosen = "this average" if better else "the best single checkpoint" if before is None else "the average before"
        count = f"average of {len(updates)} checkpoints" if len(updates) > 1 else "last checkpoint"
        bar.say(f"{count}: {outcome.in_words()}; model.safetensors is {chosen}")
        self.progress.settled = self.progress.update
        if is_first():
            self.checkpoints.put(self.progress.model, self.model_path)
        self._save_last()

    def _outcome(self, updates: list[int]) -> Validation:
        """Validation of the mean of the weights kept after these updates; of one it is known."""
        known = {validation.update: validation for validation in self.progress.validations}
        if len(updates) == 1:
            return known[updates[0]]
        trained = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        set_weights(self.network, self.checkpoints.average(updates), self.checkpoints.folder)
        outcome = self.validate(self.network.eval(), self.progress.update)
        self.network.load_state_dict(trained)
        return outcome

    def _save_last(self) -> None:
        """Keep the training state; once any process goes on from here, the first has written all that it had to."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": self.progress.as_dict(),
        }
        if self.average is not None:
            state["average"] = self.average.weights
        if self.loss_scale.enabled:
            state["loss_scale"] = self.loss_scale.state_dict()
        if is_first():
            best = self.progress.ranked(self.config.criterion)[:1]
            needed = {*self._averaged(), *self.progress.model, *(validation.update for validation in best)}
            self.checkpoints.save_state(state, needed)
        wait()
        self.saved_at = time.perf_counter()

    def _resume(self, state: dict[str, Any]) -> Progress:
        """Go on from the last training state.

        Raises:
            RunError: it is damaged, or of another network or optimiser.
        """
        try:
            self.network.load_state_dict(state["network"])
            load_state(self.optimizer, self.optimizer_config, state["optimizer"], tables_of(self.network))
            if self.average is not None:
                self.average.load(state["average"])
            if self.loss_scale.enabled and "loss_scale" in state:  # else it was trained in another precision
                self.loss_scale.load_state_dict(state["loss_scale"])
            progress = Progress.from_dict(state["progress"])
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise damaged(self.checkpoints.last, type(error).__name__) from None
        if progress.model and is_first():  # the file may be damaged, or of updates that are lost
            self.checkpoints.put(progress.model, self.model_path)
        return progress
