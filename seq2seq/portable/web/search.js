// Greedy and beam search of one sentence, equal to seq2seq.search in the settings that config.json holds.
//
//   const engine = await loadEngine(config, weights, wasm);           // engine.js
//   const best = await translate(engine, sourceIds, options);         // this file
//
// Both are classic scripts, because pages opened from a file cannot load modules: engine.js and search.js attach
// loadEngine and translate to globalThis. They work in a page, in a worker made from a Blob, and in node.
//
// loadEngine(config, weights, wasm): the parsed config.json, and the bytes (ArrayBuffer) of model.safetensors (float32
//   or int8) and kernels.wasm. Throws an Error with one line of advice if something is missing, damaged or unsupported.
//   The engine keeps no reference to the two buffers.
//
// translate(engine, sourceIds, options) -> Promise of hypotheses, best first, at least one:
//   {ids, score, logProbability, finished, attention}
//   sourceIds       source token ids, EOS included
//   ids             target token ids, without BOS and EOS
//   attention       one Float32Array (source tokens, EOS included) for each predicted token, EOS included; null without
//                   attention
// options, all optional; what is missing is taken from config.search:
//   beamSize, nBest, lengthPenalty, maxLengthRatio, maxLengthOffset, noRepeatNgram, repetitionPenalty
//   onToken(ids)    called whenever more tokens can no longer change, with all of these
//   signal          an AbortSignal: the search stops with its reason. With a signal, the search also lets the event
//                   loop run now and then, so that a worker can receive the message that aborts it.
//   identity(hypothesis)  n-best lists keep the best hypothesis of every identity; default: its tokens. Pass the text
//                   to get what seq2seq.Translator returns.
"use strict";
