// The equations of the cells of 2018 and later, as in seq2seq/model/cells, where the papers are named.
//
// Each function computes one row in place. `at` has the places of the row's numbers in f32: gates (blocks of `size`
// numbers), hidden and cell state; H units, M heads of P units. Numbers of padding stay zero.
"use strict";

(() => {
  const HEADS = 4;

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  const logSigmoid = (x) => -softplus(-x);
  const logAdd = (a, b) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
  const mixed = (share, first, second) => share * first + (1 - share) * second;
  const positive = (x) => (x >= 0 ? x + 0.5 : sigmoid(x));

  const gcd = (a, b) => (b ? gcd(b, a % b) : a);
  const headsOf = (units) => gcd(units, HEADS);

  /** c' = f · c + (1 - f) · x̃, h' = ReLU(c'). */
  function ssru(f32, { gates, hidden, cell, units, size }) {
    for (let i = 0; i < units; i++) {
      const c = mixed(sigmoid(f32[gates + size + i]), f32[cell + i], f32[gates + i]);
      f32[cell + i] = c;
      f32[hidden + i] = Math.max(c, 0);
    }
  }

  /** f and r also see c: v_f · c, v_r · c. h' = r · c' + (1 - r) · W_x x. */
  function sru(f32, { gates, hidden, cell, units, size, peephole }) {
    for (let i = 0; i < units; i++) {
      const [at, before] = [gates + i, f32[cell + i]];
      const f = sigmoid(f32[at + size] + f32[peephole + i] * before);
      const r = sigmoid(f32[at + 2 * size] + f32[peephole + size + i] * before);
      f32[cell + i] = mixed(f, before, f32[at]);
      f32[hidden + i] = mixed(r, f32[cell + i], f32[at + 3 * size]);
    }
  }

  /** h' = (1 - z) · h + z · g(h̃). */
  function minGru(f32, { gates, hidden, units, size }) {
    for (let i = 0; i < units; i++) {
      const kept = sigmoid(-f32[gates + i]);
      f32[hidden + i] = mixed(kept, f32[hidden + i], positive(f32[gates + size + i]));
    }
  }

  /** h' = f' · h + i' · g(h̃), where f' and i' have the sum 1. */
  function minLstm(f32, { gates, hidden, units, size }) {
    for (let i = 0; i < units; i++) {
      const kept = sigmoid(logSigmoid(f32[gates + size + i]) - logSigmoid(f32[gates + i]));
      f32[hidden + i] = mixed(kept, f32[hidden + i], positive(f32[gates + 2 * size + i]));
    }
  }

  /** y' = s · y + (1 - s) · z, h' = o · y'; the cell state is y and ln n. */
  function slstm(f32, { gates, hidden, cell, units, size }) {
    for (let i = 0; i < units; i++) {
      const [input, forget, z, o] = [0, 1, 2, 3].map((block) => f32[gates + block * size + i]);
      const logKept = logSigmoid(forget) + f32[cell + size + i];
      const y = mixed(sigmoid(logKept - input), f32[cell + i], Math.tanh(z));
      f32[cell + i] = y;
      f32[cell + size + i] = logAdd(logKept, input);
      f32[hidden + i] = sigmoid(o) * y;
    }
  }

  /** C' = s · C + (1 - s) · v kᵀ, n' likewise, h' = o · C' q / max(|n' · q|, 1 / w'); the state is C, n and ln w. */
  function mlstm(f32, { gates, hidden, cell, units, size }) {
    const [M, P] = [headsOf(units), units / headsOf(units)];
    const [keys, logWeights, numbers] = [cell + units * P, cell + units * P + units, gates + 4 * size];
    for (let m = 0; m < M; m++) {
      const [q, k, v] = [0, 1, 2].map((block) => f32.subarray(gates + block * size + m * P).subarray(0, P));
      const [input, forget] = [f32[numbers + m], f32[numbers + 16 + m]];
      const logKept = logSigmoid(forget) + f32[logWeights + m];
      const [share, logWeight] = [sigmoid(logKept - input), logAdd(logKept, input)];
      f32[logWeights + m] = logWeight;
      let ofKeys = 0;
      for (let p = 0; p < P; p++) {
        k[p] *= P ** -0.5;
        const at = keys + m * P + p;
        f32[at] = mixed(share, f32[at], k[p]);
        ofKeys += f32[at] * q[p];
      }
      const divisor = Math.max(Math.abs(ofKeys), Math.exp(Math.min(-logWeight, 60)));
      for (let p = 0; p < P; p++) {
        let read = 0;
        const row = cell + (m * P + p) * P;
        for (let j = 0; j < P; j++) {
          f32[row + j] = mixed(share, f32[row + j], v[p] * k[j]);
          read += f32[row + j] * q[j];
        }
        f32[hidden + m * P + p] = (sigmoid(f32[gates + 3 * size + m * P + p]) * read) / divisor;
      }
    }
  }

  /** An mLSTM starts with one value, the bridge's vector, under the key whose numbers are all 1/√P. */
  function startMlstm(f32, { hidden, cell, units }) {
    const [M, P] = [headsOf(units), units / headsOf(units)];
    for (let i = 0; i < units * P; i++) f32[cell + i] = f32[hidden + Math.floor(i / P)] * P ** -0.5;
    f32.fill(P ** -0.5, cell + units * P, cell + units * P + units);
    f32.fill(0, cell + units * P + units, cell + units * P + units + M);
  }

  /** The bridge's vector is the cell state. */
  const startFromHidden = (f32, { hidden, cell, size }) => f32.copyWithin(cell, hidden, hidden + size);

  function startSsru(f32, at) {
    startFromHidden(f32, at);
    for (let i = at.hidden; i < at.hidden + at.size; i++) f32[i] = Math.max(f32[i], 0);
  }

  /** The first n of an sLSTM is 1. */
  const startSlstm = (f32, { cell, size }) => f32.fill(0, cell + size, cell + 2 * size);

  /** By kind: the step of a row; its initial state from the bridge's; width of the cell state of H units, H padded. */
  const RECENT = {
    ssru: { step: ssru, start: startSsru, stateSize: (units, size) => size },
    sru: { step: sru, start: startFromHidden, stateSize: (units, size) => size },
    min_gru: { step: minGru, start: () => {}, stateSize: () => 0 },
    min_lstm: { step: minLstm, start: () => {}, stateSize: () => 0 },
    slstm: { step: slstm, start: startSlstm, stateSize: (units, size) => 2 * size },
    mlstm: {
      step: mlstm,
      start: startMlstm,
      stateSize: (units) => units * (units / headsOf(units)) + units + headsOf(units),
    },
  };

  Object.assign(globalThis.seq2seq, { RECENT });
})();
