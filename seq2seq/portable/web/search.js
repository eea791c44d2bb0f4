// Greedy and beam search of one sentence, equal to seq2seq.search in the settings that config.json holds.
//
//   const engine = await loadEngine(config, weights, wasm, extras);
//   const [best] = await translate(engine, sourceIds, options);
//
// The scripts are classic, because pages opened from a file cannot load modules. They work in a page, in a worker
// made from a Blob, and in node, and must be loaded in this order: model.js, weights.js, products.js, encoder.js,
// attention.js, decoder.js, output.js, engine.js, search.js. They share the global object `seq2seq`.
//
// loadEngine(config, weights, wasm, extras): the parsed config.json, and the bytes (ArrayBuffer) of model.safetensors
//   (float32 or int8) and kernels.wasm. Throws an Error with one line of advice if something is missing, damaged or
//   unsupported. The engine keeps no reference to the buffers. extras, both optional:
//   copies          the target token that is equal to each source token, -1 for none (array or Int32Array); needed if
//                   model.copy=pointer
//   shortlist       the bytes of shortlist.safetensors; translations then use the tokens of the lists only
//
// translate(engine, sourceIds, options) -> Promise of hypotheses, best first, at least one:
//   {ids, score, logProbability, finished, attention}
//   sourceIds       source token ids, EOS included (array)
//   ids             target token ids, without BOS and EOS
//   attention       one Float32Array (source tokens, EOS included) for each predicted token, EOS included if the
//                   hypothesis is finished; null without attention
// options, all optional; what is missing is taken from config.search:
//   beamSize, nBest, lengthPenalty, maxLengthRatio, maxLengthOffset, noRepeatNgram, repetitionPenalty
//   excluded        target token ids that are never chosen
//   onToken(ids)    called whenever more tokens can no longer change, with all of these
//   signal          an AbortSignal: the search stops with its reason. With a signal, the search also lets the event
//                   loop run now and then, so that a worker can receive the message that aborts it.
//   identity(hypothesis)  n-best lists keep the best hypothesis of every identity; default: its tokens. Pass the text
//                   to get what seq2seq.Translator returns.
// Translations of one engine wait for each other.
"use strict";

(() => {
  /** Milliseconds of search between two turns of the event loop. */
  const PATIENCE = 30;

  function translate(engine, sourceIds, options = {}) {
    const turn = (engine.turn || Promise.resolve()).then(() => search(engine, sourceIds, options));
    engine.turn = turn.catch(() => {});
    return turn;
  }

  async function search(engine, sourceIds, options) {
    const settings = searchSettings(engine.config.search, options);
    const { beamSize, lengthPenalty } = settings;
    const { bos, eos } = engine.config.special;
    const limit = Math.max(1, Math.floor(sourceIds.length * settings.maxLengthRatio + settings.maxLengthOffset));
    const { onToken = null, signal = null } = options;
    const done = [];
    let [beam, fixed, resumed] = [[{ sum: 0, token: bos, parent: null }], 0, Date.now()];
    engine.reserve(beamSize, sourceIds.length);
    engine.encode(sourceIds);
    for (let length = 1; beam.length && length <= limit && done.length < beamSize; length++) {
      if (signal && Date.now() - resumed > PATIENCE) {
        await new Promise((resume) => setTimeout(resume));
        resumed = Date.now();
      }
      if (signal) signal.throwIfAborted();
      engine.decode(beam.map(({ token }) => token));
      exclude(engine, beam.length, options.excluded || []);
      discourageRepetition(engine, beam, settings);
      const next = continuations(engine, beam, beamSize);
      const ended = next.slice(0, beamSize).filter(({ token }) => token === eos);
      done.push(...ended.map((end) => hypothesis(end, lengthPenalty, true)));
      beam = next.filter(({ token }) => token !== eos).slice(0, beamSize);
      engine.select(beam.map(({ row }) => row));
      if (onToken) fixed = report(beam, done, fixed, onToken);
    }
    const wanted = settings.nBest === 1 ? 1 : beamSize; // some may be equal
    const unfinished = beam.slice(0, Math.max(0, wanted - done.length));
    return bestOf([...done, ...unfinished.map((end) => hypothesis(end, lengthPenalty, false))], settings);
  }

  /** The settings of a search, checked: the options, and those of the model for what is missing. */
  function searchSettings(search, options) {
    const settings = {};
    for (const [name, value] of Object.entries(search)) {
      const option = name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
      settings[option] = options[option] === undefined ? value : options[option];
    }
    const { beamSize, nBest } = settings;
    if (options.nBest === undefined) settings.nBest = Math.min(nBest, beamSize); // the model's
    const counts = (number, most) => Number.isInteger(number) && number >= 1 && number <= most;
    if (!counts(beamSize, 10000)) throw new Error(`beamSize must be a whole number of at least 1, got ${beamSize}`);
    if (!counts(settings.nBest, beamSize)) {
      throw new Error(`nBest must be a whole number of at least 1 and at most beamSize=${beamSize}, got ${nBest}`);
    }
    const byTokens = ({ ids, finished }) => `${ids} ${finished}`;
    return { ...settings, identity: options.identity || byTokens };
  }

  /** The 2K best continuations of the beam, best first: nodes of the search tree. */
  function continuations(engine, beam, beamSize) {
    const single = beam.length === 1;
    // With a single row, ranking before adding the total keeps apart what rounding would make equal.
    const totals = single ? [0] : beam.map(({ sum }) => sum);
    const attention = beam.map((_, row) => engine.attentionWeights(row));
    return engine.best(totals, 2 * beamSize).map(({ sum, row, token }) => ({
      sum: single ? Math.fround(sum + beam[0].sum) : sum,
      row,
      token,
      parent: beam[row],
      attention: attention[row],
    }));
  }

  /** The nodes from the first token after BOS to this one. */
  function path(node) {
    const nodes = [];
    for (; node.parent; node = node.parent) nodes.push(node);
    return nodes.reverse();
  }

  const tokensOf = (node) => path(node).map(({ token }) => token);

  function hypothesis(node, lengthPenalty, finished) {
    const nodes = path(node);
    const ids = nodes.map(({ token }) => token);
    return {
      ids: finished ? ids.slice(0, -1) : ids,
      score: node.sum / nodes.length ** lengthPenalty,
      logProbability: node.sum,
      finished,
      attention: node.attention && nodes.map(({ attention }) => attention),
    };
  }

  /** Finished before unfinished, then by score; of equal ones the first. There is at least one. */
  function bestOf(hypotheses, { nBest, identity }) {
    const ranked = hypotheses.sort((a, b) => b.finished - a.finished || b.score - a.score);
    const none = { ids: [], score: -Infinity, logProbability: -Infinity, finished: false, attention: null };
    if (!ranked.length) return [none];
    if (nBest === 1) return ranked.slice(0, 1);
    const first = new Map();
    for (const each of ranked) if (!first.has(identity(each))) first.set(identity(each), each);
    return [...first.values()].slice(0, nBest);
  }

  /** Call onToken if the common prefix of all hypotheses, which can no longer change, has grown. Returns its length. */
  function report(beam, done, fixed, onToken) {
    const [first, ...others] = [...beam.map(tokensOf), ...done.map(({ ids }) => ids)];
    if (!first) return fixed;
    const differs = first.findIndex((token, i) => others.some((other) => other[i] !== token));
    const shared = differs < 0 ? first : first.slice(0, differs);
    if (shared.length <= fixed) return fixed;
    onToken(shared);
    return shared.length;
  }

  function exclude(engine, rows, tokens) {
    for (let row = 0; row < rows && tokens.length; row++) {
      const logProbabilities = engine.logProbabilities(row);
      for (const token of tokens) logProbabilities[engine.placeOf(token)] = -Infinity;
    }
  }

  /** Change the log-probabilities of tokens that a hypothesis already has, as seq2seq.search.repetition. */
  function discourageRepetition(engine, beam, { noRepeatNgram, repetitionPenalty }) {
    if (repetitionPenalty === 1 && !noRepeatNgram) return;
    beam.forEach((node, row) => {
      const history = tokensOf(node).map((token) => engine.placeOf(token));
      const logProbabilities = engine.logProbabilities(row);
      if (repetitionPenalty !== 1) for (const place of new Set(history)) logProbabilities[place] *= repetitionPenalty;
      if (noRepeatNgram && noRepeatNgram <= history.length) excludeNgrams(logProbabilities, history, noRepeatNgram);
    });
  }

  /** Exclude the tokens that would complete an n-gram of the history, unless nothing else is possible. */
  function excludeNgrams(logProbabilities, history, n) {
    const context = history.slice(history.length - n + 1);
    const excluded = new Map();
    for (let start = 0; start + n <= history.length; start++) {
      const token = history[start + n - 1];
      if (context.every((other, i) => history[start + i] === other)) excluded.set(token, logProbabilities[token]);
    }
    for (const token of excluded.keys()) logProbabilities[token] = -Infinity;
    if (logProbabilities.some((value) => value > -Infinity)) return;
    for (const [token, value] of excluded) logProbabilities[token] = value;
  }

  globalThis.translate = translate;
})();
