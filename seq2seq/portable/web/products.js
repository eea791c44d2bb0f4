// Products of packed weights with the rows of vectors, and recurrent cells, which consist of them.
//
// Vectors are addresses of float32 rows, padded as weights.js says. With int8 weights, inputs in [-1, 1] are rounded to
// 14 bits; embeddings keep their own 8 bits and the scale of their row; all other inputs are multiplied in float32.
"use strict";

(() => {
  const { BLOCKS, RECENT, hasCellState, padded, split } = globalThis.seq2seq;

  const INPUT_LEVELS = 8127; // as in kernels.ts

  /** Outputs of a matrix and of the one that is stacked below it, if any. */
  const stacked = (matrix) => matrix.outputs + (matrix.below ? matrix.below.outputs : 0);

  class Products {
    constructor(kernels, arena) {
      Object.assign(this, { kernels, arena });
    }

    /** Make room for the inputs and hidden gates of so many rows. */
    reserve(rows, widest, gates) {
      const { arena } = this;
      this.codes = arena.allocate(2 * rows * widest);
      this.embedded = arena.floats(rows * widest);
      this.embeddedScales = arena.floats(rows);
      this.scales = arena.floats(rows);
      arena.at(this.scales, rows).fill(1 / INPUT_LEVELS);
      this.hiddenGates = arena.floats(rows * gates);
    }

    /** Add W x of each row to the rows of out, which are `stride` numbers apart. */
    add(matrix, x, rows, out, stride = stacked(matrix)) {
      if (matrix.below) this.add(matrix.below, x, rows, out + 4 * matrix.outputs, stride);
      const { address, scales, outputs, width } = matrix;
      if (!scales) return this.kernels.addFloatProduct(x, rows, address, outputs, width, out, stride);
      this.kernels.encode(x, this.codes, rows * width);
      this.addIntegers(matrix, this.scales, rows, out, stride);
    }

    addIntegers({ address, scales, outputs, width }, inputScales, rows, out, stride) {
      this.kernels.addIntegerProduct(this.codes, inputScales, rows, address, scales, outputs, width, out, stride);
    }

    /** As `add`, with the embeddings of tokens as x. */
    addEmbedded(matrix, embedding, tokens, out, stride = stacked(matrix)) {
      const { kernels, arena } = this;
      const { address, scales, width } = embedding;
      if (!scales) {
        tokens.forEach((token, row) => {
          arena.copy(address + 4 * token * width, this.embedded + 4 * row * width, width);
        });
        return this.add(matrix, this.embedded, tokens.length, out, stride);
      }
      if (matrix.below) this.addEmbedded(matrix.below, embedding, tokens, out + 4 * matrix.outputs, stride);
      tokens.forEach((token, row) => {
        kernels.widen(address + token * width, this.codes + 2 * row * width, width);
        arena.f32[this.embeddedScales / 4 + row] = arena.f32[scales / 4 + token];
      });
      this.addIntegers(matrix, this.embeddedScales, tokens.length, out, stride);
    }

    /** Copy one row of `count` numbers to each of the rows of out. */
    repeat(row, rows, count, out, stride = count) {
      this.kernels.broadcast(row, rows, 4 * count, out, 4 * stride);
    }

    /** out = W x + b of each row; without a bias W x. */
    linear({ matrix, bias = 0 }, x, rows, out) {
      if (bias) this.repeat(bias, rows, matrix.outputs, out);
      else this.arena.zero(out, rows * matrix.outputs);
      this.add(matrix, x, rows, out);
    }
  }

  /** A recurrent cell; the equations are in kernels.ts and cells.js. */
  class Cell {
    /**
     * @param name    of its weights
     * @param kind    as in config.json
     * @param units   H
     * @param parts   its input vectors in order: {size, bounded}
     * @param bounded whether its hidden state is
     */
    constructor(packer, name, kind, units, parts, bounded) {
      const [ending, blocks] = [kind === "layer_norm_lstm" ? "" : "_l0", BLOCKS[kind]];
      const { tensors } = packer;
      const size = padded(units);
      Object.assign(this, { kind, units, size, gates: blocks * size, stateSize: hasCellState(kind) ? size : 0 });
      if (kind in RECENT) return void this.packRecent(packer, name, blocks, parts, bounded);
      this.hidden = packer.matrix(`${name}.weight_hh${ending}`, { blocks, bounded });
      this.inputs = split(parts).map((part) => packer.matrix(`${name}.weight_ih${ending}`, { blocks, ...part }));
      if (kind === "layer_norm_lstm") {
        this.bias = packer.vector(new Float32Array(blocks * units), { blocks });
        const vectors = ["gate_norm.weight", "gate_norm.bias", "cell_norm.weight", "cell_norm.bias"];
        const pack = (vector, i) => packer.vector(tensors.floats(`${name}.${vector}`), { blocks: i < 2 ? 4 : 1 });
        [this.norms] = vectors.map(pack); // the kernel finds the others behind the first
        return;
      }
      const [input, hidden] = ["ih", "hh"].map((side) => tensors.floats(`${name}.bias_${side}_l0`));
      const both = input.map((value, i) => value + hidden[i]);
      this.bias = packer.vector(kind === "gru" ? input : both, { blocks });
      this.hiddenBias = kind === "gru" && packer.vector(hidden, { blocks });
    }

    /** The weights of a cell of cells.js. */
    packRecent(packer, name, blocks, parts, bounded) {
      const { kind, units, size } = this;
      this.stateSize = RECENT[kind].stateSize(units, size);
      const bias = packer.tensors.floats(`${name}.bias`);
      this.inputs = split(parts).map((part) => packer.matrix(`${name}.weight_ih`, { blocks, ...part }));
      this.hidden = kind === "slstm" && packer.matrix(`${name}.weight_hh`, { blocks, bounded });
      if (kind === "sru") this.peephole = packer.vector(packer.tensors.floats(`${name}.peephole`), { blocks: 2 }) / 4;
      this.bias = packer.vector(bias.subarray(0, blocks * units), { blocks });
      if (kind !== "mlstm") return;
      // The heads' gates are stacked below: two blocks of at most 4 numbers, each padded to 16.
      this.gates += 32;
      packer.vector(bias.subarray(blocks * units), { blocks: 2 }); // right behind the other biases
      this.inputs = split(parts).map((part, i) => {
        return { ...this.inputs[i], below: packer.matrix(`${name}.weight_gates`, { blocks: 2, ...part }) };
      });
    }

    /** One position of some rows: hidden and cell state are replaced; the gates hold W x + b and are overwritten. */
    step(products, gates, rows, hidden, cell) {
      const { kernels, hiddenGates } = products;
      if (this.kind === "gru") {
        products.linear({ matrix: this.hidden, bias: this.hiddenBias }, hidden, rows, hiddenGates);
        return kernels.gru(gates, hiddenGates, hidden, rows, this.size);
      }
      if (this.hidden) products.add(this.hidden, hidden, rows, gates);
      if (this.kind in RECENT) return this.stepRecent(products.arena.f32, gates / 4, rows, hidden / 4, cell / 4);
      if (this.kind === "lstm") return kernels.lstm(gates, cell, hidden, rows, this.size);
      if (this.kind === "layer_norm_lstm") {
        return kernels.layerNormLstm(gates, cell, hidden, rows, this.size, this.norms, this.units);
      }
      kernels[this.kind === "rnn_relu" ? "relu" : "tanh"](gates, rows * this.size);
      products.arena.copy(gates, hidden, rows * this.size);
    }

    stepRecent(f32, gates, rows, hidden, cell) {
      const { kind, units, size, peephole, stateSize } = this;
      for (let row = 0; row < rows; row++) {
        const at = { gates: gates + row * this.gates, hidden: hidden + row * size, cell: cell + row * stateSize };
        RECENT[kind].step(f32, { ...at, units, size, peephole });
      }
    }

    /** Turn the first row of the bridge's states into the initial state. */
    start(f32, hidden, cell) {
      const { kind, units, size } = this;
      if (kind in RECENT) RECENT[kind].start(f32, { hidden: hidden / 4, cell: cell / 4, units, size });
    }
  }

  Object.assign(globalThis.seq2seq, { Cell, Products });
})();
