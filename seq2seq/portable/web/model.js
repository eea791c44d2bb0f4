// What the model section of config.json implies: widths, and which vectors lie in [-1, 1].
// The names are those of seq2seq/model/config.py and seq2seq/inference/products.py.
"use strict";

(() => {
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

  /** Matrices of a cell that are stacked in one. */
  const BLOCKS = {
    ...{ lstm: 4, layer_norm_lstm: 4, gru: 3, rnn_tanh: 1, rnn_relu: 1 },
    ...{ ssru: 2, sru: 4, min_gru: 2, min_lstm: 3, slstm: 4, mlstm: 4 },
  };

  /** Whether a cell has a cell state of one number per unit; whether the bridge gives it one; its hidden states. */
  const hasCellState = (kind) => ["lstm", "layer_norm_lstm", "ssru", "sru", "slstm"].includes(kind);
  const startsFromCellState = (kind) => ["lstm", "layer_norm_lstm", "slstm"].includes(kind);
  const isBounded = (kind) => ["lstm", "layer_norm_lstm", "gru", "rnn_tanh", "slstm"].includes(kind);

  /** Refuse what these scripts do not compute, by its name. */
  function checkConfig({ format, model }) {
    if (format !== 1) {
      throw new Error(`config.json has format ${format}, and this page reads format 1: use the page of that export`);
    }
    const { encoder, decoder } = model;
    const words = { ...model, direction: encoder.direction, readout: decoder.readout };
    const unknown = Object.entries(WORDS).find(([name, known]) => !known.includes(words[name]));
    if (unknown) throw new Error(`model.${unknown[0]}=${words[unknown[0]]} is not supported: export the model again`);
    const cell = [encoder.cell, decoder.cell].find((kind) => !(kind in BLOCKS));
    if (cell) throw new Error(`cell=${cell} is not supported: export the model again`);
    if (!encoder.layers) throw new Error("model.encoder.layers=0 is a language model, which does not translate");
  }

  /** Sizes of a network. Layers are counted from 0, the lowest. */
  class Model {
    constructor(model) {
      const { encoder, decoder, attention, attention_order: order } = model;
      Object.assign(this, { settings: model, encoder, decoder, embeddingSize: model.embedding_size });
      this.top = encoder.layers - 1;
      this.attends = attention !== "none";
      this.attendsBefore = this.attends && order === "bahdanau";
      this.upperLayersReceiveContext = this.attends && order === "gnmt";
      this.queryLayer = !this.attends || this.attendsBefore ? null : order === "gnmt" ? 0 : decoder.layers - 1;
      this.heads = model.attention_heads;
      this.encoderWidth = this.layerWidth(this.top);
      this.keySize = attention === "dot" ? this.encoderWidth : model.attention_size || decoder.size;
      const tied = model.tying !== "none";
      this.featureSize = tied ? model.embedding_size : decoder.readout_size || decoder.size;
      const mixes = this.attends || decoder.feed_context || decoder.readout_sees_input;
      this.hasReadout = mixes || decoder.readout === "maxout" || decoder.size !== this.featureSize;
      this.outputName = tied ? "target_embedding.weight" : "output.weight";
      this.sourceName = model.tying === "all" ? "target_embedding.weight" : "source_embedding.weight";
    }

    /** The directions of an encoder layer, in the order of their states. */
    directions(layer) {
      const { direction } = this.encoder;
      if (direction === "bidirectional" || (direction === "gnmt" && layer === 0)) return ["forward", "reversed"];
      const reversed = direction === "reversed" || (direction === "alternating" && layer % 2 === 1);
      return [reversed ? "reversed" : "forward"];
    }

    layerWidth(layer) {
      return this.encoder.size * this.directions(layer).length;
    }

    summaryWidth(layer) {
      return this.layerWidth(layer) * (this.settings.summary === "max_mean" ? 2 : 1);
    }

    /** The encoder layer from which each decoder layer starts. */
    get bridgedLayers() {
      const { encoder, decoder, top } = this;
      const aligned = (layer) => Math.max(0, encoder.layers - decoder.layers + layer);
      return Array.from({ length: decoder.layers }, (_, layer) => (this.settings.bridge_shared ? top : aligned(layer)));
    }

    /** Whether the input of this layer, encoder's or decoder's, is added to its output. */
    isResidual(part, layer) {
      return part.residual_from !== null && layer >= part.residual_from - 1;
    }

    // ---- vectors in [-1, 1] whatever the weights are ----

    /** The encoder's hidden states and their summaries, which residual connections are no part of. */
    get summaryBounded() {
      return isBounded(this.encoder.cell);
    }

    encoderOutputBounded(layer) {
      return this.summaryBounded && !this.isResidual(this.encoder, layer);
    }

    /** The context of attention; with several heads, values come from a linear map. */
    get contextBounded() {
      return this.encoderOutputBounded(this.top) && this.heads === 1;
    }

    /** The decoder's initial hidden states. */
    get startBounded() {
      const { bridge } = this.settings;
      return bridge === "copy" ? this.summaryBounded : bridge !== "linear";
    }

    /** The decoder's hidden states after a step; a GRU or sLSTM can keep its initial state for ever. */
    get stateBounded() {
      const { cell } = this.decoder;
      if (["gru", "slstm"].includes(cell) && !this.startBounded) return false;
      if (cell === "slstm" && this.settings.bridge === "copy") return false; // of cell states, which are unbounded
      return isBounded(cell);
    }

    decoderOutputBounded(layer) {
      return this.stateBounded && !this.isResidual(this.decoder, layer);
    }

    /** The query of attention. */
    get queryBounded() {
      return this.attendsBefore ? this.stateBounded && this.startBounded : this.decoderOutputBounded(this.queryLayer);
    }

    /** The input of the output layer. */
    get featuresBounded() {
      const { decoder } = this;
      return this.hasReadout ? decoder.readout === "tanh" : this.decoderOutputBounded(decoder.layers - 1);
    }
  }

  const names = { BLOCKS, Model, checkConfig, hasCellState, startsFromCellState };
  globalThis.seq2seq = Object.assign(globalThis.seq2seq || {}, names);
})();
