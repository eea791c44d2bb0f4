// node run_cases.js CASES.json RESULTS.json: translate with the scripts of the page, outside a browser.
//
// CASES.json: [{folder, sources: [[token]], options}]; RESULTS.json: for each case, a list of n-best lists, each with the
// partial results of onToken under `partial`.
"use strict";

const fs = require("fs");
const path = require("path");
const vm = require("vm");

const web = path.join(__dirname, "..", "..", "seq2seq", "portable", "web");
for (const script of ["weights.js", "engine.js", "search.js"]) {
  const file = path.join(web, script);
  vm.runInThisContext(fs.readFileSync(file, "utf8"), { filename: file });
}

const bytes = (...parts) => new Uint8Array(fs.readFileSync(path.join(...parts))).buffer;

async function run({ folder, sources, options }, engines) {
  if (!engines.has(folder)) {
    const config = JSON.parse(fs.readFileSync(path.join(folder, "config.json"), "utf8"));
    engines.set(folder, await loadEngine(config, bytes(folder, "model.safetensors"), bytes(web, "kernels.wasm")));
  }
  const results = [];
  for (const source of sources) {
    const partial = [];
    const found = await translate(engines.get(folder), source, { ...options, onToken: (ids) => partial.push(ids) });
    results.push({ partial, found: found.map((each) => ({ ...each, attention: each.attention && each.attention.map((row) => [...row]) })) });
  }
  return results;
}

async function main([casesFile, resultsFile]) {
  const engines = new Map();
  const results = [];
  for (const one of JSON.parse(fs.readFileSync(casesFile, "utf8"))) {
    try {
      results.push(await run(one, engines));
    } catch (error) {
      results.push({ error: error.message, stack: error.stack });
    }
  }
  fs.writeFileSync(resultsFile, JSON.stringify(results));
}

main(process.argv.slice(2));
