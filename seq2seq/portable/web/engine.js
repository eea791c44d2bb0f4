// The network: encoder, bridge, and one step of the decoder, by the kernels. The equations and the names of weights are
// those of seq2seq/portable/network.py. Needs weights.js; search.js describes the interface.
//
// N rows (hypotheses of the sentence), S source positions, V target vocabulary. Vectors are addresses of float32 rows,
// padded as weights.js says. With int8 weights, inputs that lie in [-1, 1] whatever the weights are take 14 bits;
// embeddings keep their own 8 bits and the scale of their row; all other inputs are multiplied in float32.
"use strict";

(() => {
  const { Arena, Packer, Tensors, padded } = globalThis;

  const BLOCKS = { lstm: 4, layer_norm_lstm: 4, gru: 3, rnn_tanh: 1, rnn_relu: 1 };
  const WORDS = {
    direction: ["forward", "reversed", "bidirectional", "alternating", "gnmt"],
    summary: ["last", "mean", "max", "max_mean"],
    bridge: ["copy", "linear", "tanh", "zero"],
    attention: ["none", "dot", "general", "scaled_dot", "additive"],
    attention_order: ["gnmt", "luong", "bahdanau"],
    readout: ["tanh", "maxout"],
    tying: ["none", "output", "all"],
    copy: ["none", "pointer"],
  };
  const INPUT_LEVELS = 8127; // as in kernels.ts

  const hasCellState = (kind) => kind === "lstm" || kind === "layer_norm_lstm";

  /** Load a model: see search.js. */
  async function loadEngine(config, weights, wasm) {
    check(config);
    const { instance } = await WebAssembly.instantiate(wasm, {});
    return new Engine(config, new Tensors(weights), instance.exports);
  }

  /** Refuse what this version does not compute, by its name. */
  function check({ format, model }) {
    if (format !== 1) throw new Error(`config.json has format ${format}, and this page reads format 1: export the model again`);
    const found = { ...model, direction: model.encoder.direction, readout: model.decoder.readout };
    const cells = [["encoder", model.encoder.cell], ["decoder", model.decoder.cell]];
    const unknown = Object.keys(WORDS).filter((name) => !WORDS[name].includes(found[name])).map((name) => `${name}=${found[name]}`);
    unknown.push(...cells.filter(([, cell]) => !(cell in BLOCKS)).map(([part, cell]) => `${part}.cell=${cell}`));
    if (unknown.length) throw new Error(`model.${unknown[0]} is not supported: export the model again`);
    if (!model.encoder.layers) throw new Error("model.encoder.layers=0 is a language model, which does not translate");
  }

  /** A recurrent cell. */
  class Cell {
    /**
     * @param name   of its weights
     * @param units  H
     * @param parts  its input vectors in order: {size, bounded}
     * @param bounded whether the hidden state is
     */
    constructor(packer, name, kind, units, parts, bounded) {
      const { tensors } = packer;
      const [ending, blocks] = [kind === "layer_norm_lstm" ? "" : "_l0", BLOCKS[kind]];
      Object.assign(this, { kind, units, size: padded(units), stride: blocks * padded(units), norms: 0, hiddenBias: 0 });
      this.hidden = packer.matrix(`${name}.weight_hh${ending}`, { blocks, bounded });
      this.inputs = columns(parts).map((part) => packer.matrix(`${name}.weight_ih${ending}`, { blocks, ...part }));
      if (kind === "layer_norm_lstm") {
        this.bias = packer.vector(new Float32Array(blocks * units), { blocks });
        this.norms = packer.vector(tensors.floats(`${name}.gate_norm.weight`), { blocks });
        packer.vector(tensors.floats(`${name}.gate_norm.bias`), { blocks });
        packer.vector(tensors.floats(`${name}.cell_norm.weight`));
        packer.vector(tensors.floats(`${name}.cell_norm.bias`));
        return;
      }
      const [input, hidden] = ["ih", "hh"].map((side) => tensors.floats(`${name}.bias_${side}_l0`));
      this.bias = packer.vector(kind === "gru" ? input : input.map((value, i) => value + hidden[i]), { blocks });
      if (kind === "gru") this.hiddenBias = packer.vector(hidden, { blocks });
    }
  }

  /** The columns of a matrix that each of its input vectors is multiplied by. */
  function columns(parts) {
    let from = 0;
    return parts.map(({ size, bounded }) => {
      from += size;
      return { from: from - size, to: from, bounded };
    });
  }

  class Engine {
    constructor(config, tensors, kernels) {
      const { model, vocabulary } = config;
      Object.assign(this, { config, model, kernels, attends: model.attention !== "none" });
      this.arena = new Arena(kernels.memory, kernels.firstAddress.value);
      const packer = new Packer(tensors, this.arena);
      this.bounded = boundedVectors(model);
      this.packEmbeddings(packer, tensors);
      this.packEncoder(packer);
      this.packBridge(packer, tensors);
      if (this.attends) this.packAttention(packer, tensors);
      this.packDecoder(packer);
      this.packOutput(packer, tensors, vocabulary.target);
      this.widest = packer.widest;
      this.gatesWidth = Math.max(...[...this.cells, ...this.encoderLayers.flat().map(({ cell }) => cell)].map(({ stride }) => stride));
      this.end = this.arena.next;
      this.reserve(config.search.beam_size, 64);
    }

    // ---- weights ----

    packEmbeddings(packer, tensors) {
      this.targetEmbedding = packer.matrix("target_embedding.weight");
      this.sourceEmbedding = this.model.tying === "all" ? this.targetEmbedding : packer.matrix("source_embedding.weight");
    }

    packEncoder(packer) {
      const { encoder, embedding_size: embedding } = this.model;
      this.residualFrom = (encoder.residual_from || encoder.layers + 1) - 1;
      this.encoderLayers = Array.from({ length: encoder.layers }, (_, depth) => {
        const size = depth ? layerWidth(encoder, depth - 1) : embedding;
        const parts = [{ size, bounded: !depth || this.bounded.encoderOutput(depth - 1) }];
        return directions(encoder.direction, depth).map((direction) => ({
          reversed: direction === "reversed",
          cell: new Cell(packer, `encoder.layers.${depth}.${direction}_cell`, encoder.cell, encoder.size, parts, this.bounded.summary),
        }));
      });
    }

    packBridge(packer, tensors) {
      const { encoder, decoder, bridge, bridge_shared: shared } = this.model;
      const top = encoder.layers - 1;
      this.bridgedLayers = Array.from({ length: decoder.layers }, (_, depth) => shared ? top : Math.max(0, encoder.layers - decoder.layers + depth));
      const maps = (kind, bounded) => {
        if (bridge === "copy" || bridge === "zero") return [];
        return this.bridgedLayers.slice(0, shared ? 1 : decoder.layers).map((_, i) => linear(packer, `bridge.${kind}_maps.${i}`, bounded));
      };
      this.hiddenMaps = maps("hidden", this.bounded.summary);
      this.cellMaps = hasCellState(decoder.cell) ? maps("cell", !hasCellState(encoder.cell) && this.bounded.summary) : [];
    }

    packAttention(packer, tensors) {
      const { model, bounded } = this;
      const [name, heads] = ["decoder.attention", model.attention_heads];
      const keySize = model.attention_size || model.decoder.size;
      const mapped = model.attention === "additive" || model.attention === "scaled_dot";
      const factor = model.attention === "scaled_dot" ? Math.sqrt(heads / keySize) : 1;
      const width = layerWidth(model.encoder, model.encoder.layers - 1);
      const top = bounded.encoderOutput(model.encoder.layers - 1);
      this.attention = {
        heads,
        size: model.attention === "dot" ? width : keySize,
        width,
        keyMap: model.attention === "dot" ? null : packer.matrix(`${name}.key_map.weight`, { bounded: top }),
        valueMap: heads > 1 ? packer.matrix(`${name}.value_map.weight`, { bounded: top }) : null,
        queryMap: mapped ? linear(packer, `${name}.query_map`, bounded.query, { factor }) : null,
        energies: model.attention === "additive" ? this.packEnergies(tensors.floats(`${name}.energy.weight`), heads) : 0,
        coverage: model.coverage ? packer.vector(tensors.floats(`${name}.coverage_map.weight`)) : 0,
        window: model.attention_window && {
          reach: model.attention_window,
          map: packer.matrix(`${name}.window.query_map.weight`, { bounded: bounded.query }),
          place: tensors.floats(`${name}.window.place.weight`).slice(),
        },
      };
    }

    /** Each head's share of v in a row of its own, zeros elsewhere. */
    packEnergies(energy, heads) {
      const [width, share] = [padded(energy.length), energy.length / heads];
      const address = this.arena.floats(heads * width);
      for (let head = 0; head < heads; head++) {
        this.arena.f32.set(energy.subarray(head * share, (head + 1) * share), address / 4 + head * width + head * share);
      }
      return address;
    }

    packDecoder(packer) {
      const { model, bounded } = this;
      const { decoder, attention_order: order, embedding_size: embedding } = model;
      const width = layerWidth(model.encoder, model.encoder.layers - 1);
      const context = { size: width, bounded: bounded.context };
      const [before, above] = [this.attends && order === "bahdanau", this.attends && order === "gnmt"];
      this.fedPart = !decoder.input_feeding ? null : above ? context : { size: featureSize(model), bounded: bounded.features };
      this.contextPart = decoder.feed_context ? { size: summaryWidth(model, model.encoder.layers - 1), bounded: bounded.summary } : this.attends ? context : null;
      this.attendsBefore = before;
      this.queryLayer = !this.attends || before ? -1 : above ? 0 : decoder.layers - 1;
      this.upperContext = above;
      this.decoderResidualFrom = (decoder.residual_from || decoder.layers + 1) - 1;
      this.cells = Array.from({ length: decoder.layers }, (_, depth) => {
        const below = depth ? { size: decoder.size, bounded: bounded.decoderOutput(depth - 1) } : { size: embedding, bounded: true };
        const receives = depth ? above : before || decoder.feed_context;
        const parts = [below, receives && this.contextPart, !depth && this.fedPart].filter(Boolean);
        return new Cell(packer, `decoder.layers.${depth}`, decoder.cell, decoder.size, parts, bounded.hidden);
      });
    }

    packOutput(packer, tensors, vocabulary) {
      const { model, bounded } = this;
      const { decoder, tying } = model;
      const top = { size: decoder.size, bounded: bounded.decoderOutput(decoder.layers - 1) };
      const embedding = decoder.readout_sees_input && { size: model.embedding_size, bounded: true };
      const maxout = decoder.readout === "maxout";
      const features = featureSize(model);
      this.features = features;
      this.readout = null;
      if (this.contextPart || embedding || maxout || decoder.size !== features) {
        const parts = columns([top, this.contextPart, embedding].filter(Boolean));
        const matrices = parts.map((part) => packer.matrix("decoder.readout.weight", part));
        const bias = packer.vector(tensors.floats("decoder.readout.bias"));
        const outputs = matrices[0].outputs;
        this.readout = { maxout, matrices, bias, outputs, stride: maxout ? 2 * padded(features) : outputs };
      }
      this.vocabulary = vocabulary;
      const name = tying === "none" ? "output.weight" : "target_embedding.weight";
      this.output = packer.matrix(name, { bounded: bounded.features });
      this.outputBias = packer.vector(tensors.floats("output.bias"), { padding: -Infinity });
    }

    // ---- memory of a sentence ----

    /** Make room for so many rows and source positions; state and memory are lost if there was less. */
    reserve(rows, positions) {
      if (rows <= this.rows && positions <= this.positions) return;
      [this.rows, this.positions] = [Math.max(rows, this.rows || 0), padded(Math.max(positions, this.positions || 0))];
      const [N, S, arena, widest] = [this.rows, this.positions, this.arena, this.widest];
      const lines = Math.max(N, S);
      arena.next = this.end;
      this.codes = arena.allocate(2 * lines * widest);
      this.tokenScales = arena.floats(lines);
      this.unitScales = arena.floats(lines);
      arena.at(this.unitScales, lines).fill(1 / INPUT_LEVELS);
      this.embedded = arena.floats(lines * widest);
      this.gates = arena.floats(lines * this.gatesWidth);
      this.hiddenGates = arena.floats(N * this.gatesWidth);
      this.reserveEncoder(S);
      this.reserveDecoder(N, S);
    }

    reserveEncoder(S) {
      const { encoder } = this.model;
      const units = padded(encoder.size);
      this.cellState = [this.arena.floats(units), this.arena.floats(units)];
      const top = encoder.layers - 1;
      const width = Math.max(...this.encoderLayers.map((_, depth) => padded(layerWidth(encoder, depth))));
      this.layerStates = this.arena.floats(S * width);
      this.layerOutputs = [this.arena.floats(S * width), this.arena.floats(S * width)];
      this.summaries = this.encoderLayers.map((_, depth) => this.arena.floats(padded(summaryWidth(this.model, depth))));
      this.cellSummaries = this.encoderLayers.map((_, depth) => this.arena.floats(padded(summaryWidth(this.model, depth))));
      if (this.attends) {
        this.keys = this.arena.floats(S * padded(this.attention.size));
        this.values = this.arena.floats(S * padded(this.attention.width));
      }
      this.top = top;
    }

    reserveDecoder(N, S) {
      const { arena, model, attention } = this;
      const units = padded(model.decoder.size);
      const fed = this.fedPart ? padded(this.fedPart.size) : 0;
      const state = () => ({
        hidden: this.cells.map(() => arena.floats(N * units)),
        cell: hasCellState(model.decoder.cell) ? this.cells.map(() => arena.floats(N * units)) : [],
        fed: fed && arena.floats(N * fed),
        coverage: model.coverage ? arena.floats(N * S) : 0,
      });
      [this.state, this.spare] = [state(), state()];
      this.layerSums = [arena.floats(N * units), arena.floats(N * units)];
      this.startGates = arena.floats(this.cells[0].stride);
      if (this.readout) this.readoutStart = arena.floats(this.readout.outputs);
      this.mixed = arena.floats(N * (this.readout ? this.readout.stride : 0));
      this.featuresAt = arena.floats(N * padded(this.features));
      this.logits = arena.floats(N * this.output.outputs);
      this.totals = arena.floats(N);
      this.candidates = [arena.floats(2 * N), arena.floats(2 * N)];
      if (!attention) return;
      this.queries = arena.floats(N * padded(attention.size));
      if (attention.window) this.windowStates = arena.floats(N * units);
      this.scores = arena.floats(N * attention.heads * S);
      this.weights = arena.floats(N * S);
      this.context = arena.floats(N * padded(attention.width));
      this.headQueries = arena.floats(attention.heads * padded(attention.size));
      this.headContext = arena.floats(padded(attention.width));
      this.sums = arena.floats(S * padded(attention.size));
    }

    // ---- products ----

    /** Add the product of a matrix and each row of x to the rows of out, which are `stride` numbers apart. */
    multiply(matrix, x, rows, out, stride = matrix.outputs) {
      const { kernels } = this;
      const { address, scales, outputs, width } = matrix;
      if (!scales) return kernels.addFloatProduct(x, rows, address, outputs, width, out, stride);
      kernels.encode(x, this.codes, rows * width);
      kernels.addIntegerProduct(this.codes, this.unitScales, rows, address, scales, outputs, width, out, stride);
    }

    /** As `multiply`, with the embeddings of tokens. */
    multiplyEmbedded(matrix, embedding, tokens, out, stride = matrix.outputs) {
      const { kernels, arena } = this;
      const { width } = embedding;
      tokens.forEach((token, row) => {
        if (!embedding.scales) {
          const from = embedding.address / 4 + token * width;
          arena.f32.copyWithin(this.embedded / 4 + row * width, from, from + width);
          return;
        }
        kernels.widen(embedding.address + token * width, this.codes + 2 * row * width, width);
        arena.f32[this.tokenScales / 4 + row] = arena.f32[embedding.scales / 4 + token];
      });
      if (!embedding.scales) return this.multiply(matrix, this.embedded, tokens.length, out, stride);
      const { address, scales, outputs } = matrix;
      kernels.addIntegerProduct(this.codes, this.tokenScales, tokens.length, address, scales, outputs, width, out, stride);
    }

    /** out = W x + b for each row. */
    linear({ matrix, bias }, x, rows, out) {
      if (!bias) this.fill(out, rows * matrix.outputs);
      else this.kernels.broadcast(bias, rows, 4 * matrix.outputs, out, 4 * matrix.outputs);
      this.multiply(matrix, x, rows, out);
    }

    fill(address, count) {
      this.arena.f32.fill(0, address / 4, address / 4 + count);
    }

    copy(from, to, count) {
      this.arena.f32.copyWithin(to / 4, from / 4, from / 4 + count);
    }

    /** One position of a cell for some rows, whose gates already hold what comes from the input. */
    step(cell, gates, rows, hidden, cellState) {
      const { kernels } = this;
      const { kind, size, stride } = cell;
      if (kind === "gru") {
        kernels.broadcast(cell.hiddenBias, rows, 4 * stride, this.hiddenGates, 4 * stride);
        this.multiply(cell.hidden, hidden, rows, this.hiddenGates);
        return kernels.gru(gates, this.hiddenGates, hidden, rows, size);
      }
      this.multiply(cell.hidden, hidden, rows, gates);
      if (kind === "lstm") return kernels.lstm(gates, cellState, hidden, rows, size);
      if (kind === "layer_norm_lstm") {
        return kernels.layerNormLstm(gates, cellState, hidden, rows, size, cell.norms, cell.units);
      }
      kernels[kind === "rnn_relu" ? "relu" : "tanh"](gates, rows * size);
      this.copy(gates, hidden, rows * size);
    }

    // ---- encoder ----

    /** Encode source token ids, EOS included: the state of the one row before BOS, and what all steps read. */
    encode(source) {
      this.reserve(1, source.length);
      this.length = source.length;
      const { encoder } = this.model;
      this.encoderLayers.forEach((layer, depth) => {
        const width = padded(layerWidth(encoder, depth));
        const [inputs, outputs] = [this.layerOutputs[(depth + 1) % 2], this.layerOutputs[depth % 2]];
        layer.forEach((direction, side) => this.read(direction, source, depth ? inputs : null, width, side, depth));
        this.summarize(layerWidth(encoder, depth), depth, layer);
        const count = this.length * width;
        if (depth >= this.residualFrom) this.kernels.add(inputs, this.layerStates, outputs, count);
        else this.copy(this.layerStates, outputs, count);
      });
      this.start();
    }

    /** Read the sentence in one direction; its states are the numbers from `side` · H on of each layer state. */
    read({ cell, reversed }, source, inputs, width, side, depth) {
      const [S, units] = [this.length, cell.units];
      const [hidden, cellState] = this.cellState;
      this.fill(hidden, cell.size);
      this.fill(cellState, cell.size);
      this.kernels.broadcast(cell.bias, S, 4 * cell.stride, this.gates, 4 * cell.stride);
      if (inputs === null) this.multiplyEmbedded(cell.inputs[0], this.sourceEmbedding, source, this.gates);
      else this.multiply(cell.inputs[0], inputs, S, this.gates);
      for (let t = 0; t < S; t++) {
        const s = reversed ? S - 1 - t : t;
        this.step(cell, this.gates + 4 * s * cell.stride, 1, hidden, cellState);
        this.copy(hidden, this.layerStates + 4 * (s * width + side * units), units);
      }
      this.copy(cellState, this.cellSummaries[depth] + 4 * side * units, units);
      this.copy(hidden, this.summaries[depth] + 4 * side * units, units); // the last state; others replace it
    }

    /** The summary of a layer's states, and that of its cell states, which is the same for cells without. */
    summarize(width, depth, layer) {
      const { model, arena, length } = this;
      const [states, stride] = [arena.f32.subarray(this.layerStates / 4), padded(width)];
      const over = (combine, i) => {
        let result = states[i];
        for (let s = 1; s < length; s++) result = combine(result, states[s * stride + i]);
        return result;
      };
      const kinds = { last: [], mean: ["mean"], max: ["max"], max_mean: ["max", "mean"] }[model.summary];
      kinds.forEach((kind, part) => {
        const summary = arena.at(this.summaries[depth] + 4 * part * width, width);
        for (let i = 0; i < width; i++) summary[i] = kind === "max" ? over(Math.max, i) : over((a, b) => a + b, i) / length;
      });
      if (!hasCellState(model.encoder.cell)) this.copy(this.summaries[depth], this.cellSummaries[depth], summaryWidth(model, depth));
    }

    /** The bridge, the keys and values of attention, and the products of a context vector that is the same in all steps. */
    start() {
      const { model, kernels, top } = this;
      const { attention, length, cells } = this;
      this.bridge(this.hiddenMaps, this.summaries, this.state.hidden);
      this.bridge(this.cellMaps, this.cellSummaries, this.state.cell);
      if (this.state.fed) this.fill(this.state.fed, padded(this.fedPart.size));
      if (this.state.coverage) this.fill(this.state.coverage, this.positions);
      if (attention) {
        const states = this.layerOutputs[top % 2];
        const map = (matrix, out, size) => {
          if (matrix) this.linear({ matrix }, states, length, out);
          else this.copy(states, out, length * padded(size));
        };
        map(attention.keyMap, this.keys, attention.size);
        map(attention.valueMap, this.values, attention.width);
      }
      this.copy(cells[0].bias, this.startGates, cells[0].stride);
      if (this.readout) this.copy(this.readout.bias, this.readoutStart, this.readout.outputs);
      if (model.decoder.feed_context) {
        this.multiply(cells[0].inputs[1], this.summaries[top], 1, this.startGates);
        this.multiply(this.readout.matrices[1], this.summaries[top], 1, this.readoutStart);
      }
    }

    bridge(maps, summaries, states) {
      const kind = this.model.bridge;
      const size = this.cells[0].size;
      states.forEach((state, depth) => {
        const summary = summaries[this.bridgedLayers[depth]];
        if (kind === "zero") return this.fill(state, size);
        if (kind === "copy") return this.copy(summary, state, size);
        this.linear(maps[Math.min(depth, maps.length - 1)], summary, 1, state);
        if (kind === "tanh") this.kernels.tanh(state, size);
      });
    }

    // ---- decoder ----

    /** Read one token per row: the state is replaced, and `logits` hold the log-probabilities of the next token. */
    decode(tokens) {
      const { kernels, cells, state } = this;
      const rows = tokens.length;
      if (this.attendsBefore) this.attend(state.hidden[cells.length - 1], rows);
      let outputs = 0;
      cells.forEach((cell, depth) => {
        const [{ stride, size }, gates] = [cell, this.gates];
        kernels.broadcast(depth ? cell.bias : this.startGates, rows, 4 * stride, gates, 4 * stride);
        if (depth) this.multiply(cell.inputs[0], outputs, rows, gates);
        else this.multiplyEmbedded(cell.inputs[0], this.targetEmbedding, tokens, gates);
        if (depth ? this.upperContext : this.attendsBefore) this.multiply(cell.inputs[1], this.context, rows, gates);
        if (!depth && this.fedPart) this.multiply(cell.inputs[cell.inputs.length - 1], state.fed, rows, gates);
        this.step(cell, gates, rows, state.hidden[depth], state.cell[depth]);
        if (depth < this.decoderResidualFrom) {
          outputs = state.hidden[depth];
        } else {
          kernels.add(outputs, state.hidden[depth], this.layerSums[depth % 2], rows * size);
          outputs = this.layerSums[depth % 2];
        }
        if (depth === this.queryLayer) this.attend(outputs, rows);
      });
      const features = this.readFeatures(outputs, tokens);
      if (this.fedPart) this.copy(this.upperContext ? this.context : features, state.fed, rows * padded(this.fedPart.size));
      this.logProbabilities(features, rows);
    }

    /** The input of the output layer for each row. */
    readFeatures(outputs, tokens) {
      const { readout, kernels, model } = this;
      if (!readout) return outputs;
      const [rows, { matrices, outputs: bytes, stride }] = [tokens.length, readout];
      kernels.broadcast(this.readoutStart, rows, 4 * bytes, this.mixed, 4 * stride);
      this.multiply(matrices[0], outputs, rows, this.mixed, stride);
      if (this.attends) this.multiply(matrices[1], this.context, rows, this.mixed, stride);
      if (model.decoder.readout_sees_input) {
        this.multiplyEmbedded(matrices[matrices.length - 1], this.targetEmbedding, tokens, this.mixed, stride);
      }
      if (!readout.maxout) {
        kernels.tanh(this.mixed, rows * stride);
        return this.mixed;
      }
      kernels.maxout(this.mixed, this.featuresAt, rows * padded(this.features));
      return this.featuresAt;
    }

    logProbabilities(features, rows) {
      const { kernels, output, logits } = this;
      const count = output.outputs;
      kernels.broadcast(this.outputBias, rows, 4 * count, logits, 4 * count);
      this.multiply(output, features, rows, logits);
      for (let row = 0; row < rows; row++) {
        const at = logits + 4 * row * count;
        const highest = kernels.largest(at, count);
        kernels.subtract(at, count, highest, Math.log(kernels.sumOfExponentials(at, count, highest)));
      }
    }

    /** The log-probabilities (V) of a row, a view until the next call. */
    row(row) {
      return this.arena.at(this.logits + 4 * row * this.output.outputs, this.vocabulary);
    }

    /** The best `wanted` sums of a row's total and a log-probability, best first: {sum, row, token}; -infinity is out. */
    best(totals, wanted) {
      const { arena, kernels } = this;
      const width = this.output.outputs;
      const [values, places] = this.candidates;
      arena.f32.set(totals, this.totals / 4);
      const found = kernels.best(this.logits, totals.length, width, this.totals, wanted, values, places);
      return Array.from({ length: found }, (_, i) => {
        const place = arena.u32[places / 4 + i];
        return { sum: arena.f32[values / 4 + i], row: Math.floor(place / width), token: place % width };
      });
    }

    /** Row n of the state becomes the old row rows[n]; rows may repeat. */
    select(rows) {
      if (rows.every((row, n) => row === n)) return;
      const { state, spare } = this;
      const units = this.cells[0].size;
      const move = (from, to, width) => rows.forEach((row, n) => this.copy(from + 4 * row * width, to + 4 * n * width, width));
      state.hidden.forEach((from, depth) => move(from, spare.hidden[depth], units));
      state.cell.forEach((from, depth) => move(from, spare.cell[depth], units));
      if (state.fed) move(state.fed, spare.fed, padded(this.fedPart.size));
      if (state.coverage) move(state.coverage, spare.coverage, this.positions);
      [this.state, this.spare] = [spare, state];
    }

    // ---- attention ----

    /** Attend with one query per row: `context` and `weights`, averaged over heads, are replaced. */
    attend(query, rows) {
      const { attention, kernels, length } = this;
      const { heads, queryMap, window } = attention;
      const [S, width] = [padded(length), padded(attention.width)];
      const gaussian = window && this.gaussian(query, rows);
      let queries = query;
      if (queryMap) this.linear(queryMap, query, rows, (queries = this.queries));
      this.fill(this.scores, rows * heads * S);
      for (let row = 0; row < rows; row++) {
        const scores = this.scores + 4 * row * heads * S;
        this.score(queries + 4 * row * padded(attention.size), row, scores, S);
        for (let head = 0; head < heads; head++) this.normalize(scores + 4 * head * S, gaussian && gaussian[row]);
        this.mixValues(scores, S, this.context + 4 * row * width, width);
        this.average(scores, S, row);
      }
    }

    /** Scores of all positions by one query, a row of S per head. */
    score(query, row, scores, S) {
      const { attention, kernels, state, keys } = this;
      const { heads, size } = attention;
      const width = padded(size);
      if (attention.energies) {
        const coverage = state.coverage && state.coverage + 4 * row * this.positions;
        kernels.additiveSums(query, keys, this.length, width, coverage, attention.coverage, this.sums);
        return kernels.addFloatProduct(attention.energies, heads, this.sums, S, width, scores, S);
      }
      if (heads === 1) return kernels.addFloatProduct(query, 1, keys, S, width, scores, S);
      // Each head's share of the query in a row of its own, zeros elsewhere.
      const share = size / heads;
      this.fill(this.headQueries, heads * width);
      for (let head = 0; head < heads; head++) {
        this.copy(query + 4 * head * share, this.headQueries + 4 * head * (width + share), share);
      }
      kernels.addFloatProduct(this.headQueries, heads, keys, S, width, scores, S);
    }

    /** Softmax, within a window if there is one: then times the Gaussian. */
    normalize(scores, gaussian) {
      const { length } = this;
      const view = this.arena.at(scores, length);
      if (gaussian) gaussian.forEach((value, s) => value === 0 && (view[s] = -Infinity));
      this.kernels.softmax(scores, length);
      if (gaussian) gaussian.forEach((value, s) => (view[s] *= value));
    }

    mixValues(weights, S, context, width) {
      const { attention, kernels, values, length } = this;
      if (attention.heads === 1) return kernels.weightedSum(weights, values, length, width, context);
      const share = attention.width / attention.heads;
      for (let head = 0; head < attention.heads; head++) {
        kernels.weightedSum(weights + 4 * head * S, values, length, width, this.headContext);
        this.copy(this.headContext + 4 * head * share, context + 4 * head * share, share);
      }
    }

    /** Average the weights over heads, and add them to the coverage. */
    average(weights, S, row) {
      const { heads } = this.attention;
      const [all, mean] = [this.arena.at(weights, heads * S), this.arena.at(this.weights + 4 * row * this.positions, this.length)];
      for (let s = 0; s < this.length; s++) {
        let sum = 0;
        for (let head = 0; head < heads; head++) sum += all[head * S + s];
        mean[s] = sum / heads;
      }
      if (!this.state.coverage) return;
      const coverage = this.arena.at(this.state.coverage + 4 * row * this.positions, this.length);
      for (let s = 0; s < this.length; s++) coverage[s] += mean[s];
    }

    /** Local-p attention: a Gaussian of every position for each row, 0 outside the window around a predicted position. */
    gaussian(query, rows) {
      const { length } = this;
      const { map, place, reach } = this.attention.window;
      this.linear({ matrix: map }, query, rows, this.windowStates);
      this.kernels.tanh(this.windowStates, rows * map.outputs);
      return Array.from({ length: rows }, (_, row) => {
        const state = this.arena.at(this.windowStates + 4 * row * map.outputs, place.length);
        const share = 1 / (1 + Math.exp(-place.reduce((sum, weight, i) => sum + weight * state[i], 0)));
        return Float32Array.from({ length }, (_, s) => {
          const distance = s + 1 - length * share;
          return Math.abs(distance) > reach ? 0 : Math.exp(-2 * (distance / reach) ** 2);
        });
      });
    }

    /** A copy of a row's attention weights (S); null without attention. */
    attentionWeights(row) {
      return this.attends ? this.arena.at(this.weights + 4 * row * this.positions, this.length).slice() : null;
    }
  }

  // ---- sizes ----

  function linear(packer, name, bounded, form = {}) {
    const { tensors } = packer;
    const bias = tensors.floats(`${name}.bias`).map((value) => value * (form.factor || 1));
    return { matrix: packer.matrix(`${name}.weight`, { bounded, ...form }), bias: packer.vector(bias) };
  }

  function directions(direction, depth) {
    if (direction === "bidirectional" || (direction === "gnmt" && depth === 0)) return ["forward", "reversed"];
    const reversed = direction === "reversed" || (direction === "alternating" && depth % 2 === 1);
    return [reversed ? "reversed" : "forward"];
  }

  const layerWidth = (encoder, depth) => encoder.size * directions(encoder.direction, depth).length;

  const summaryWidth = (model, depth) => layerWidth(model.encoder, depth) * (model.summary === "max_mean" ? 2 : 1);

  function featureSize({ tying, embedding_size: embedding, decoder }) {
    return tying === "none" ? decoder.readout_size || decoder.size : embedding;
  }

  /** Which vectors lie in [-1, 1] whatever the weights are, as in seq2seq/inference/products.py. */
  function boundedVectors(model) {
    const { encoder, decoder, bridge } = model;
    const summary = encoder.cell !== "rnn_relu";
    const start = bridge === "copy" ? summary : bridge !== "linear";
    const state = decoder.cell !== "rnn_relu" && (decoder.cell !== "gru" || start);
    const decoderOutput = (depth) => state && (decoder.residual_from === null || depth < decoder.residual_from - 1);
    const top = decoderOutput(decoder.layers - 1);
    const needsReadout = model.attention !== "none" || decoder.feed_context || decoder.readout_sees_input || decoder.readout === "maxout" || decoder.size !== featureSize(model);
    const before = model.attention_order === "bahdanau";
    return {
      summary,
      encoderOutput: (depth) => summary && (encoder.residual_from === null || depth < encoder.residual_from - 1),
      context: summary && encoder.residual_from === null && model.attention_heads === 1,
      hidden: state && start,
      decoderOutput,
      query: before ? state && start : decoderOutput(model.attention_order === "gnmt" ? 0 : decoder.layers - 1),
      features: needsReadout ? decoder.readout === "tanh" : top,
    };
  }

  globalThis.loadEngine = loadEngine;
})();
