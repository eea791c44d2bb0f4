// The page: every run translates the source text while it is typed.
import { fetchServer } from "./api.js";
import { languageName } from "./dom.js";
import { Panel } from "./panel.js";

const DELAY = 300; // milliseconds without a key press before a translation
const RETRY = 2000; // milliseconds between attempts to reach a stopped server
const source = document.getElementById("source");
const beam = document.getElementById("beam");
const count = document.getElementById("count");
const error = document.getElementById("error");

let limits = null;
let panels = [];
let timer = 0;
let waiting = false; // for a stopped server

function showError(text) {
  error.textContent = text;
  error.hidden = !text;
}

function translate() {
  const length = [...source.value].length;
  count.textContent = length ? `${length.toLocaleString("en")} / ${limits.characters.toLocaleString("en")}` : "";
  const surplus = length - limits.characters;
  showError(surplus > 0 ? `The text is too long by ${surplus.toLocaleString("en")} characters: translate it in parts.` : "");
  if (surplus > 0) return;
  for (const panel of panels) panel.show(source.value, beam.value ? Number(beam.value) : null);
}

/** Name the source language if all runs translate from the same one. */
function showSourceLanguage(runs) {
  const languages = new Set(runs.map((run) => run.source_language));
  const [language] = languages.size === 1 ? languages : [""];
  if (language) source.lang = language;
  else source.removeAttribute("lang");
  const name = languageName(language);
  document.getElementById("language").textContent = name ? `${name} text` : "Source text";
}

async function start() {
  const { runs, version, limits: given } = await fetchServer();
  limits = given;
  document.getElementById("server").textContent = `${version} · ${runs.length === 1 ? "1 run" : `${runs.length} runs`}`;
  for (const option of beam.options) option.hidden = Number(option.value) > limits.beam_size;
  showSourceLanguage(runs);
  for (const panel of panels) panel.stop();
  panels = runs.map((run) => new Panel(run, limits, check));
  document.getElementById("runs").replaceChildren(...panels.map((panel) => panel.element));
  translate();
}

/** After a failure: wait for the server if it has stopped, then translate again. */
async function check() {
  if (waiting) return;
  waiting = true;
  let stopped = false;
  for (;;) {
    try {
      if (stopped) await start();
      else await fetchServer();
      break;
    } catch (failure) {
      stopped = true;
      showError(failure.message);
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
  waiting = false;
}

source.value ||= new URLSearchParams(location.search).get("text") ?? "";
source.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => limits && translate(), DELAY);
});
beam.addEventListener("change", () => limits && translate());
start().catch((failure) => {
  showError(failure.message);
  check();
});
