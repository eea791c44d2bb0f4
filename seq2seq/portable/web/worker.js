// The worker of the page: it splits a document into sentences, translates them one after the other, and checks the device.
//
// Messages to it: {load: {…}} first, then {translate: {version, document, beamSize, tag}} whenever the text or a setting
// changes; what is no longer wanted is cancelled. Messages from it: {ready}, {layout: {version, parts, known}}, {partial: {key,
// text}}, {result: {key, …}}, {checked: {count, fault}}, {error}. A key names a sentence with its settings.
"use strict";
(() => {
  const N_BEST = 5;
  const CACHE = 2000; // results that are kept
  const TOLERANCE = { float32: 1e-3, int8: 2e-2 }; // nats per token, as in seq2seq/portable/check.py

  let model = null;
  let wanted = []; // keys of the sentences on the page, in their order
  let current = null; // what is being translated: its key and AbortController
  let running = false;
  const results = new Map(); // by key, oldest first
  const sentences = new Map(); // by key

  async function load({ config, weights, wasm, files, tables, check }) {
    const text = new ModelText(config, files, tables);
    const engine = await loadEngine(config, weights, wasm, { copies: text.copies() });
    model = { config, text, engine, check: [...checks(check)], checked: 0 };
    const fault = await checkNext(); // before any translation is shown
    postMessage({ ready: { tags: text.tags, fault } });
    run();
  }

  /** An engine that never chooses the excluded tokens. */
  function excluding(engine, excluded) {
    if (!excluded.length) return engine;
    const own = Object.create(engine);
    own.decode = (tokens) => {
      engine.decode(tokens);
      tokens.forEach((_, row) => {
        const logProbabilities = engine.logProbabilities(row);
        for (const token of excluded) logProbabilities[engine.placeOf(token)] = -Infinity;
      });
    };
    return own;
  }

  function search(source, ids, options) {
    const { text, engine, config } = model;
    const identity = ({ ids: target, finished }) => text.target.decode(target, finished);
    const sourceIds = [...ids, config.special.eos];
    return translate(excluding(engine, text.excluded(sourceIds)), sourceIds, { identity, ...options });
  }

  /** The translations of a segment, best first. */
  async function translateSegment(source, beamSize, signal, onText) {
    const { text } = model;
    const ids = text.encode(source);
    if (!ids.length) return [];
    const onToken = (tokens) => onText(text.decode(tokens, source, false));
    const found = await search(source, ids, { beamSize, nBest: Math.min(beamSize, N_BEST), signal, onToken });
    const sourceTokens = text.source.tokens(ids);
    return found.map(({ ids: target, score, logProbability, finished, attention }) => {
      const written = text.decode(target, source, finished);
      const tokens = text.target.tokens(target);
      return { text: written, score, logProbability, finished, tokens, sourceTokens, attention, ...text.difference(source, written) };
    });
  }

  /** The translation of a sentence, which may be too long for one search. */
  async function translateSentence({ text: sentence, beamSize, tag }, signal, onText) {
    const start = performance.now();
    const parts = [];
    const joined = (last) => [...parts.map(([best]) => best.text), last].filter(Boolean).join(" ");
    for (const segment of model.text.segments(sentence, tag)) {
      const found = await translateSegment(segment, beamSize, signal, (text) => onText(joined(text)));
      if (found.length) parts.push(found);
    }
    const alternatives = parts.length === 1 ? parts[0] : [];
    const finished = parts.every(([best]) => best.finished);
    const [lost, added] = ["lost", "added"].map((name) => parts.flatMap(([best]) => best[name]));
    return { text: joined(""), alternatives, finished, lost, added, milliseconds: performance.now() - start };
  }

  function keep(key, result) {
    results.delete(key);
    results.set(key, result);
    for (const old of results.keys()) {
      if (results.size <= CACHE) break;
      results.delete(old);
    }
  }

  /** Translate what is wanted, then go on with the checks. */
  async function run() {
    if (running || !model) return;
    running = true;
    for (;;) {
      const key = wanted.find((each) => !results.has(each));
      if (key === undefined && model.checked >= model.check.length) break;
      await (key === undefined ? checkInBackground() : translateWanted(key));
      await new Promise((resume) => setTimeout(resume)); // messages are received
    }
    running = false;
  }

  async function translateWanted(key) {
    current = { key, abort: new AbortController() };
    const { signal } = current.abort;
    try {
      const result = await translateSentence(sentences.get(key), signal, (text) => postMessage({ partial: { key, text } }));
      keep(key, result);
      postMessage({ result: { key, ...result } });
    } catch (error) {
      if (signal.aborted) return;
      keep(key, { text: "", alternatives: [], finished: true, lost: [], added: [], error: error.message });
      postMessage({ result: { key, ...results.get(key) } });
    } finally {
      current = null;
    }
  }

  function receive({ version, document, beamSize, tag }) {
    const before = new Set(wanted); // the page has the results of these
    wanted = [];
    sentences.clear();
    const parts = model.text.split(document).map(([text, isSentence]) => {
      if (!isSentence) return { text };
      const key = `${beamSize} ${tag} ${text}`;
      wanted.push(key);
      sentences.set(key, { text, beamSize, tag });
      return { text, key };
    });
    if (current && !wanted.includes(current.key)) current.abort.abort();
    const known = wanted.filter((key) => results.has(key) && !before.has(key)).map((key) => ({ key, ...results.get(key) }));
    postMessage({ layout: { version, parts, known } });
    run();
  }

  // check.json

  function* checks({ sentences: all }) {
    for (const method of ["greedy", "beam"]) for (const sentence of all) yield [sentence, sentence[method]];
  }

  async function checkInBackground() {
    const fault = await checkNext();
    if (fault || model.checked >= model.check.length) postMessage({ checked: { count: model.checked, fault } });
  }

  /** Translate the next sentence of check.json; returns how the result differs, or nothing. */
  async function checkNext() {
    const { text, config, check } = model;
    if (model.checked >= check.length) return "";
    const [{ source, source_tokens: sourceTokens }, expected] = check[model.checked++];
    const ids = text.encode(source);
    if (`${ids}` !== `${sourceTokens}`) return "the text is split into other tokens";
    const [found] = await search(source, ids, { beamSize: expected.beam_size, nBest: 1 });
    const tokens = [...found.ids, ...(found.finished ? [config.special.eos] : [])];
    const tolerance = TOLERANCE[config.precision];
    if (`${tokens}` === `${expected.tokens}`) {
      const difference = Math.abs(found.logProbability - expected.log_probability) / Math.max(1, tokens.length);
      return difference <= tolerance ? "" : "a log-probability differs";
    }
    // where two translations are equally good but for rounding, a device may choose the other one
    return found.score >= expected.score - tolerance ? "" : "a translation differs";
  }

  addEventListener("message", async ({ data }) => {
    try {
      if (data.load) await load(data.load);
      else receive(data.translate);
    } catch (error) {
      postMessage({ error: error.message });
    }
  });
})();
