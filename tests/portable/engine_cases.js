// The body of a function of `input`: translate with the scripts of the page. See test_web_engine.py.
//
// input.cases: [{folder, sources, options, abortAfter}]. Returns for each case {error}, or for each source
// {found, partial}: an n-best list, and what onToken received. `abortAfter` aborts when so many tokens are fixed.
const { readFileSync, existsSync } = require("fs");
const read = (...parts) => new Uint8Array(readFileSync(parts.join("/"))).buffer;
const engines = new Map();

async function load(folder) {
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf-8"));
  const listed = existsSync(`${folder}/shortlist.safetensors`) ? read(folder, "shortlist.safetensors") : null;
  const extras = { copies: config.copies, shortlist: listed };
  return loadEngine(config, read(folder, "model.safetensors"), read(input.wasm), extras);
}

async function translated(engine, source, options, abortAfter) {
  const partial = [];
  const controller = new AbortController();
  const onToken = (ids) => {
    partial.push(ids);
    if (ids.length === abortAfter) controller.abort(new Error("aborted by the test"));
  };
  const { signal } = controller;
  const found = await translate(engine, source, { ...options, onToken, ...(abortAfter ? { signal } : {}) });
  const plain = ({ attention, ...rest }) => ({ ...rest, attention: attention && attention.map((row) => [...row]) });
  return { partial, found: found.map(plain) };
}

async function results({ folder, sources, options = {}, abortAfter = 0 }) {
  try {
    if (!engines.has(folder)) engines.set(folder, await load(folder));
    const engine = engines.get(folder);
    // All at once: they must wait for each other.
    return await Promise.all(sources.map((source) => translated(engine, source, options, abortAfter)));
  } catch (error) {
    return { error: error.message };
  }
}

const all = [];
for (const each of input.cases) all.push(await results(each));
return all;
