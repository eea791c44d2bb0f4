// The network of an exported model: what search.js needs of it. The interface of loadEngine is described there.
"use strict";

(() => {
  const { Arena, Bridge, Decoder, Encoder, Model, Output } = globalThis.seq2seq;
  const { Packer, Products, Tensors, checkConfig, padded } = globalThis.seq2seq;

  async function loadEngine(config, weights, wasm, { copies = null, shortlist = null } = {}) {
    checkConfig(config);
    if (config.model.copy !== "none" && !copies) {
      throw new Error(`model.copy=${config.model.copy} needs the target token of each source token: pass copies`);
    }
    const { instance } = await WebAssembly.instantiate(wasm, {}).catch((error) => {
      throw new Error(`WebAssembly with SIMD does not run here (${error.message}): update the browser`);
    });
    const lists = shortlist && new Tensors(shortlist, "shortlist.safetensors");
    return new Engine(config, new Tensors(weights), instance.exports, copies, lists);
  }

  class Engine {
    constructor(config, tensors, kernels, copies, lists) {
      this.config = config;
      this.copies = copies;
      this.model = new Model(config.model);
      this.arena = new Arena(kernels.memory, kernels.firstAddress.value);
      this.products = new Products(kernels, this.arena);
      const packer = new Packer(tensors, this.arena);
      const parts = [packer, this.model, this.products];
      this.encoder = new Encoder(...parts);
      this.bridge = new Bridge(...parts);
      this.decoder = new Decoder(...parts);
      this.output = new Output(...parts, config.model.copy === "none" ? null : copies);
      this.lists = lists && this.readLists(lists);
      this.widest = packer.widest;
      this.end = this.arena.next;
      this.room = { rows: 0, positions: 0 };
      this.reserve(config.search.beam_size, 64);
    }

    /** The lexical shortlist: seq2seq/inference/shortlist.py. */
    readLists(lists) {
      const [, count] = lists.shape("translations");
      return { translations: lists.values("translations").slice(), count, frequent: lists.values("frequent").slice() };
    }

    /** The target tokens that may translate a source, in increasing order; null: all. */
    shortlist(source) {
      if (!this.lists) return null;
      const { translations, count, frequent } = this.lists;
      const chosen = new Set(frequent);
      for (const token of source) {
        for (let i = token * count; i < (token + 1) * count; i++) chosen.add(translations[i]);
        if (this.copies) chosen.add(this.copies[token]);
      }
      chosen.delete(-1);
      return [...chosen].sort((a, b) => a - b);
    }

    /** Make room for so many rows and source positions. Once there is room, a sentence allocates nothing. */
    reserve(rows, positions) {
      const { room } = this;
      if (rows <= room.rows && positions <= room.positions) return;
      const [N, S] = [Math.max(rows, room.rows), padded(Math.max(positions, room.positions))];
      Object.assign(room, { rows: N, positions: S });
      this.arena.next = this.end;
      this.products.reserve(Math.max(N, S), this.widest, Math.max(this.decoder.gatesSize, this.encoder.gatesSize));
      this.encoder.reserve(S);
      this.decoder.reserve(N, S);
      this.output.reserve(N);
    }

    /** Begin a sentence of source token ids, EOS included; there is one row, before BOS. */
    encode(source) {
      const { source: size } = this.config.vocabulary;
      const wrong = source.find((token) => !(Number.isInteger(token) && token >= 0 && token < size));
      if (!source.length || wrong !== undefined) {
        throw new Error(`source tokens must be ids below ${size}, EOS included, got ${wrong}`);
      }
      this.reserve(1, source.length);
      const states = this.encoder.encode(source);
      this.bridge.start(this.encoder, this.decoder.state, this.decoder.cells);
      this.decoder.start(states, source.length, this.encoder.summaries[this.model.top]);
      this.output.start(source, this.shortlist(source));
    }

    /** Read one token per row; then `best` and `logProbabilities` are those of the next token. */
    decode(tokens) {
      const features = this.decoder.read(tokens);
      const { attention } = this.decoder;
      this.output.read(features, tokens.length, attention);
    }

    best(totals, wanted) {
      return this.output.best(totals, wanted);
    }

    /** The log-probabilities of a row, which may be changed before `best` and until the next step. */
    logProbabilities(row) {
      return this.output.row(row);
    }

    /** The place of a token in them; undefined if it is not in the shortlist. */
    placeOf(token) {
      return this.output.placeOf(token);
    }

    select(rows) {
      this.decoder.select(rows);
    }

    /** A copy of a row's attention weights (S); null without attention. */
    attentionWeights(row) {
      const { attention } = this.decoder;
      return attention && attention.weightsOf(row).slice();
    }
  }

  globalThis.loadEngine = loadEngine;
})();
