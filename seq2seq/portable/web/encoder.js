// The encoder, and the bridge to the decoder's initial state. S source positions, H units of a direction.
"use strict";

(() => {
  const { Cell, hasCellState, padded, startsFromCellState } = globalThis.seq2seq;

  class Encoder {
    constructor(packer, model, products) {
      const { encoder, embeddingSize, summaryBounded } = model;
      Object.assign(this, { model, products, arena: products.arena });
      this.embedding = packer.matrix(model.sourceName, { bounded: true });
      this.layers = Array.from({ length: encoder.layers }, (_, depth) => {
        const embedded = { size: embeddingSize, bounded: true };
        const below = depth && { size: model.layerWidth(depth - 1), bounded: model.encoderOutputBounded(depth - 1) };
        return model.directions(depth).map((direction) => {
          const name = `encoder.layers.${depth}.${direction}_cell`;
          const cell = new Cell(packer, name, encoder.cell, encoder.size, [below || embedded], summaryBounded);
          return { cell, reversed: direction === "reversed" };
        });
      });
      this.widths = this.layers.map((_, depth) => model.layerWidth(depth));
      this.gatesSize = Math.max(...this.layers.flat().map(({ cell }) => cell.gates));
      this.stateSize = this.layers[0][0].cell.stateSize;
    }

    /** Make room for sentences of S tokens. */
    reserve(S) {
      const { arena, model, widths } = this;
      const units = padded(model.encoder.size);
      const states = () => arena.floats(S * padded(Math.max(...widths)));
      this.gates = arena.floats(S * this.gatesSize);
      [this.hidden, this.cell] = [arena.floats(units), arena.floats(this.stateSize)];
      this.states = states(); // of the layer at hand
      this.outputs = [states(), states()]; // of this layer and the one below, in turn
      /** The summary of each layer's hidden states, and its last cell states; the summary again if it has none. */
      this.summaries = widths.map((_, depth) => arena.floats(padded(model.summaryWidth(depth))));
      this.cells = widths.map((_, depth) => arena.floats(padded(model.summaryWidth(depth))));
    }

    /** Encode source token ids. Returns the address of the top layer's outputs (S, D). */
    encode(source) {
      const { arena, products, model } = this;
      this.layers.forEach((layer, depth) => {
        const [count, below] = [source.length * padded(this.widths[depth]), this.outputs[(depth + 1) % 2]];
        const above = this.outputs[depth % 2];
        layer.forEach((direction, side) => this.read(direction, source, depth, side));
        this.summarize(source.length, depth);
        if (model.isResidual(model.encoder, depth)) products.kernels.add(below, this.states, above, count);
        else arena.copy(this.states, above, count);
      });
      return this.outputs[model.top % 2];
    }

    /** Read the sentence in one direction, whose states are the numbers from `side` · H on of each layer state. */
    read({ cell, reversed }, source, depth, side) {
      const { arena, products, hidden, gates } = this;
      const [S, width, offset] = [source.length, padded(this.widths[depth]), 4 * side * cell.units];
      products.repeat(cell.bias, S, cell.gates, gates);
      if (depth) products.add(cell.inputs[0], this.outputs[(depth + 1) % 2], S, gates);
      else products.addEmbedded(cell.inputs[0], this.embedding, source, gates);
      arena.zero(hidden, cell.size);
      arena.zero(this.cell, cell.stateSize);
      for (let t = 0; t < S; t++) {
        const s = reversed ? S - 1 - t : t;
        cell.step(products, gates + 4 * s * cell.gates, 1, hidden, this.cell);
        arena.copy(hidden, this.states + 4 * s * width + offset, cell.units);
      }
      arena.copy(hidden, this.summaries[depth] + offset, cell.units);
      if (hasCellState(cell.kind)) arena.copy(this.cell, this.cells[depth] + offset, cell.units);
    }

    /** Replace the last state by another summary if the model has one. */
    summarize(S, depth) {
      const { arena, model } = this;
      const [width, kind] = [this.widths[depth], model.settings.summary];
      const [states, stride] = [arena.f32.subarray(this.states / 4), padded(width)];
      const kinds = { last: [], mean: ["mean"], max: ["max"], max_mean: ["max", "mean"] }[kind];
      kinds.forEach((pool, part) => {
        const summary = arena.at(this.summaries[depth] + 4 * part * width, width);
        for (let i = 0; i < width; i++) {
          let [largest, sum] = [-Infinity, 0];
          for (let at = i; at < S * stride; at += stride) {
            largest = Math.max(largest, states[at]);
            sum += states[at];
          }
          summary[i] = pool === "max" ? largest : sum / S;
        }
      });
      if (hasCellState(model.encoder.cell)) return;
      arena.copy(this.summaries[depth], this.cells[depth], model.summaryWidth(depth));
    }
  }

  /** Initial hidden and cell states of the decoder's layers. */
  class Bridge {
    constructor(packer, model, products) {
      const { encoder, decoder, settings, summaryBounded } = model;
      Object.assign(this, { kind: settings.bridge, layers: model.bridgedLayers, products, size: padded(decoder.size) });
      const count = ["copy", "zero"].includes(this.kind) ? 0 : settings.bridge_shared ? 1 : decoder.layers;
      const maps = (name, bounded) => {
        return Array.from({ length: count }, (_, i) => packer.linear(`bridge.${name}_maps.${i}`, bounded));
      };
      this.hiddenMaps = maps("hidden", summaryBounded);
      if (!startsFromCellState(decoder.cell)) return;
      this.cellMaps = maps("cell", summaryBounded && !hasCellState(encoder.cell)); // cell states are unbounded
    }

    /** Fill the first row of each layer's states; `cells` are the decoder's. */
    start(encoder, state, cells) {
      const { arena } = this.products;
      cells.forEach((cell, layer) => {
        this.map(this.hiddenMaps, encoder.summaries, layer, state.hidden[layer]);
        if (this.cellMaps) this.map(this.cellMaps, encoder.cells, layer, state.cell[layer]);
        cell.start(arena.f32, state.hidden[layer], state.cell[layer]);
      });
    }

    map(maps, summaries, layer, out) {
      const { products, kind, size } = this;
      const summary = summaries[this.layers[layer]];
      if (kind === "zero") return products.arena.zero(out, size);
      if (kind === "copy") return products.arena.copy(summary, out, size);
      products.linear(maps[Math.min(layer, maps.length - 1)], summary, 1, out);
      if (kind === "tanh") products.kernels.tanh(out, size);
    }
  }

  Object.assign(globalThis.seq2seq, { Bridge, Encoder });
})();
