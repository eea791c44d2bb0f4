"""Compute a trace: search a translation, record the beam tree, and replay the network.

S source positions, T target positions, F width of the decoder features, V vocabulary, A alternatives.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq.analysis.beam_tree import Node, search_with_tree
from seq2seq.analysis.config import ALTERNATIVES
from seq2seq.analysis.replay import LayerRecord, Replay, replay
from seq2seq.analysis.trace import LayerTrace, Trace
from seq2seq.errors import ConfigError, DataError, require_text
from seq2seq.inference.member import Member, SourceBatch
from seq2seq.inference.members import Members
from seq2seq.model import Network
from seq2seq.portable.segmentation import MAX_SEGMENT
from seq2seq.search import Method, SearchConfig, search, with_repetition_settings
from seq2seq.settings import validate
from seq2seq.tokenizer.tokenizer import BOS, EOS

CHUNK = 32
"""Target positions whose probabilities are computed at a time: all at once would need T · V numbers."""


class TargetToTrace(NamedTuple):
    """The translation to trace, and the tree of the search that found it."""

    labels: list[int]
    """The predicted token ids; they include EOS if the translation has one."""
    tree: tuple[Node, ...] = ()


def trace_sentence(
    members: Members,
    config: SearchConfig,
    text: str,
    *,
    target: str | None = None,
    alternatives: int = ALTERNATIVES,
    member: int = 0,
) -> Trace:
    """Translate a sentence and trace what one network computes for it.

    The translation and the tree are joint: they use all members, the language model and the shortlist. Gates, states,
    attention and probabilities belong to one network over its whole vocabulary. The two agree for a single float32
    network without a shortlist.

    Args:
        members: the ensemble that translates.
        config: the search settings.
        text: the source sentence.
        target: a translation to trace in place of a search.
        alternatives: other tokens to report at each step.
        member: index of the network to trace.

    Raises:
        ConfigError: a number is out of range, or the method is not beam search.
        DataError: the sentence is blank, a text is too long, or no translation is possible.
    """
    if not 0 <= member < len(members.translators):
        raise ConfigError(f"member must be in [0, {len(members.translators) - 1}], got {member}")
    validate(config)
    _check_length(text)
    _check_length(target or "")
    encoded, (length,) = members.encoded([text])
    if not length:
        raise DataError(f"the sentence {text!r} is blank: give a sentence to trace")
    if target is not None:
        chosen = TargetToTrace([*members.target.encode(members.protected(target, text)), EOS])
    elif config.method is not Method.beam:
        raise ConfigError(
            f"search.method={config.method} has no beam to trace: set search.method=beam, or give the translation as "
            f"target"
        )
    else:
        bound = members.bind(encoded)
        labels, tree = best_translation(bound.stepper, config)
        ids = bound.ids([node.token for node in tree])
        nodes = tuple(node._replace(token=token) for node, token in zip(tree, ids, strict=True))
        chosen = TargetToTrace(bound.ids(labels), nodes)
    trace = trace_target(members.translators[member], members.protected(text, text), chosen, alternatives)
    return replace(trace, source=text, text=members.restored(trace.text, text))


def trace_text(model: Member, text: str, alternatives: int = ALTERNATIVES) -> Trace:
    """Trace what a language model computes while it reads a sentence.

    Raises:
        ConfigError: ``alternatives`` is negative.
        DataError: the sentence is blank or too long.
    """
    _check_length(text)
    tokens = model.tokenizers.target.encode(text)
    if not tokens:
        raise DataError(f"the sentence {text!r} is blank: give a sentence to trace")
    return trace_target(model, "", TargetToTrace([*tokens, EOS]), alternatives)


def _check_length(text: str) -> None:
    require_text(text, "text")
    if len(text) > MAX_SEGMENT:
        raise DataError(f"the text to trace has {len(text):,} characters: give at most {MAX_SEGMENT:,}")


def best_translation(stepper: Any, config: SearchConfig) -> TargetToTrace:
    """Run a beam search; token ids are those of the stepper.

    Raises:
        DataError: the search excludes every translation.
    """
    stepper = with_repetition_settings(stepper, config)  # the tree shows the candidates that remain
    # A larger n_best does not change which hypothesis is best.
    config = replace(config, n_best=config.beam_size, no_repeat_ngram=0, repetition_penalty=1.0)
    ranked, nodes = search_with_tree(stepper, lambda recorder: search(recorder, config), width=2 * config.beam_size)
    best = ranked[0]
    labels = [*best.tokens, *([stepper.eos] if best.finished else [])]
    if not labels:
        raise DataError("every translation is excluded: search without a shortlist")
    return TargetToTrace(labels, nodes)


def trace_target(member: Member, text: str, target: TargetToTrace, alternatives: int = ALTERNATIVES) -> Trace:
    """Trace one network with teacher forcing, in evaluation mode and with its trained weights.

    Raises:
        ConfigError: ``alternatives`` is negative.
    """
    if alternatives < 0:
        raise ConfigError(f"alternatives must be at least 0, got {alternatives}")
    source_tokenizer, target_tokenizer = member.tokenizers
    source = [] if member.is_language_model else source_tokenizer.encode(text)
    inputs = [BOS, *target.labels[:-1]]
    with torch.inference_mode():
        arrays, layers = _arrays(member, member.sources([source]), inputs, target.labels, alternatives)
    return Trace(
        model=member.name,
        source=text,
        text=target_tokenizer.decode(target.labels),
        source_tokens=() if member.is_language_model else tuple(source_tokenizer.tokens([*source, EOS])),
        target_tokens=tuple(target_tokenizer.tokens(target.labels)),
        input_tokens=tuple(target_tokenizer.tokens(inputs)),
        layers=layers,
        **arrays,
        alternative_tokens=tuple(tuple(target_tokenizer.tokens(row)) for row in arrays["alternative_ids"].tolist()),
        tree=target.tree,
        tree_tokens=tuple(target_tokenizer.tokens([node.token for node in target.tree])),
    )


def _arrays(
    member: Member, sources: SourceBatch, inputs: list[int], labels: list[int], alternatives: int
) -> tuple[dict[str, Any], tuple[LayerTrace, ...]]:
    """Return the arrays of a trace by attribute, and its layers."""
    network, device = member.network, member.device
    replayed = replay(network, *sources, torch.tensor([inputs], device=device))
    labels_T1 = torch.tensor(labels, device=device).unsqueeze(1)
    chunks = torch.split(torch.arange(len(labels), device=device), CHUNK)
    chosen, ids, values = zip(
        *(
            _predictions(network.logits(replayed.decoded, replayed.memory, rows), labels_T1[rows], alternatives)
            for rows in chunks
        ),
        strict=True,
    )
    weights, cells = replayed.decoded.weights_NTS, _initial_cells(network, replayed)
    arrays = {
        "context": _copied(replayed.memory.context_BD[0]),
        "initial_hidden": _copied(replayed.initial.hidden_LNH[:, 0]),
        "initial_cell": None if cells is None else _copied(cells[:, 0]),
        "attention": None if weights is None else _copied(weights[0]),
        "copied_share": _copied_share(network, replayed),
        "log_probabilities": _copied(torch.cat(chosen)),
        "alternative_ids": _copied(torch.cat(ids)),
        "alternative_log_probabilities": _copied(torch.cat(values)),
    }
    return arrays, tuple(map(_layer, replayed.layers))


def _initial_cells(network: Network, replayed: Replay) -> Tensor | None:
    """The decoder's initial cell states of one number per unit (L, 1, H); None for cells without one."""
    hidden_LNH, cell_LNH, *_ = replayed.initial
    if cell_LNH is None or not network.config.decoder.cell.has_cell_state:
        return None
    return cell_LNH[..., : hidden_LNH.size(2)]


def _copied_share(network: Network, replayed: Replay) -> Tensor | None:
    """Return the copied part of the probability at each step (T,); None without a copy mechanism."""
    pointer, copies, weights_NTS = network.pointer, replayed.memory.copies, replayed.decoded.weights_NTS
    if pointer is None or copies is None or weights_NTS is None:
        return None
    features_TF = replayed.decoded.features_NTF[0]
    copied = copies.at(weights_NTS, torch.arange(len(features_TF), device=features_TF.device))
    return _copied(pointer.copied_share(pointer.gate_logits(features_TF), copied).squeeze(1))


def _predictions(logits_TV: Tensor, labels_T1: Tensor, alternatives: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-probabilities (T,) of the labels; ids and log-probabilities (T, A) of the best other tokens."""
    log_probability_TV = logits_TV.float().log_softmax(1)
    others_TV = log_probability_TV.scatter(1, labels_T1, -torch.inf)
    ranked = others_TV.topk(min(alternatives, others_TV.size(1) - 1), dim=1)
    return log_probability_TV.gather(1, labels_T1).squeeze(1), ranked.indices, ranked.values


def _layer(record: LayerRecord) -> LayerTrace:
    gates = {name: _copied(gate[0]) for name, gate in record.gates.items()}
    cell = None if record.cell_BTH is None else _copied(record.cell_BTH[0])
    return LayerTrace(record.location, gates, _copied(record.hidden_BTH[0]), cell)


def _copied(array: Tensor) -> Tensor:
    """Copy to the CPU; floating point becomes float32."""
    return array.to("cpu", torch.float32 if array.is_floating_point() else array.dtype, copy=True).contiguous()
