// Attention: scores of the encoder's states, their softmax, and the weighted mean of the states.
//
// N rows, S source positions, A width of the keys, M heads, D width of the encoder. The equations are in
// seq2seq/model/attention.py.
"use strict";

(() => {
  const { padded } = globalThis.seq2seq;

  class Attention {
    constructor(packer, model, products) {
      const { settings, heads, keySize, queryBounded, encoderWidth } = model;
      const { tensors, arena } = packer;
      const [name, kind] = ["decoder.attention", settings.attention];
      Object.assign(this, { products, arena, heads, size: padded(keySize), width: padded(encoderWidth) });
      Object.assign(this, { keyShare: keySize / heads, valueShare: encoderWidth / heads, kind });
      const bounded = model.encoderOutputBounded(model.top);
      const states = (map) => ({ matrix: packer.matrix(`${name}.${map}.weight`, { bounded }) });
      this.keyMap = kind === "dot" ? null : states("key_map");
      this.valueMap = heads > 1 ? states("value_map") : null;
      const factor = kind === "scaled_dot" ? Math.sqrt(heads / keySize) : 1;
      const mapped = kind === "additive" || kind === "scaled_dot";
      this.queryMap = mapped ? packer.linear(`${name}.query_map`, queryBounded, factor) : null;
      this.energies = kind === "additive" ? this.packEnergies(tensors.floats(`${name}.energy.weight`)) : 0;
      this.coverageMap = settings.coverage ? packer.vector(tensors.floats(`${name}.coverage_map.weight`)) : 0;
      this.window = settings.attention_window && {
        reach: settings.attention_window,
        map: { matrix: packer.matrix(`${name}.window.query_map.weight`, { bounded: queryBounded }) },
        place: tensors.floats(`${name}.window.place.weight`).slice(),
      };
    }

    /** Each head's share of v in a row of its own, zeros elsewhere: one product serves all heads. */
    packEnergies(energy) {
      const address = this.arena.floats(this.heads * this.size);
      for (let head = 0; head < this.heads; head++) {
        const [from, to] = [head * this.keyShare, (head + 1) * this.keyShare];
        this.arena.f32.set(energy.subarray(from, to), address / 4 + head * this.size + from);
      }
      return address;
    }

    /** Make room for N rows and S positions. */
    reserve(N, S) {
      const { arena, heads, size, width, window } = this;
      this.capacity = S;
      [this.keys, this.values] = [arena.floats(S * size), arena.floats(S * width)];
      this.queries = arena.floats(N * size);
      this.headQueries = arena.floats(heads * size);
      this.sums = arena.floats(S * size);
      this.scores = arena.floats(heads * S);
      this.headContext = arena.floats(width);
      this.windowStates = window && arena.floats(N * window.map.matrix.outputs);
      /** The results: contexts (N, D), and weights (N, S), averaged over heads. */
      [this.context, this.weights] = [arena.floats(N * width), arena.floats(N * S)];
    }

    /** Prepare the keys and values of a sentence. */
    read(states, length) {
      const { arena, products, keyMap, valueMap } = this;
      this.length = length;
      if (keyMap) products.linear(keyMap, states, length, this.keys);
      else arena.copy(states, this.keys, length * this.size);
      if (valueMap) products.linear(valueMap, states, length, this.values);
      else arena.copy(states, this.values, length * this.width);
    }

    /** A row's weights (S), averaged over heads: a view until the next step. */
    weightsOf(row) {
      return this.arena.at(this.weights + 4 * row * this.capacity, this.length);
    }

    /** Attend with one query per row. With coverage, weights are added to its rows. */
    attend(query, rows, coverage) {
      const { queryMap, queries, products, length } = this;
      const gaussians = this.window && this.gaussians(query, rows);
      if (queryMap) products.linear(queryMap, query, rows, queries);
      for (let row = 0; row < rows; row++) {
        const covered = coverage && coverage + 4 * row * this.capacity;
        this.score((queryMap ? queries : query) + 4 * row * this.size, covered);
        for (let head = 0; head < this.heads; head++) {
          this.normalize(this.scores + 4 * head * padded(length), gaussians && gaussians[row]);
        }
        this.mixValues(this.context + 4 * row * this.width);
        this.average(this.weightsOf(row), covered);
      }
    }

    /** The scores of all positions by one query, (M, S). */
    score(query, coverage) {
      const { arena, heads, size, keys, sums, scores, length } = this;
      const { kernels } = this.products;
      const S = padded(length);
      arena.zero(scores, heads * S);
      if (this.energies) {
        kernels.additiveSums(query, keys, length, size, coverage, this.coverageMap, sums);
        return kernels.addFloatProduct(this.energies, heads, sums, S, size, scores, S);
      }
      kernels.addFloatProduct(this.splitQuery(query), heads, keys, S, size, scores, S);
    }

    /** Each head's share of the query in a row of its own, zeros elsewhere. */
    splitQuery(query) {
      const { arena, heads, size, keyShare, headQueries } = this;
      if (heads === 1) return query;
      arena.zero(headQueries, heads * size);
      for (let head = 0; head < heads; head++) {
        const offset = 4 * head * keyShare;
        arena.copy(query + offset, headQueries + 4 * head * size + offset, keyShare);
      }
      return headQueries;
    }

    /** The softmax of a row of scores; within a window, times its Gaussian. */
    normalize(scores, gaussian) {
      const { kernels } = this.products;
      if (!gaussian) return kernels.softmax(scores, this.length);
      const weights = this.arena.at(scores, this.length);
      gaussian.forEach((value, s) => {
        if (value === 0) weights[s] = -Infinity;
      });
      kernels.softmax(scores, this.length);
      gaussian.forEach((value, s) => {
        weights[s] *= value;
      });
    }

    mixValues(context) {
      const { arena, heads, values, width, length, valueShare, scores, headContext } = this;
      const { kernels } = this.products;
      if (heads === 1) return kernels.weightedSum(scores, values, length, width, context);
      for (let head = 0; head < heads; head++) {
        kernels.weightedSum(scores + 4 * head * padded(length), values, length, width, headContext);
        arena.copy(headContext + 4 * head * valueShare, context + 4 * head * valueShare, valueShare);
      }
    }

    /** Replace `mean` by the weights averaged over heads, and add them to the coverage. */
    average(mean, coverage) {
      const { arena, heads, length } = this;
      const [all, S] = [arena.at(this.scores, heads * padded(length)), padded(length)];
      const covered = coverage && arena.at(coverage, length);
      for (let s = 0; s < length; s++) {
        let sum = 0;
        for (let head = 0; head < heads; head++) sum += all[head * S + s];
        mean[s] = sum / heads;
        if (covered) covered[s] += mean[s];
      }
    }

    /** Local-p attention: for each row the Gaussian (S) around a predicted position, 0 outside its window. */
    gaussians(query, rows) {
      const { products, arena, windowStates, length } = this;
      const { map, place, reach } = this.window;
      const width = map.matrix.outputs;
      products.linear(map, query, rows, windowStates);
      products.kernels.tanh(windowStates, rows * width);
      return Array.from({ length: rows }, (_, row) => {
        const state = arena.at(windowStates + 4 * row * width, place.length);
        const logit = place.reduce((sum, weight, i) => sum + weight * state[i], 0);
        const center = length / (1 + Math.exp(-logit));
        return Float32Array.from({ length }, (_, s) => {
          const distance = s + 1 - center;
          return Math.abs(distance) > reach ? 0 : Math.exp(-2 * (distance / reach) ** 2);
        });
      });
    }
  }

  Object.assign(globalThis.seq2seq, { Attention });
})();
