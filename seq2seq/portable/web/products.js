// Products of packed weights with the rows of vectors, and recurrent cells, which consist of them.
//
// Vectors are addresses of float32 rows, padded as weights.js says. With int8 weights, inputs in [-1, 1] are rounded to
// 14 bits; embeddings keep their own 8 bits and the scale of their row; all other inputs are multiplied in float32.
"use strict";

(() => {
  const { BLOCKS, padded, split } = globalThis.seq2seq;

  const INPUT_LEVELS = 8127; // as in kernels.ts

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
    add(matrix, x, rows, out, stride = matrix.outputs) {
      const { address, scales, outputs, width } = matrix;
      if (!scales) return this.kernels.addFloatProduct(x, rows, address, outputs, width, out, stride);
      this.kernels.encode(x, this.codes, rows * width);
      this.addIntegers(matrix, this.scales, rows, out, stride);
    }

    addIntegers({ address, scales, outputs, width }, inputScales, rows, out, stride) {
      this.kernels.addIntegerProduct(this.codes, inputScales, rows, address, scales, outputs, width, out, stride);
    }

    /** As `add`, with the embeddings of tokens as x. */
    addEmbedded(matrix, embedding, tokens, out, stride = matrix.outputs) {
      const { kernels, arena } = this;
      const { address, scales, width } = embedding;
      if (!scales) {
        tokens.forEach((token, row) => {
          arena.copy(address + 4 * token * width, this.embedded + 4 * row * width, width);
        });
        return this.add(matrix, this.embedded, tokens.length, out, stride);
      }
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

  /** A recurrent cell; the equations are in kernels.ts. */
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
      Object.assign(this, { kind, units, size: padded(units), gates: blocks * padded(units) });
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

    /** One position of some rows: hidden and cell state are replaced; the gates hold W x + b and are overwritten. */
    step(products, gates, rows, hidden, cell) {
      const { kernels, hiddenGates } = products;
      if (this.kind === "gru") {
        products.linear({ matrix: this.hidden, bias: this.hiddenBias }, hidden, rows, hiddenGates);
        return kernels.gru(gates, hiddenGates, hidden, rows, this.size);
      }
      products.add(this.hidden, hidden, rows, gates);
      if (this.kind === "lstm") return kernels.lstm(gates, cell, hidden, rows, this.size);
      if (this.kind === "layer_norm_lstm") {
        return kernels.layerNormLstm(gates, cell, hidden, rows, this.size, this.norms, this.units);
      }
      kernels[this.kind === "rnn_relu" ? "relu" : "tanh"](gates, rows * this.size);
      products.arena.copy(gates, hidden, rows * this.size);
    }
  }

  Object.assign(globalThis.seq2seq, { Cell, Products });
})();
