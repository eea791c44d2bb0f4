// The output layer: log-probabilities of the next token, over the whole vocabulary or a shortlist, with copies.
// N rows, F width of the features, V target vocabulary or length of the shortlist.
"use strict";

(() => {
  const { padded } = globalThis.seq2seq;

  const TINY = 1e-30; // as in seq2seq/model/pointer.py

  class Output {
    /** `copies` is the target token that each source token copies, -1 for none; null without a copy mechanism. */
    constructor(packer, model, products, copies) {
      const { tensors } = packer;
      Object.assign(this, { products, arena: products.arena, copies, featureSize: model.featureSize });
      const matrix = packer.matrix(model.outputName, { bounded: model.featuresBounded });
      const values = tensors.floats("output.bias");
      this.whole = { matrix, bias: packer.vector(values, { padding: -Infinity }), vocabulary: values.length };
      this.gate = copies && [...tensors.floats("pointer.gate.weight"), tensors.floats("pointer.gate.bias")[0]];
    }

    /** Make room for N rows. */
    reserve(N) {
      const { arena } = this;
      this.logits = arena.floats(N * this.whole.matrix.outputs);
      this.totals = arena.floats(N);
      [this.values, this.places] = [arena.floats(2 * N), arena.floats(2 * N)]; // of the best continuations
      this.listed = null;
    }

    /** Begin a sentence; `tokens` is its shortlist, ids in increasing order, or null. */
    start(source, tokens) {
      this.tokens = tokens;
      this.current = tokens ? this.select(tokens) : this.whole;
      this.width = this.current.matrix.outputs;
      const places = tokens && new Map(tokens.map((token, place) => [token, place]));
      /** The place of a token in a row of log-probabilities; undefined if it is not in the shortlist. */
      this.placeOf = (token) => (places ? places.get(token) : token >= 0 ? token : undefined);
      /** The place that each source position copies. */
      this.copied = this.copies && Array.from(source, (token) => this.placeOf(this.copies[token]));
    }

    /** The rows of these tokens. They take the place of those of the sentence before. */
    select(tokens) {
      const { arena } = this;
      const { matrix, bias } = this.whole;
      const [outputs, bytes] = [padded(tokens.length), matrix.width * (matrix.scales ? 1 : 4)];
      // Reserved for all tokens at once, because no other sentence needs more.
      this.listed = this.listed || {
        address: arena.allocate(matrix.outputs * bytes),
        scales: matrix.scales && arena.floats(matrix.outputs),
        bias: arena.floats(matrix.outputs),
      };
      const { address, scales, bias: ownBias } = this.listed;
      arena.at(ownBias, outputs).fill(-Infinity);
      tokens.forEach((token, place) => {
        const from = matrix.address + token * bytes;
        arena.u8.copyWithin(address + place * bytes, from, from + bytes);
        if (scales) arena.f32[scales / 4 + place] = arena.f32[matrix.scales / 4 + token];
        arena.f32[ownBias / 4 + place] = arena.f32[bias / 4 + token];
      });
      return { matrix: { ...matrix, address, scales, outputs }, bias: ownBias, vocabulary: tokens.length };
    }

    /** Compute the log-probabilities of each row. */
    read(features, rows, attention) {
      const { kernels } = this.products;
      const { logits, width } = this;
      this.products.linear(this.current, features, rows, logits);
      for (let row = 0; row < rows; row++) {
        const at = logits + 4 * row * width;
        const highest = kernels.largest(at, width);
        kernels.subtract(at, width, highest, Math.log(kernels.sumOfExponentials(at, width, highest)));
        if (!this.copied) continue;
        const own = this.arena.at(features + 4 * row * padded(this.featureSize), this.featureSize);
        this.addCopies(at, own, attention.weightsOf(row));
      }
    }

    /** Mix the attention over source tokens into the log-probabilities: seq2seq/model/pointer.py. */
    addCopies(at, features, weights) {
      const { gate } = this;
      const sums = new Map();
      let mass = 0;
      this.copied.forEach((place, s) => {
        if (place === undefined) return;
        sums.set(place, (sums.get(place) || 0) + weights[s]);
        mass += weights[s];
      });
      const scale = Math.max(1, mass); // rounded weights sum to more
      const logit = features.reduce((sum, value, i) => sum + value * gate[i], gate[gate.length - 1]);
      const [open, copying] = [1 / (1 + Math.exp(-logit)), 1 / (1 + Math.exp(logit))];
      const rest = Math.log(Math.max(TINY, open + copying * Math.max(0, 1 - mass / scale)));
      this.products.kernels.subtract(at, this.width, -rest, 0);
      const row = this.arena.at(at, this.width);
      for (const [place, sum] of sums) {
        if (sum === 0) continue;
        const copy = Math.log(copying) + Math.log(Math.max(TINY, sum / scale));
        const larger = Math.max(row[place], copy);
        row[place] = larger + Math.log1p(Math.exp(-Math.abs(row[place] - copy)));
      }
    }

    /** The log-probabilities (V) of a row, a view until the next step. */
    row(row) {
      return this.arena.at(this.logits + 4 * row * this.width, this.current.vocabulary);
    }

    /** The best `wanted` sums of a row's total and a finite log-probability, best first: {sum, row, token}. */
    best(totals, wanted) {
      const { arena, width, tokens, values, places } = this;
      arena.f32.set(totals, this.totals / 4);
      const { kernels } = this.products;
      const found = kernels.best(this.logits, totals.length, width, this.totals, wanted, values, places);
      return Array.from({ length: found }, (_, i) => {
        const place = arena.u32[places / 4 + i];
        const token = tokens ? tokens[place % width] : place % width;
        return { sum: arena.f32[values / 4 + i], row: Math.floor(place / width), token };
      });
    }
  }

  Object.assign(globalThis.seq2seq, { Output });
})();
