// One step of the decoder, and the output layer. N rows (hypotheses of the sentence), V target vocabulary.
"use strict";

(() => {
  const { Attention, Cell, padded, split } = globalThis.seq2seq;

  class Decoder {
    constructor(packer, model, products) {
      Object.assign(this, { model, products, arena: products.arena });
      const { decoder, embeddingSize, encoderWidth: size } = model;
      const context = { size, bounded: model.contextBounded };
      const features = { size: model.featureSize, bounded: model.featuresBounded };
      const constant = { size: model.summaryWidth(model.top), bounded: model.summaryBounded };
      const embedding = { size: embeddingSize, bounded: true };
      this.context = decoder.feed_context ? constant : model.attends ? context : null;
      this.fed = decoder.input_feeding ? (model.upperLayersReceiveContext ? context : features) : null;
      this.embedding = packer.matrix("target_embedding.weight", { bounded: true });
      this.cells = Array.from({ length: decoder.layers }, (_, depth) => {
        const below = depth ? { size: decoder.size, bounded: model.decoderOutputBounded(depth - 1) } : embedding;
        const receives = depth ? model.upperLayersReceiveContext : model.attendsBefore || decoder.feed_context;
        const parts = [below, receives && this.context, !depth && this.fed].filter(Boolean);
        const bounded = model.stateBounded && model.startBounded;
        return new Cell(packer, `decoder.layers.${depth}`, decoder.cell, decoder.size, parts, bounded);
      });
      this.gatesSize = Math.max(...this.cells.map(({ gates }) => gates));
      this.attention = model.attends ? new Attention(packer, model, products) : null;
      this.readout = model.hasReadout ? this.packReadout(packer, embedding) : null;
    }

    packReadout(packer, embedding) {
      const { model } = this;
      const { decoder } = model;
      const state = { size: decoder.size, bounded: model.decoderOutputBounded(decoder.layers - 1) };
      const parts = [state, this.context, decoder.readout_sees_input && embedding].filter(Boolean);
      const matrices = split(parts).map((part) => packer.matrix("decoder.readout.weight", part));
      const bias = packer.vector(packer.tensors.floats("decoder.readout.bias"));
      const [{ outputs }, maxout] = [matrices[0], decoder.readout === "maxout"];
      return { matrices, bias, maxout, outputs, stride: maxout ? 2 * padded(model.featureSize) : outputs };
    }

    /** Make room for N rows and S source positions. */
    reserve(N, S) {
      const { arena, model, readout } = this;
      this.positions = S;
      const units = this.cells[0].size;
      this.gates = arena.floats(N * this.gatesSize);
      this.startGates = arena.floats(this.cells[0].gates);
      this.sums = [arena.floats(N * units), arena.floats(N * units)]; // outputs with residual connections, in turn
      this.mixed = readout && arena.floats(N * readout.stride);
      this.startMixed = readout && arena.floats(readout.outputs);
      this.features = arena.floats(N * padded(model.featureSize));
      [this.state, this.spare] = [this.makeState(N, S), this.makeState(N, S)];
      if (this.attention) this.attention.reserve(N, S);
    }

    /** States of all layers, the part of the next input that comes from this position, and the coverage. */
    makeState(N, S) {
      const { arena, model, cells, fed } = this;
      return {
        hidden: cells.map(({ size }) => arena.floats(N * size)),
        cell: cells.map(({ stateSize }) => arena.floats(N * stateSize)),
        fed: fed && arena.floats(N * padded(fed.size)),
        coverage: model.settings.coverage ? arena.floats(N * S) : 0,
      };
    }

    /** Begin a sentence, whose initial states are in the first row: see `Bridge.start`. */
    start(states, length, summary) {
      const { arena, products, cells, readout, state } = this;
      if (this.attention) this.attention.read(states, length);
      if (this.fed) arena.zero(state.fed, padded(this.fed.size));
      if (state.coverage) arena.zero(state.coverage, this.positions);
      arena.copy(cells[0].bias, this.startGates, cells[0].gates);
      if (readout) arena.copy(readout.bias, this.startMixed, readout.outputs);
      if (!this.model.decoder.feed_context) return;
      // The context vector is the same at all positions: it is multiplied once.
      products.add(cells[0].inputs[1], summary, 1, this.startGates);
      products.add(readout.matrices[1], summary, 1, this.startMixed);
    }

    /** Read one token per row: the state is replaced. Returns the address of the output layer's inputs. */
    read(tokens) {
      const { arena, model, products, cells, state, attention } = this;
      const rows = tokens.length;
      if (model.attendsBefore) attention.attend(state.hidden[cells.length - 1], rows, state.coverage);
      let outputs = 0;
      cells.forEach((cell, depth) => {
        this.fillGates(cell, depth, tokens, outputs);
        cell.step(products, this.gates, rows, state.hidden[depth], state.cell[depth]);
        const below = outputs;
        outputs = state.hidden[depth];
        if (model.isResidual(model.decoder, depth)) {
          products.kernels.add(below, outputs, this.sums[depth % 2], rows * cell.size);
          outputs = this.sums[depth % 2];
        }
        if (depth === model.queryLayer) attention.attend(outputs, rows, state.coverage);
      });
      const features = this.mix(outputs, tokens);
      const fed = model.upperLayersReceiveContext ? attention.context : features;
      if (this.fed) arena.copy(fed, state.fed, rows * padded(this.fed.size));
      return features;
    }

    /** The gates of a layer before its recurrent product. */
    fillGates(cell, depth, tokens, outputs) {
      const { products, model, gates, state, attention } = this;
      const [rows, { inputs }] = [tokens.length, cell];
      products.repeat(depth ? cell.bias : this.startGates, rows, cell.gates, gates);
      if (depth) products.add(inputs[0], outputs, rows, gates);
      else products.addEmbedded(inputs[0], this.embedding, tokens, gates);
      const receives = depth ? model.upperLayersReceiveContext : model.attendsBefore;
      if (receives) products.add(inputs[1], attention.context, rows, gates);
      if (!depth && this.fed) products.add(inputs[inputs.length - 1], state.fed, rows, gates);
    }

    /** The readout. */
    mix(outputs, tokens) {
      const { products, model, readout, mixed, attention } = this;
      if (!readout) return outputs;
      const [rows, { matrices, stride }] = [tokens.length, readout];
      products.repeat(this.startMixed, rows, readout.outputs, mixed, stride);
      products.add(matrices[0], outputs, rows, mixed, stride);
      if (attention) products.add(matrices[1], attention.context, rows, mixed, stride);
      if (model.decoder.readout_sees_input) {
        products.addEmbedded(matrices[matrices.length - 1], this.embedding, tokens, mixed, stride);
      }
      if (readout.maxout) {
        products.kernels.maxout(mixed, this.features, rows * padded(model.featureSize));
        return this.features;
      }
      products.kernels.tanh(mixed, rows * stride);
      return mixed;
    }

    /** Row n of the state becomes the old row rows[n]; rows may repeat. */
    select(rows) {
      if (rows.every((row, n) => row === n)) return;
      const { state, spare, arena } = this;
      const move = (from, to, width) => {
        rows.forEach((row, n) => arena.copy(from + 4 * row * width, to + 4 * n * width, width));
      };
      this.cells.forEach(({ size, stateSize }, depth) => {
        move(state.hidden[depth], spare.hidden[depth], size);
        if (stateSize) move(state.cell[depth], spare.cell[depth], stateSize);
      });
      if (this.fed) move(state.fed, spare.fed, padded(this.fed.size));
      if (state.coverage) move(state.coverage, spare.coverage, this.positions);
      [this.state, this.spare] = [spare, state];
    }
  }

  Object.assign(globalThis.seq2seq, { Decoder });
})();
