"""Where the host waits for a GPU, counted without one: ``python -m seq2seq.benchmark.host_waits``.

An update and a search run on PyTorch's meta device, whose tensors have shapes and no numbers. It stands for a GPU:
operations refuse tensors of two devices, and whatever needs a number of the device is seen. Beside each tensor of a
search stands a tensor on the host with its numbers, so that a search reads what a GPU would have told it.

A wait is a copy from the device, a copy to it that is not asynchronous, or an operation whose result has a shape that
only its numbers tell (`Tensor.nonzero`).
"""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from seq2seq.data.batch import make_batch, source_tensors
from seq2seq.inference import InferencePrecision, NetworkStepper, PreparedDecoder
from seq2seq.model import (
    AttentionKind,
    AttentionOrder,
    BridgeKind,
    DecoderConfig,
    Direction,
    EncoderConfig,
    ModelConfig,
    Network,
    Summary,
    Tying,
)
from seq2seq.model.choices import CellKind, Readout
from seq2seq.search import CallbackStepper, Method, SearchConfig, Stepper, ensemble, fusion, search
from seq2seq.system.device import Precision
from seq2seq.system.transfer import to_device
from seq2seq.training import SGD
from seq2seq.training.consistency import Consistency
from seq2seq.training.learner import Learner
from seq2seq.training.loss import Objective
from seq2seq.training.moving_average import MovingAverage
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.optimizer import Muon, OptimizerConfig, optimizer_of
from seq2seq.training.scheduled_sampling import Passes, ScheduledSampling, ScheduledSamplingConfig
from seq2seq.training.tally import Tally

META, CPU = torch.device("meta"), torch.device("cpu")

BOS, EOS, VOCABULARY = 1, 2, 12
"""Pieces of the sentences that are made up here; 0 pads."""

SENTENCES = [[5, 7], [8, 6], [3]]
"""Of unequal lengths: some are padded, and leave a search before others."""

aten = torch.ops.aten
Function = Callable[..., Any]


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While this is open, lists the operations for which the host waits for the meta device.

    Without ``numbers``, what the host reads is zeros.
    """

    def __init__(self, *, numbers: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []
        self._with_numbers = numbers
        self._numbers = WeakTensorKeyDictionary()
        self._of_memory: dict[int, tuple[torch.UntypedStorage, Tensor]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keeps PyTorch from loading its compiler for this, which takes seconds."""
        return False

    def hold(self, tensor: Tensor, numbers: Tensor) -> None:
        """Give a tensor of the meta device the numbers of one on the host."""
        memory = tensor.untyped_storage()
        self._numbers[tensor] = numbers
        self._of_memory[memory._cdata] = memory, numbers  # as long as it is held, its number is not another's

    def numbers(self, tensor: Tensor) -> Tensor | None:
        """Those of a tensor of the meta device; None where it has none."""
        found: Tensor | None = self._numbers.get(tensor)  # type: ignore[no-untyped-call]
        if found is None:  # a new `Parameter` is another tensor in the same memory
            _, found = self._of_memory.get(tensor.untyped_storage()._cdata, (None, None))
        return found if found is not None and found.shape == tensor.shape else None

    def __enter__(self) -> "Waits":
        self._lists = _ListsAreCopied()
        super().__enter__()  # type: ignore[no-untyped-call]
        self._lists.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        self._lists.__exit__(*error)  # type: ignore[no-untyped-call]
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, operation: Any, types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation on the numbers of its tensors, where all have some, or else on the meta device alone."""
        kwargs = kwargs or {}
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        there = [one for one in tensors if one.is_meta]
        if _waits(operation, args, kwargs, tensors):
            self.found.append(operation.name())
        known = self._with_numbers and all(self.numbers(one) is not None for one in there)
        on_host: Any = operation(*tree_map(self._on_host, args), **tree_map(self._on_host, kwargs)) if known else None
        if operation is aten._local_scalar_dense.default and there:
            return on_host if known else 0
        if operation is aten._to_copy.default and there and _target(args, kwargs) == CPU:
            return on_host if known else torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if known and there and not (operation.is_view or operation._schema.is_mutable):
            result = tree_map(_on_meta, on_host)
        else:
            result = operation(*args, **kwargs)
        for one, numbers in zip(tree_leaves(result), tree_leaves(on_host) if known else (), strict=False):
            if _is_meta(one):
                self.hold(one, numbers)
        return result

    def _on_host(self, argument: Any) -> Any:
        if _is_meta(argument):
            return self.numbers(argument)
        return CPU if isinstance(argument, torch.device) and argument == META else argument


class _ListsAreCopied(TorchFunctionMode):
    """Makes `torch.tensor` on the meta device what it is on a GPU: a tensor on the host, and a copy that waits."""

    def __torch_function__(
        self, function: Function, types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Whatever it is."""
        kwargs = kwargs or {}
        if function in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or CPU) == META:
            return function(*args, **{**kwargs, "device": CPU}).to(META)
        return function(*args, **kwargs)


def _is_meta(argument: Any) -> bool:
    return isinstance(argument, Tensor) and argument.is_meta


def _target(args: Any, kwargs: dict[str, Any]) -> torch.device:
    """The device that `aten._to_copy` copies to."""
    return torch.device(kwargs.get("device") or args[0].device)


def _on_meta(result: Any) -> Any:
    return torch.empty_like(result, device=META) if isinstance(result, Tensor) else result


def _waits(operation: Any, args: Any, kwargs: dict[str, Any], tensors: list[Tensor]) -> bool:
    if operation is aten._to_copy.default:
        away = args[0].is_meta and _target(args, kwargs) == CPU
        return away or (not args[0].is_meta and _target(args, kwargs) == META and not kwargs.get("non_blocking"))
    if operation is aten.copy_.default:
        return args[0].device != args[1].device and not (len(args) > 2 and args[2])
    if not any(one.is_meta for one in tensors):
        return False
    # A number on the host is handed to a kernel as it is; a longer tensor must be copied first.
    return _reads_numbers(operation, args) or any(one.dim() and not one.is_meta for one in tensors)


def _reads_numbers(operation: Any, args: Any) -> bool:
    """Whether the result depends on numbers that the host must see."""
    if operation in (aten.index.Tensor, aten.index_put.default, aten.index_put_.default):
        return any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in args[1])
    return bool({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(operation.tags))


def searching(**settings: Any) -> SearchConfig:
    """A search whose limits on the length differ from sentence to sentence."""
    return SearchConfig(max_length_ratio=1, max_length_offset=1, **settings)


TEACHER_FORCING, PLAIN_DESCENT, BEAM = TeacherForcing(0.1, Precision.float32), SGD(), searching(beam_size=2, n_best=2)


def only(steppers: list[Stepper[Any]]) -> Stepper[Any]:
    """The first."""
    return steppers[0]


class Arrangement(NamedTuple):
    """What is trained and searched."""

    model: ModelConfig
    objective: Objective = TEACHER_FORCING
    optimizer: OptimizerConfig = PLAIN_DESCENT
    """Adam's fused kernel, which the meta device lacks, counts its updates on the device."""
    search: SearchConfig = BEAM
    bind: Callable[[list[Stepper[Any]]], Stepper[Any]] = only
    """The stepper of a search, from two of the model."""
    shortlist: bool = False


def model(
    attention: AttentionKind = AttentionKind.none,
    order: AttentionOrder = AttentionOrder.gnmt,
    *,
    cell: CellKind = CellKind.lstm,
    layers: int = 1,
    direction: Direction = Direction.bidirectional,
    input_feeding: bool = False,
    feed_context: bool = False,
    readout: Readout = Readout.tanh,
    **others: Any,
) -> ModelConfig:
    """A small model, with every kind of dropout but that of recurrent weights."""
    encoder = EncoderConfig(cell=cell, layers=layers, size=4, direction=direction)
    decoder = DecoderConfig(
        cell=cell,
        layers=max(1, layers),
        size=8,
        input_feeding=input_feeding,
        feed_context=feed_context,
        readout=readout,
        readout_sees_input=True,
    )
    return ModelConfig(
        embedding_size=6,
        encoder=encoder,
        decoder=decoder,
        attention=attention,
        attention_order=order,
        **{"word_dropout": 0.1, "initial_range": 1.0, **others},
    )


def arrangements() -> dict[str, Arrangement]:
    """Every way to build a model that treats sequences or memory in its own way; then ways to train and to search."""
    additive, general = AttentionKind.additive, AttentionKind.general
    models = {
        "context": model(),
        "context, fed to every step": model(feed_context=True, summary=Summary.max_mean),
        "context, mean of states, two layers": model(
            layers=2, summary=Summary.mean, bridge=BridgeKind.linear, tying=Tying.none
        ),
        "dot attention": model(AttentionKind.dot, bridge=BridgeKind.copy),
        "general attention": model(general),
        "scaled dot attention, two heads": model(AttentionKind.scaled_dot, attention_heads=2),
        "additive attention, two heads": model(additive, attention_heads=2),
        "additive attention, coverage": model(additive, coverage=True),
        "local attention": model(general, attention_window=2),
        "attention, luong order": model(general, AttentionOrder.luong),
        "attention, luong order, input feeding": model(general, AttentionOrder.luong, layers=2, input_feeding=True),
        "attention, bahdanau order": model(additive, AttentionOrder.bahdanau, readout=Readout.maxout),
        "attention, gnmt order, input feeding": model(additive, input_feeding=True),
        "encoder reversed": model(direction=Direction.reversed),
        "encoder alternating": model(layers=2, direction=Direction.alternating),
        "encoder as in GNMT": model(general, layers=2, direction=Direction.gnmt),
        "recurrent dropout": model(general, recurrent_dropout=0.2),
        "dropout drawn at every step": model(general, dropout_shared_over_time=False),
        "gru": model(general, cell=CellKind.gru),
        "rnn_tanh": model(general, cell=CellKind.rnn_tanh),
        "rnn_relu": model(general, cell=CellKind.rnn_relu),
        "layer_norm_lstm": model(general, cell=CellKind.layer_norm_lstm),
        "language model": model(layers=0, bridge=BridgeKind.zero),
    }
    usual, precision = models["general attention"], Precision.float32
    parallel, sequential = (
        ScheduledSampling(TEACHER_FORCING, ScheduledSamplingConfig(rate=0.5, passes=passes), 1, precision)
        for passes in (Passes.parallel, Passes.sequential)
    )
    sampling = Method.sampling
    return {name: Arrangement(model=config) for name, config in models.items()} | {
        "consistency": Arrangement(model=usual, objective=Consistency(1.0, 0.1, precision)),
        "scheduled sampling, parallel": Arrangement(model=usual, objective=parallel),
        "scheduled sampling, sequential": Arrangement(model=usual, objective=sequential),
        "muon": Arrangement(model=usual, optimizer=Muon()),
        "greedy search": Arrangement(model=usual, search=searching(beam_size=1)),
        "diverse beam search": Arrangement(
            model=usual, search=searching(method=Method.diverse_beam, beam_size=4, n_best=4, groups=2)
        ),
        "sampling": Arrangement(model=usual, search=searching(method=sampling, n_best=3)),
        "nucleus sampling": Arrangement(model=usual, search=searching(method=sampling, n_best=3, top_k=8, top_p=0.9)),
        "ensemble": Arrangement(model=usual, bind=ensemble),
        "fusion": Arrangement(model=usual, bind=lambda steppers: fusion(steppers[0], steppers[1], 0.2)),
        "short-list": Arrangement(model=usual, shortlist=True),
    }


def network_of(config: ModelConfig, waits: Waits | None = None) -> Network:
    """A network on the meta device; with ``waits``, which then holds its numbers, of random weights."""
    torch.manual_seed(1)
    network = Network(config, VOCABULARY, VOCABULARY, joint=True)
    nn.init.constant_(network.output.bias[EOS], 1.0)  # so that hypotheses end at every length
    moved: dict[int, nn.Parameter] = {}
    for module in network.modules():
        for name, one in list(module._parameters.items()):
            if one is not None and id(one) not in moved:
                moved[id(one)] = nn.Parameter(torch.empty_like(one, device=META))
                if waits is not None:
                    waits.hold(moved[id(one)], one.detach())
            if one is not None:
                module._parameters[name] = moved[id(one)]
    return network


def update_waits(arrangement: Arrangement) -> list[str]:
    """The operations for which the host waits in one update, as `Trainer` makes it."""
    waits = Waits(numbers=False)
    network = network_of(arrangement.model).train()
    learner, optimizer = Learner(network, arrangement.objective, seed=1), optimizer_of(network, arrangement.optimizer)
    average, tally = MovingAverage(network, 0.9), Tally(0.0, META)
    made = make_batch(SENTENCES, SENTENCES[::-1])
    with waits:
        batch = made.to(META)
        cross_entropy = learner([batch], made.labels_P.numel(), 1)
        tally.add(cross_entropy, nn.utils.clip_grad_norm_(network.parameters(), 5.0))
        optimizer.step()
        average.update(1)
    return waits.found


def search_waits(arrangement: Arrangement) -> list[list[str]]:
    """The operations for which the host waits in a search: before its first step, and in each step.

    On the way hypotheses end, and sentences leave the batch.
    """
    waits, marks = Waits(), [0]
    network = network_of(arrangement.model, waits).eval()
    source_BS, lengths_B = source_tensors(SENTENCES)
    with waits, torch.no_grad():
        decoder = PreparedDecoder(network, InferencePrecision.float32)
        start = len(waits.found)
        places = to_device(source_BS, META), to_device(lengths_B, META)
        listed, barred = torch.arange(2, 10), torch.arange(24).view(3, 8) % 7 == 5
        chosen = to_device(listed, META), to_device(barred, META)
        steppers: list[Stepper[Any]] = [
            NetworkStepper(network, decoder, *places, BOS, EOS, chosen if arrangement.shortlist else None)
            for _ in range(2)
        ]
        watched = CallbackStepper(arrangement.bind(steppers), lambda: marks.append(len(waits.found)))
        search(watched, arrangement.search)
    marks = [start, *marks[1:], len(waits.found)]
    return [waits.found[first:last] for first, last in pairwise(marks)]


def host_waits() -> dict[str, dict[str, int]]:
    """By arrangement, how often the host waits in an update, and in the search step in which it waits most often."""
    updates: dict[Any, int] = {}
    steps: dict[Any, int] = {}
    found = {}
    for name, one in arrangements().items():
        trained = id(one.model), id(one.objective), id(one.optimizer)
        searched = id(one.model), id(one.search), one.bind, one.shortlist
        if trained not in updates:
            updates[trained] = len(update_waits(one))
        if searched not in steps:
            steps[searched] = max(map(len, search_waits(one)[1:]))
        found[name] = {"update": updates[trained], "step": steps[searched]}
    return found


if __name__ == "__main__":
    print(json.dumps(host_waits(), indent=2))
