"""The network in numpy, written like the equations: the reference for other engines, and an engine itself.

It computes what seq2seq.model computes; names of weights are those of model.safetensors.

S source tokens, N rows (hypotheses), G stacked gates of H units, D width of an encoder state, A width of attention
keys, M heads, F width of the features, L layers, V target vocabulary size; X, Y any width.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq.portable.cells import CELLS, sigmoid
from seq2seq.portable.engine import Floats, Integers

CELL_STATE = ("lstm", "layer_norm_lstm", "ssru", "sru", "slstm")
"""The cells that have a cell state of one number per unit besides their hidden state."""

STARTS_FROM_CELL_STATE = ("lstm", "layer_norm_lstm", "slstm")
"""The cells that the bridge gives two vectors."""

WORDS = {
    "summary": ("last", "mean", "max", "max_mean"),
    "bridge": ("copy", "linear", "tanh", "zero"),
    "attention": ("none", "dot", "general", "scaled_dot", "additive"),
    "attention_order": ("gnmt", "luong", "bahdanau"),
    "copy": ("none", "pointer"),
    "readout": ("tanh", "maxout"),
    "cell": ("lstm", "gru", "rnn_tanh", "rnn_relu", "layer_norm_lstm", *CELLS),
}
"""Values of the settings that choose an equation; those of an encoder's directions and of tying follow from weights."""

TINY = 1e-30
"""Smallest probability whose logarithm is computed."""


class Memory(NamedTuple):
    """What all steps read of a sentence."""

    context_1X: Floats
    """The context vector."""
    keys_SA: Floats
    values_SD: Floats
    copies_S: Integers
    """The target token that each position copies, -1 for none."""


class State(NamedTuple):
    """What a step passes to the next."""

    hidden_LNH: Floats
    cell_LNH: Floats
    """Unused by cells without a cell state."""
    fed_NX: Floats
    """The part of the next input that comes from this step; (N, 0) without input feeding."""
    coverage_NS: Floats
    """The sum of the attention weights so far."""


class NumpyEngine:
    """An `Engine` in numpy.

    Args:
        model: the section of config.json.
        weights: from `read_weights`.
        copies: the target token that each source token copies, -1 for none.

    Raises:
        ValueError: the settings have an unknown word, or the weights have other layers.
    """

    def __init__(self, model: Mapping[str, Any], weights: Mapping[str, Floats], copies: Sequence[int]) -> None:
        check_model(model, weights)
        self.model, self.weights, self.copies = model, weights, np.array(copies)
        self.order = None if model["attention"] == "none" else model["attention_order"]
        self.query_layer = {"gnmt": 0, "luong": model["decoder"]["layers"] - 1}.get(self.order or "")
        self.source_table = weights.get("source_embedding.weight", weights["target_embedding.weight"])
        self.output_VF = weights.get("output.weight", weights["target_embedding.weight"])

    @np.errstate(all="ignore")
    def encode(self, source: Sequence[int]) -> tuple[Memory, State]:
        """See `Engine.encode`."""
        encoder, tokens = self.model["encoder"], np.array(source)
        outputs_SX, hidden, cells = self.source_table[tokens], list[Floats](), list[Floats]()
        for depth in range(encoder["layers"]):
            states_SD, last_1D, cell_1D = self._layer(f"encoder.layers.{depth}", outputs_SX)
            hidden.append(summarize(self.model["summary"], states_SD, last_1D))
            cells.append(hidden[-1] if cell_1D is None else cell_1D)
            outputs_SX = states_SD + outputs_SX if is_residual(encoder, depth) else states_SD
        keys_SA, values_SD = (self._linear(f"decoder.attention.{name}_map", outputs_SX) for name in ("key", "value"))
        kind, hidden_L1H = self.model["decoder"]["cell"], self._bridge("hidden", hidden)
        cell_L1H = self._bridge("cell", cells) if kind in STARTS_FROM_CELL_STATE else hidden_L1H
        if kind in CELLS:
            layers = list(map(CELLS[kind].start, hidden_L1H, cell_L1H))
            hidden_L1H, cell_L1H = (np.stack(parts) for parts in zip(*layers, strict=True))
        state = State(
            hidden_L1H,
            cell_L1H,
            np.zeros((1, self._fed_size(values_SD.shape[1])), np.float32),
            np.zeros((1, len(tokens)), np.float32),
        )
        return Memory(hidden[-1], keys_SA, values_SD, self.copies[tokens]), state

    def _layer(self, name: str, inputs_SX: Floats) -> tuple[Floats, Floats, Floats | None]:
        """States (S, D) of an encoder layer in source order, its last hidden and its last cell state (1, D) if any."""
        kind, units, runs = self.model["encoder"]["cell"], self.model["encoder"]["size"], []
        width = CELLS[kind].state_size(units) if kind in CELLS else units
        for direction, step in (("forward", 1), ("reversed", -1)):
            cell = f"{name}.{direction}_cell"
            if not any(key.startswith(cell) for key in self.weights):
                continue
            products_SG = self._products(cell, inputs_SX)[::step]
            hidden_1H, state_1C = np.zeros((1, units), np.float32), np.zeros((1, width), np.float32)
            states = []
            for products_G in products_SG:
                hidden_1H, state_1C = self._advance(kind, cell, products_G, hidden_1H, state_1C)
                states.append(hidden_1H)
            runs.append((np.concatenate(states[::step]), hidden_1H, state_1C[:, :units]))
        states_SD, hidden_1D, cell_1D = (np.concatenate(parts, 1) for parts in zip(*runs, strict=True))
        return states_SD, hidden_1D, cell_1D if kind in CELL_STATE else None

    def _bridge(self, name: str, summaries: Sequence[Floats]) -> Floats:
        """Initial hidden or cell states (L, 1, H) of the decoder, from the encoder's summaries (1, X)."""
        kind, shared, decoder = self.model["bridge"], self.model["bridge_shared"], self.model["decoder"]
        states, layers = [], decoder["layers"]
        for layer in range(layers):
            origin = summaries[-1 if shared else max(0, len(summaries) - layers + layer)]
            state_1H = self._linear(f"bridge.{name}_maps.{0 if shared else layer}", origin)
            states.append(np.tanh(state_1H) if kind == "tanh" else state_1H)
        return np.zeros((layers, 1, decoder["size"]), np.float32) if kind == "zero" else np.stack(states)

    def _fed_size(self, context_size: int) -> int:
        if not self.model["decoder"]["input_feeding"]:
            return 0
        return context_size if self.order == "gnmt" else self.output_VF.shape[1]

    @np.errstate(all="ignore")
    def step(self, tokens_N: Integers, memory: Memory, state: State) -> tuple[Floats, State, Floats | None]:
        """See `Engine.step`."""
        decoder, rows = self.model["decoder"], len(tokens_N)
        embedded_NX = self.weights["target_embedding.weight"][tokens_N]
        context_NX = weights_NS = None
        if decoder["feed_context"]:
            context_NX = memory.context_1X.repeat(rows, 0)
        elif self.order == "bahdanau":
            context_NX, weights_NS = self._attend(state.hidden_LNH[-1], memory, state.coverage_NS)
        outputs_NX = joined(embedded_NX, context_NX, state.fed_NX)
        hidden, cells = [], []
        for depth in range(decoder["layers"]):
            name = f"decoder.layers.{depth}"
            inputs_NX = joined(outputs_NX, context_NX if depth and self.order == "gnmt" else None)
            products_NG = self._products(name, inputs_NX)
            before = state.hidden_LNH[depth], state.cell_LNH[depth]
            hidden_NH, cell_NH = self._advance(decoder["cell"], name, products_NG, *before)
            outputs_NX = hidden_NH + outputs_NX if is_residual(decoder, depth) else hidden_NH
            hidden.append(hidden_NH)
            cells.append(cell_NH)
            if depth == self.query_layer:
                context_NX, weights_NS = self._attend(outputs_NX, memory, state.coverage_NS)
        features_NF = self._features(outputs_NX, context_NX, embedded_NX)
        fed_NX = state.fed_NX
        if decoder["input_feeding"]:
            fed_NX = features_NF if context_NX is None or self.order != "gnmt" else context_NX
        coverage_NS = state.coverage_NS if weights_NS is None else state.coverage_NS + weights_NS
        after = State(np.stack(hidden), np.stack(cells), fed_NX, coverage_NS)
        log_probability_NV = log_softmax(features_NF @ self.output_VF.T + self.weights["output.bias"])
        if self.model["copy"] == "pointer" and weights_NS is not None:
            log_probability_NV = self._copy(log_probability_NV, features_NF, weights_NS, memory.copies_S)
        return log_probability_NV, after, weights_NS

    def select(self, state: State, rows: Integers) -> State:
        """See `Engine.select`."""
        hidden_LNH, cell_LNH, fed_NX, coverage_NS = state
        return State(hidden_LNH[:, rows], cell_LNH[:, rows], fed_NX[rows], coverage_NS[rows])

    def _features(self, outputs_NX: Floats, context_NX: Floats | None, embedded_NX: Floats) -> Floats:
        """The readout of state, context and input embedding: tanh or maxout."""
        if "decoder.readout.weight" not in self.weights:
            return outputs_NX
        sees_input = self.model["decoder"]["readout_sees_input"]
        mixed_NX = self._linear("decoder.readout", joined(outputs_NX, context_NX, embedded_NX if sees_input else None))
        if self.model["decoder"]["readout"] == "maxout":
            larger_NF: Floats = mixed_NX.reshape(len(mixed_NX), -1, 2).max(2)
            return larger_NF
        return np.tanh(mixed_NX)

    def _attend(self, query_NH: Floats, memory: Memory, coverage_NS: Floats) -> tuple[Floats, Floats]:
        """Contexts (N, D), and attention weights (N, S) averaged over heads."""
        kind, heads, rows = self.model["attention"], self.model["attention_heads"], len(query_NH)
        query_NA, keys_SA, name = (
            self._linear("decoder.attention.query_map", query_NH),
            memory.keys_SA,
            "decoder.attention",
        )
        if kind == "additive":
            sums_NSA = query_NA[:, None] + keys_SA
            if self.model["coverage"]:
                sums_NSA = sums_NSA + coverage_NS[:, :, None] * self.weights[f"{name}.coverage_map.weight"][:, 0]
            energies_NSA = np.tanh(sums_NSA) * self.weights[f"{name}.energy.weight"][0]
            scores_NMS = energies_NSA.reshape(rows, len(keys_SA), heads, -1).sum(3).transpose(0, 2, 1)
        else:
            queries_NMA, keys_SMA = query_NA.reshape(rows, heads, -1), keys_SA.reshape(len(keys_SA), heads, -1)
            scores_NMS = np.einsum("nma,sma->nms", queries_NMA, keys_SMA)
            if kind == "scaled_dot":
                scores_NMS = scores_NMS * np.float32((heads / query_NA.shape[1]) ** 0.5)
        if self.model["attention_window"] is None:
            weights_NMS = softmax(scores_NMS)
        else:
            gaussian_N1S = self._window(query_NH, len(keys_SA))[:, None]
            weights_NMS = softmax(np.where(gaussian_N1S == 0, -np.inf, scores_NMS).astype(np.float32)) * gaussian_N1S
        values_SMD = memory.values_SD.reshape(len(keys_SA), heads, -1)
        contexts_NMD = np.einsum("nms,smd->nmd", weights_NMS, values_SMD)
        return contexts_NMD.reshape(rows, -1), weights_NMS.mean(1)

    def _window(self, query_NH: Floats, positions: int) -> Floats:
        """Local attention: a Gaussian (N, S) around a predicted position; zero outside the window."""
        reach = self.model["attention_window"]
        mapped_NH = np.tanh(self._linear("decoder.attention.window.query_map", query_NH))
        place_N1 = positions * sigmoid(self._linear("decoder.attention.window.place", mapped_NH))
        distance_NS = np.arange(1, positions + 1, dtype=np.float32) - place_N1
        return np.where(abs(distance_NS) > reach, np.float32(0), np.exp(-2 * (distance_NS / reach) ** 2))

    def _copy(self, log_probability_NV: Floats, features_NF: Floats, weights_NS: Floats, copies_S: Integers) -> Floats:
        """p(y) = (1 - (1 - g) m) softmax(y) + (1 - g) c(y), in float64; see seq2seq.model.pointer."""
        tokens_U = np.unique(copies_S[copies_S >= 0])
        sums_NU = weights_NS.astype(np.float64) @ (copies_S[:, None] == tokens_U)
        sums_NU /= np.maximum(sums_NU.sum(1, keepdims=True), 1)
        gate_N1 = self._linear("pointer.gate", features_NF.astype(np.float64))
        rest_N1 = np.maximum(1 - sums_NU.sum(1, keepdims=True), 0)
        vocabulary_N1 = np.log(np.maximum(sigmoid(gate_N1) + sigmoid(-gate_N1) * rest_N1, TINY))
        copied_NU = np.where(sums_NU == 0, -np.inf, -np.logaddexp(0, gate_N1) + np.log(np.maximum(sums_NU, TINY)))
        mixed_NV: Floats = log_probability_NV + vocabulary_N1.astype(np.float32)
        mixed_NV[:, tokens_U] = np.logaddexp(mixed_NV[:, tokens_U].astype(np.float64), copied_NU)
        return mixed_NV

    def _linear(self, name: str, inputs_NX: Floats) -> Floats:
        """W x + b (N, Y); x where the model has no such map."""
        if f"{name}.weight" not in self.weights:
            return inputs_NX
        return inputs_NX @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", np.float32(0))

    def _products(self, cell: str, inputs_NX: Floats) -> Floats:
        """The part (N, G) of a cell's sums that its inputs give."""
        if f"{cell}.bias" in self.weights:  # one of `CELLS`
            products = [inputs_NX @ self.weights[name].T for name in self._input_weights(cell)]
            return np.concatenate(products, -1) + self.weights[f"{cell}.bias"]
        if f"{cell}.weight_ih" in self.weights:  # layer_norm_lstm, whose normalizations have the biases
            return inputs_NX @ self.weights[f"{cell}.weight_ih"].T
        return inputs_NX @ self.weights[f"{cell}.weight_ih_l0"].T + self.weights[f"{cell}.bias_ih_l0"]

    def _input_weights(self, cell: str) -> list[str]:
        return [name for name in (f"{cell}.weight_ih", f"{cell}.weight_gates") if name in self.weights]

    def _hidden_weight(self, cell: str) -> Floats:
        return self.weights[f"{cell}.weight_hh" if f"{cell}.weight_hh" in self.weights else f"{cell}.weight_hh_l0"]

    def _advance(
        self, kind: str, cell: str, products_NG: Floats, hidden_NH: Floats, cell_NH: Floats
    ) -> tuple[Floats, Floats]:
        """The next hidden and cell state of a recurrent cell; the equations are those of seq2seq.model.cell."""
        if kind in CELLS:
            return CELLS[kind].advance(products_NG + self._recurrent(cell, hidden_NH, cell_NH), hidden_NH, cell_NH)
        recurrent_NG = hidden_NH @ self._hidden_weight(cell).T + self.weights.get(f"{cell}.bias_hh_l0", np.float32(0))
        if kind == "gru":
            (r_x, z_x, n_x), (r_h, z_h, n_h) = (np.split(part, 3, -1) for part in (products_NG, recurrent_NG))
            z = sigmoid(z_x + z_h)
            return (1 - z) * np.tanh(n_x + sigmoid(r_x + r_h) * n_h) + z * hidden_NH, cell_NH
        sums_NG = products_NG + recurrent_NG
        if kind == "rnn_tanh":
            return np.tanh(sums_NG), cell_NH
        if kind == "rnn_relu":
            return np.maximum(sums_NG, 0), cell_NH
        if kind == "layer_norm_lstm":
            sums_NG = self._normalized(f"{cell}.gate_norm", sums_NG, groups=4)
        i, f, g, o = np.split(sums_NG, 4, -1)
        cell_NH = sigmoid(f) * cell_NH + sigmoid(i) * np.tanh(g)
        shown_NH = self._normalized(f"{cell}.cell_norm", cell_NH) if kind == "layer_norm_lstm" else cell_NH
        return sigmoid(o) * np.tanh(shown_NH), cell_NH

    def _recurrent(self, cell: str, hidden_NH: Floats, cell_NH: Floats) -> Floats:
        """The part (N, G) of the sums of one of `CELLS` that the state gives; zero in most."""
        if f"{cell}.weight_hh" in self.weights:
            return hidden_NH @ self.weights[f"{cell}.weight_hh"].T
        peephole_2H = self.weights.get(f"{cell}.peephole")
        if peephole_2H is None:
            return np.zeros(1, np.float32)
        return np.pad(peephole_2H * np.tile(cell_NH, 2), [(0, 0), (hidden_NH.shape[1],) * 2])

    def _normalized(self, name: str, inputs_NX: Floats, groups: int = 1) -> Floats:
        """Layer normalization of each of the groups."""
        parts: Floats = inputs_NX.reshape(len(inputs_NX), groups, -1)
        parts = (parts - parts.mean(2, keepdims=True)) / np.sqrt(parts.var(2, keepdims=True) + np.float32(1e-5))
        return parts.reshape(inputs_NX.shape) * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def check_model(model: Mapping[str, Any], weights: Mapping[str, Floats]) -> None:
    """Check the settings that no shape of the weights shows to be wrong.

    Raises:
        ValueError: a word is unknown, or the weights have other layers.
    """
    for part in (model, model["encoder"], model["decoder"]):
        for name, known in WORDS.items():
            if name in part and part[name] not in known:
                raise ValueError(f"{name}={part[name]} is unknown")
    for name in ("encoder", "decoder"):
        layers = len({weight.split(".")[2] for weight in weights if weight.startswith(f"{name}.layers.")})
        if layers != model[name]["layers"]:
            raise ValueError(f"the {name} has {layers} layers in the weights")


def summarize(kind: str, states_SD: Floats, last_1D: Floats) -> Floats:
    """A layer's summary (1, X): its last state, or the mean or maximum of its states, or maximum and mean."""
    if kind == "last":
        return last_1D
    parts = {"max": states_SD.max(0, keepdims=True), "mean": states_SD.mean(0, keepdims=True)}
    return np.concatenate([parts[part] for part in kind.split("_")], 1)


def is_residual(part: Mapping[str, Any], depth: int) -> bool:
    """Whether a layer of encoder or decoder (the lowest is 0) adds its input to its output."""
    first: int | None = part["residual_from"]
    return first is not None and depth + 1 >= first


def joined(*parts_NX: Floats | None) -> Floats:
    """Concatenate the vectors that are not None."""
    return np.concatenate([part for part in parts_NX if part is not None], 1)


def softmax(scores_X: Floats) -> Floats:
    """Over the last dimension."""
    exponentials_X: Floats = np.exp(scores_X - scores_X.max(-1, keepdims=True))
    shares_X: Floats = exponentials_X / exponentials_X.sum(-1, keepdims=True)
    return shares_X


def log_softmax(logits_NV: Floats) -> Floats:
    """Over the last dimension."""
    shifted_NV = logits_NV - logits_NV.max(-1, keepdims=True)
    log_probability_NV: Floats = shifted_NV - np.log(np.exp(shifted_NV).sum(-1, keepdims=True))
    return log_probability_NV
