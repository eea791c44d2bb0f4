"""Making a trace: the sentence is translated, the search watched, and the network replayed by its equations.

S source positions, T target positions, V vocabulary, R runners-up.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq.analysis.beam_tree import Node, grown
from seq2seq.analysis.recording import LayerRecord, replay
from seq2seq.analysis.trace import LayerTrace, Trace
from seq2seq.corpora.segmentation import MAX_SEGMENT
from seq2seq.errors import ConfigError, DataError
from seq2seq.inference.member import Member, SourceBatch
from seq2seq.inference.members import Members
from seq2seq.model import Network
from seq2seq.search import Method, SearchConfig, search
from seq2seq.settings import validate
from seq2seq.tokenizer.tokenizer import BOS, EOS

RUNNERS_UP = 5

POSITIONS = 32
"""Of which there are log-probabilities at a time: those of a sentence and a large vocabulary take much memory."""


class Given(NamedTuple):
    """The translation to look at, and how it was found."""

    labels: list[int]
    """The pieces predicted, the end mark with them where there is one."""
    tree: tuple[Node, ...] = ()


def trace_sentence(
    members: Members,
    config: SearchConfig,
    text: str,
    *,
    target: str | None = None,
    runners_up: int = RUNNERS_UP,
    member: int = 0,
) -> Trace:
    """A sentence, its translation, and what one network computes for the two.

    The translation and the tree are those of all members, language model and short-list together; gates, states,
    attention and probabilities are of the one network alone, over all pieces. Where one network translates in float32
    without a short-list they are the same.

    Args:
        members: what translates.
        config: how to search.
        text: the sentence.
        target: a translation to look at instead of searching for one.
        runners_up: other pieces to tell of at each step.
        member: the network to look into, 0 for the first.

    Raises:
        ConfigError: a number is out of range, or the search is no greedy or beam search.
        DataError: the sentence is blank, it or ``target`` is no sentence for its length, or no translation of it is
            possible.
    """
    if not 0 <= member < len(members.translators):
        raise ConfigError(f"member must be in [0, {len(members.translators) - 1}], got {member}")
    validate(config)
    for one in (text, target or ""):
        _hold_length(one)
    encoded, (longest,) = members.encoded([text])
    if not longest:
        raise DataError(f"there is nothing to trace in {text!r}: give a sentence")
    if target is None:
        if config.method is not Method.beam:
            raise ConfigError(
                f"search.method={config.method} grows no beam to look at: set search.method=beam, or give the "
                f"translation to look at as target"
            )
        bound = members.bind(encoded)
        given = found(bound.stepper, config)
        given = Given(bound.ids(given.labels), renamed(given.tree, bound.ids([node.piece for node in given.tree])))
    else:
        given = Given([*members.target.encode(target), EOS])
    return trace_given(members.translators[member], text, given, runners_up)


def trace_text(model: Member, text: str, runners_up: int = RUNNERS_UP) -> Trace:
    """What a language model computes while it reads a sentence.

    Raises:
        ConfigError: ``runners_up`` is below 0.
        DataError: the sentence is blank, or no sentence for its length.
    """
    _hold_length(text)
    pieces = model.tokenizers.target.encode(text)
    if not pieces:
        raise DataError(f"there is nothing to trace in {text!r}: give a sentence")
    return trace_given(model, "", Given([*pieces, EOS]), runners_up)


def _hold_length(text: str) -> None:
    if len(text) > MAX_SEGMENT:
        raise DataError(f"a text of {len(text):,} characters is no sentence to trace: give at most {MAX_SEGMENT:,}")


def found(stepper: Any, config: SearchConfig) -> Given:
    """The best translation that a beam search finds, and its tree, in the numbers of the stepper.

    Raises:
        DataError: every translation is ruled out.
    """
    config = replace(config, n_best=config.beam_size)  # which one is best does not depend on it
    ranked, nodes = grown(stepper, lambda watched: search(watched, config), width=2 * config.beam_size)
    best = ranked[0]
    labels = [*best.tokens, *([stepper.eos] if best.finished else [])]
    if not labels:
        raise DataError("there is nothing to trace: every translation is ruled out; search without a short-list")
    return Given(labels, nodes)


def renamed(tree: tuple[Node, ...], pieces: list[int]) -> tuple[Node, ...]:
    """The tree with these pieces."""
    return tuple(node._replace(piece=piece) for node, piece in zip(tree, pieces, strict=True))


def trace_given(member: Member, text: str, given: Given, runners_up: int = RUNNERS_UP) -> Trace:
    """What one network computes while a translation is given, its weights as they were trained.

    Raises:
        ConfigError: ``runners_up`` is below 0.
    """
    if runners_up < 0:
        raise ConfigError(f"runners_up must be at least 0, got {runners_up}")
    source_tokenizer, target_tokenizer = member.tokenizers
    source, reads = ([], False) if member.is_language_model else (source_tokenizer.encode(text), True)
    read = [BOS, *given.labels[:-1]]
    with torch.inference_mode():
        arrays, layers = _arrays(member, member.sources([source]), read, given.labels, runners_up)
    return Trace(
        model=member.name,
        source=text,
        text=target_tokenizer.decode(given.labels),
        source_pieces=tuple(source_tokenizer.tokens([*source, EOS])) if reads else (),
        target_pieces=tuple(target_tokenizer.tokens(given.labels)),
        read_pieces=tuple(target_tokenizer.tokens(read)),
        layers=layers,
        **arrays,
        runner_up_pieces=tuple(tuple(target_tokenizer.tokens(row)) for row in arrays["runner_up_ids"].tolist()),
        tree=given.tree,
        tree_pieces=tuple(target_tokenizer.tokens([node.piece for node in given.tree])),
    )


def _arrays(
    member: Member, sources: SourceBatch, read: list[int], labels: list[int], runners_up: int
) -> tuple[dict[str, Any], tuple[LayerTrace, ...]]:
    """The arrays of a trace by name, and its layers."""
    network, device = member.network, member.device
    seen = replay(network, *sources, torch.tensor([read], device=device))
    labels_T1 = torch.tensor(labels, device=device).unsqueeze(1)
    features_TF = seen.decoded.features_NTF[0]
    parts = zip(torch.split(features_TF, POSITIONS), torch.split(labels_T1, POSITIONS), strict=True)
    chosen, ids, values = zip(*(_predicted(network, some, own, runners_up) for some, own in parts), strict=True)
    weights, cells = seen.decoded.weights_NTS, seen.initial.cell_LNH
    arrays = {
        "context": _kept(seen.memory.context_BD[0]),
        "initial_hidden": _kept(seen.initial.hidden_LNH[:, 0]),
        "initial_cell": None if cells is None else _kept(cells[:, 0]),
        "attention": None if weights is None else _kept(weights[0]),
        "log_probabilities": _kept(torch.cat(chosen)),
        "runner_up_ids": _kept(torch.cat(ids)),
        "runner_up_log_probabilities": _kept(torch.cat(values)),
    }
    return arrays, tuple(map(_layer, seen.layers))


def _predicted(
    network: Network, features_TF: Tensor, labels_T1: Tensor, runners_up: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities (T,) of the labels, and ids and log-probabilities (T, runners-up) of the likeliest others."""
    log_probability_TV = network.output(features_TF).float().log_softmax(1)
    others_TV = log_probability_TV.scatter(1, labels_T1, -torch.inf)
    ranked = others_TV.topk(min(runners_up, others_TV.size(1) - 1), dim=1)
    return log_probability_TV.gather(1, labels_T1).squeeze(1), ranked.indices, ranked.values


def _layer(record: LayerRecord) -> LayerTrace:
    gates = {name: _kept(gate[0]) for name, gate in record.gates.items()}
    cell = None if record.cell_BTH is None else _kept(record.cell_BTH[0])
    return LayerTrace(record.place, gates, _kept(record.hidden_BTH[0]), cell)


def _kept(array: Tensor) -> Tensor:
    """A tensor of its own on the CPU, float32 where it is no whole number."""
    return array.to("cpu", torch.float32 if array.is_floating_point() else array.dtype, copy=True).contiguous()
