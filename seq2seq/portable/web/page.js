// The page: it reads its data, starts the worker (worker.js), and shows what the worker sends.
"use strict";
(() => {
  const DELAY = 120; // milliseconds without a key press before a translation
  const LONGEST_LABEL = 80; // characters of a sentence in the list of sentences
  const byId = (id) => document.getElementById(id);
  const [source, beam, tag, output, status] = ["source", "beam", "tag", "translation", "status"].map(byId);

  let worker = null;
  let version = 0; // of the text
  let laidOut = 0; // the version that is shown
  let elements = []; // of the sentences, in their order
  let selected = 0;
  let held = false; // the check failed, and the user has not said to translate anyway
  let differs = false; // the check failed
  let config = null;
  let ready = false; // the model is loaded
  const shown = new Map(); // results and parts of results by key

  // Data. Classic scripts and text in the page: modules and fetch do not work in a page opened from a file.

  /** Remove an element with data and return its text. */
  function takeText(id) {
    const element = byId(id);
    const text = element.textContent;
    element.remove();
    return text;
  }

  /** The bytes of an element: 15 bits per character, the first ones highest; html.py writes them. */
  function takeBytes(id) {
    const bytes = new Uint8Array(Number(byId(id).dataset.bytes));
    const text = takeText(id);
    let [buffer, bits, length] = [0, 0, 0];
    for (let at = 0; at < text.length; at++) {
      buffer = (buffer << 15) | (text.charCodeAt(at) - 0x100);
      for (bits += 15; bits >= 8 && length < bytes.length; ) {
        bits -= 8;
        bytes[length++] = buffer >> bits;
      }
      buffer &= (1 << bits) - 1;
    }
    return bytes;
  }

  // Elements are made of text, never of markup.

  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  const inLanguage = (language) => (language ? { dir: "auto", lang: language } : { dir: "auto" });
  const number = (value, digits) => value.toFixed(digits).replace("-", "\u2212");

  function showError(text, ...more) {
    byId("error").replaceChildren(text, ...more);
    byId("error").hidden = !text;
  }

  let lasting = ""; // the status after short messages

  function showStatus(text) {
    lasting = text;
    status.textContent = text;
  }

  /** The text field is as high as its text. */
  function grow() {
    source.style.height = "auto";
    source.style.height = `${source.scrollHeight}px`;
  }

  // The worker

  function start() {
    config = JSON.parse(takeText("config"));
    const [tables, check] = ["tables", "check"].map((id) => JSON.parse(takeText(id)));
    const [weights, wasm] = ["weights", "kernels"].map(takeBytes);
    if (!WebAssembly.validate(wasm)) throw new Error(OLD);
    const names = new Set([config.text.source.file, config.text.target.file]);
    const files = Object.fromEntries([...names].map((name) => [name, takeBytes(name)]));
    const url = URL.createObjectURL(new Blob([takeText("worker")], { type: "text/javascript" }));
    worker = new Worker(url);
    worker.addEventListener("message", ({ data }) => Object.entries(data).forEach(([kind, value]) => receive[kind](value)));
    worker.addEventListener("error", ({ message }) => stopped(message || "the browser gives no reason"));
    const load = { config, weights: weights.buffer, wasm: wasm.buffer, files, tables, check };
    worker.postMessage({ load }, [load.weights, load.wasm]);
    showBeamSizes(config.search.beam_size);
  }

  const OLD = "this browser is too old. Chrome 100, Firefox 97, Safari 16.4 and later versions work";

  function stopped(reason) {
    showStatus("");
    showError(`The translator has stopped: ${reason}. Reload the page; if that does not help, use another browser.`);
  }

  function showBeamSizes(own) {
    const sizes = [...new Set([own, 1, 5, 10])];
    const label = (size) => (size === 1 ? "greedy (fastest)" : `beam of ${size}`) + (size === own ? ", model default" : "");
    beam.replaceChildren(...sizes.map((size) => make("option", { value: size }, label(size))));
  }

  const receive = {
    ready({ tags, fault }) {
      ready = true;
      byId("tag-label").hidden = !tags.length;
      tag.replaceChildren(...["", ...tags].map((each) => make("option", { value: each }, each || "none")));
      tag.value = config.text.source_tag || "";
      if (fault) hold(fault);
      else showStatus("Ready. Checking this device …");
      send();
    },
    layout({ version: own, parts, known: results }) {
      for (const result of results) shown.set(result.key, { ...result, done: true });
      if (own !== version) return;
      laidOut = own;
      showLayout(parts);
    },
    partial({ key, text }) {
      shown.set(key, { text, done: false });
      showSentence(key);
    },
    result(result) {
      shown.set(result.key, { ...result, done: true });
      showSentence(result.key);
    },
    checked({ count, fault }) {
      if (fault) hold(fault);
      else if (!differs) showStatus(count ? "Ready. This device translates as it should (checked)." : "Ready.");
    },
    error: stopped,
  };

  /** Hide translations: the device computes something else than the one that exported the model. */
  function hold(fault) {
    if (differs) return;
    [held, differs] = [true, true];
    showStatus("The check of this device failed.");
    output.replaceChildren();
    const anyway = make("button", { type: "button" }, "Translate anyway");
    anyway.addEventListener("click", () => {
      held = false;
      showError("");
      send();
    });
    const text = "This device gives other results than the device of the model's author";
    showError(`${text} (${fault}), so its translations may be wrong. Try another browser or device.`, anyway);
  }

  function send() {
    if (!ready || held) return;
    version++;
    showBusy();
    worker.postMessage({ translate: { version, document: source.value, beamSize: Number(beam.value), tag: tag.value } });
  }

  // The translation

  /** Show the parts of the document. Until a sentence is translated, what stood in its place stays, pale. */
  function showLayout(parts) {
    const previous = elements;
    elements = [];
    const lines = [[]];
    for (const { text, key } of parts) {
      if (key !== undefined) {
        const old = previous[elements.length];
        elements.push(sentenceElement(key, text, old ? old.textContent : ""));
        lines[lines.length - 1].push(elements[elements.length - 1]);
      } else {
        const [first, ...others] = text.split("\n");
        lines[lines.length - 1].push(first);
        lines.push(...others.map((line) => [line]));
      }
    }
    const attributes = { class: "line", ...inLanguage(config.languages.target) };
    output.replaceChildren(...lines.map((line) => make("div", attributes, ...line)));
    output.classList.toggle("several", elements.length > 1);
    selected = Math.min(selected, Math.max(0, elements.length - 1));
    elements.forEach(fill);
    const keys = new Set(elements.map((element) => element.dataset.key));
    for (const key of shown.keys()) if (!keys.has(key)) shown.delete(key);
    showChoice();
    showBusy();
  }

  function sentenceElement(key, text, before) {
    const element = make("span", { class: "sentence stale", "data-key": key }, before);
    element.dataset.source = text;
    element.addEventListener("click", () => select(elements.indexOf(element)));
    return element;
  }

  /** Show what is known of a sentence; until something is, its element stays as it is. */
  function fill(element) {
    const result = shown.get(element.dataset.key);
    if (!result) return;
    element.classList.remove("stale");
    element.classList.toggle("in-progress", !result.done);
    element.replaceChildren(result.error ? make("span", { class: "error" }, result.error) : result.text);
  }

  function showSentence(key) {
    const own = elements.filter((element) => element.dataset.key === key);
    own.forEach(fill);
    if (own.includes(elements[selected])) showDetails();
    showBusy();
  }

  /** Screen readers read the translation when it is complete, not every part of it and not that of the text before. */
  function showBusy() {
    const done = laidOut === version && elements.every((element) => (shown.get(element.dataset.key) || {}).done);
    output.setAttribute("aria-busy", String(!done));
  }

  // Details of the selected sentence

  function select(index) {
    selected = index;
    byId("sentence").value = index;
    showDetails();
  }

  function showChoice() {
    const label = (text) => (text.length > LONGEST_LABEL ? `${text.slice(0, LONGEST_LABEL)} …` : text);
    const option = (element, index) => make("option", { value: index, ...inLanguage(config.languages.source) }, label(element.dataset.source));
    byId("sentence").replaceChildren(...elements.map(option));
    byId("sentence").value = selected;
    byId("sentence-label").hidden = elements.length < 2;
    showDetails();
  }

  function showDetails() {
    elements.forEach((element, index) => element.classList.toggle("selected", index === selected));
    const result = elements[selected] && shown.get(elements[selected].dataset.key);
    byId("details").hidden = !result || Boolean(result.error);
    if (!result || !result.done || result.error) return;
    const { alternatives, finished, lost, added, milliseconds } = result;
    const [best] = alternatives;
    const facts = best ? [`score ${number(best.score, 3)}`, `${best.tokens.length} tokens`] : [];
    facts.push(`${Math.round(milliseconds)} ms`);
    if (!finished) facts.push("stopped at the length limit");
    if (lost.length) facts.push(`missing: ${lost.join(" ")}`);
    if (added.length) facts.push(`added: ${added.join(" ")}`);
    byId("figures").textContent = facts.join(" · ");
    byId("alternatives").hidden = alternatives.length < 2;
    byId("alternatives").lastElementChild.replaceChildren(alternativesTable(alternatives));
    byId("attention").hidden = !(best && best.attention);
    if (best && best.attention) byId("attention").lastElementChild.replaceChildren(attentionTable(best));
  }

  function alternativesTable(alternatives) {
    const head = make("tr", {}, make("th", { scope: "col", class: "number" }, "score"), make("th", { scope: "col" }, "translation"));
    const rows = alternatives.map(({ score, text }) =>
      make("tr", {}, make("td", { class: "number" }, number(score, 3)), make("td", inLanguage(config.languages.target), text)),
    );
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  }

  /** Rows: target tokens, EOS last; columns: source tokens, EOS last. Numbers are percent, from 10 on. */
  function attentionTable({ attention, tokens, sourceTokens, finished }) {
    const sources = [...sourceTokens, "</s>"];
    const targets = finished ? [...tokens, "</s>"] : tokens;
    const head = sources.map((token) => make("th", { scope: "col" }, make("span", inLanguage(config.languages.source), token)));
    const rows = targets.map((target, step) => {
      const cells = sources.map((token, column) => {
        const weight = attention[step][column];
        const percent = Math.round(100 * weight);
        const attributes = { class: weight > 0.5 ? "strong" : "", title: `${target} \u2190 ${token}: ${percent} %` };
        const cell = make("td", attributes, percent >= 10 ? String(percent) : "");
        cell.style.setProperty("--weight", weight);
        return cell;
      });
      return make("tr", {}, make("th", { scope: "row", ...inLanguage(config.languages.target) }, target), ...cells);
    });
    const caption = make("caption", {}, "Percent; columns: source, rows: translation");
    return make("table", { class: "attention" }, caption, make("thead", {}, make("tr", {}, make("td"), ...head)), make("tbody", {}, ...rows));
  }

  // Copying

  function translationText() {
    return [...output.children].map((line) => line.textContent).join("\n");
  }

  /** Copy through a hidden text field: pages without https may have no clipboard. */
  function copyBySelection(text) {
    const field = make("textarea", { class: "offscreen", readonly: "", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    byId("copy").focus();
    return copied;
  }

  async function copy() {
    const text = translationText();
    const copied = await navigator.clipboard.writeText(text).then(() => true, () => copyBySelection(text)).catch(() => copyBySelection(text));
    status.textContent = copied ? "\u2713 copied" : "Copying failed: select the text, then press Ctrl+C.";
    setTimeout(() => showStatus(lasting), 2500);
  }

  /** Over http, keep the page for use without a network, and offer to install it. */
  function keepOffline() {
    if (!location.protocol.startsWith("http") || !navigator.serviceWorker) return;
    document.head.append(make("link", { rel: "manifest", href: "manifest.webmanifest" }));
    navigator.serviceWorker.register("service_worker.js").catch(() => {}); // the page works without it, online
  }

  let timer = 0;
  addEventListener("resize", grow);
  source.addEventListener("input", () => {
    grow();
    version++; // what is shown or still comes belongs to the text before
    showBusy();
    clearTimeout(timer);
    timer = setTimeout(send, DELAY);
  });
  for (const setting of [beam, tag]) setting.addEventListener("change", send);
  byId("sentence").addEventListener("change", (event) => select(Number(event.target.value)));
  byId("copy").addEventListener("click", copy);
  byId("clear").addEventListener("click", () => {
    source.value = "";
    source.focus();
    grow();
    send();
  });
  addEventListener("error", ({ message }) => stopped(message));
  try {
    start();
    keepOffline();
  } catch (error) {
    stopped(error.message);
  }
})();
