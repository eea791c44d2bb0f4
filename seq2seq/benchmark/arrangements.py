"""Every way to build a model that treats sequences or memory in its own way; then ways to train it and to search."""

from collections.abc import Callable
from typing import Any, NamedTuple

from seq2seq.model import (
    AttentionKind,
    AttentionOrder,
    BridgeKind,
    CopyKind,
    DecoderConfig,
    Direction,
    EncoderConfig,
    ModelConfig,
    Summary,
    Tying,
)
from seq2seq.model.choices import CellKind, Readout
from seq2seq.search import Method, SearchConfig, Stepper, fusion
from seq2seq.search.ensemble import ensemble
from seq2seq.system.precision import Precision
from seq2seq.training import SGD, Adadelta, Adagrad, Muon, OptimizerConfig
from seq2seq.training.config import Passes, ScheduledSamplingConfig
from seq2seq.training.consistency import Consistency
from seq2seq.training.loss import Objective
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.scheduled_sampling import ScheduledSampling


def searching(**settings: Any) -> SearchConfig:
    """Search settings with a maximum length that differs from sentence to sentence."""
    return SearchConfig(max_length_ratio=1, max_length_offset=1, **settings)


TEACHER_FORCING, PLAIN_DESCENT, BEAM = TeacherForcing(0.1, Precision.float32), SGD(), searching(beam_size=2, n_best=2)


def only(steppers: list[Stepper[Any]]) -> Stepper[Any]:
    """The first."""
    return steppers[0]


class Arrangement(NamedTuple):
    """A model, how it is trained, how it is searched."""

    model: ModelConfig
    objective: Objective = TEACHER_FORCING
    optimizer: OptimizerConfig = PLAIN_DESCENT
    """Adam's fused kernel does not run on the meta device."""
    self_distillation: float = 0.0
    scaled_loss: bool = False
    """Scale the loss, as in float16."""
    search: SearchConfig = BEAM
    bind: Callable[[list[Stepper[Any]]], Stepper[Any]] = only
    """Combines two steppers of the model into the one that is searched."""
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
    """A small model with every kind of dropout except that of recurrent weights."""
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
    """Return arrangements by name: each model with plain training and search, then other ways to train and search."""
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
        "pointer": model(general, copy=CopyKind.pointer),
        "attention, luong order": model(general, AttentionOrder.luong),
        "attention, luong order, input feeding": model(general, AttentionOrder.luong, layers=2, input_feeding=True),
        "attention, bahdanau order": model(additive, AttentionOrder.bahdanau, readout=Readout.maxout),
        "attention, gnmt order, input feeding": model(additive, input_feeding=True),
        "encoder reversed": model(direction=Direction.reversed),
        "encoder alternating": model(layers=2, direction=Direction.alternating),
        "encoder as in GNMT": model(general, layers=2, direction=Direction.gnmt),
        "recurrent dropout": model(general, recurrent_dropout=0.2),
        "dropout sampled at every step": model(general, dropout_shared_over_time=False),
        "gru": model(general, cell=CellKind.gru),
        "rnn_tanh": model(general, cell=CellKind.rnn_tanh),
        "rnn_relu": model(general, cell=CellKind.rnn_relu),
        "layer_norm_lstm": model(general, cell=CellKind.layer_norm_lstm),
        "sru": model(general, cell=CellKind.sru),
        "min_gru": model(general, cell=CellKind.min_gru),
        "slstm": model(general, cell=CellKind.slstm),
        "mlstm": model(general, cell=CellKind.mlstm),
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
        "self-distillation": Arrangement(model=usual, self_distillation=1.0),
        "scheduled sampling, parallel": Arrangement(model=usual, objective=parallel),
        "scheduled sampling, sequential": Arrangement(model=usual, objective=sequential),
        "muon": Arrangement(model=usual, optimizer=Muon()),
        "float16, scaled loss": Arrangement(model=usual, optimizer=SGD(momentum=0.9), scaled_loss=True),
        "float16, scaled loss, adadelta": Arrangement(model=usual, optimizer=Adadelta(), scaled_loss=True),
        "float16, scaled loss, adagrad": Arrangement(model=usual, optimizer=Adagrad(), scaled_loss=True),
        "float16, scaled loss, muon": Arrangement(model=usual, optimizer=Muon(), scaled_loss=True),
        "greedy search": Arrangement(model=usual, search=searching(beam_size=1)),
        "diverse beam search": Arrangement(
            model=usual, search=searching(method=Method.diverse_beam, beam_size=4, n_best=4, groups=2)
        ),
        "sampling": Arrangement(model=usual, search=searching(method=sampling, n_best=3)),
        "nucleus sampling": Arrangement(model=usual, search=searching(method=sampling, n_best=3, top_k=8, top_p=0.9)),
        "beam search, repetition excluded": Arrangement(
            model=usual, search=searching(beam_size=2, n_best=2, no_repeat_ngram=2, repetition_penalty=1.2)
        ),
        "ensemble": Arrangement(model=usual, bind=ensemble),
        "fusion": Arrangement(model=usual, bind=lambda steppers: fusion(steppers[0], steppers[1], 0.2)),
        "shortlist": Arrangement(model=usual, shortlist=True),
    }
