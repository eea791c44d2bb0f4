// The page: every run translates the source text while it is typed.
import { fetchServer } from "./api.js";
import { Panel } from "./panel.js";

const DELAY = 300; // milliseconds without a key press before a translation
const source = document.getElementById("source");
const beam = document.getElementById("beam");
const count = document.getElementById("count");
const error = document.getElementById("error");

function showError(text) {
  error.textContent = text;
  error.hidden = !text;
}

/** The lines of the source text, or null if they exceed a limit. */
function sourceLines(limits) {
  const lines = source.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const longest = Math.max(0, ...lines.map((line) => [...line].length));
  count.textContent = longest ? `${longest.toLocaleString("en")} / ${limits.characters.toLocaleString("en")}` : "";
  if (longest > limits.characters) showError("A sentence is too long: split it into lines.");
  else if (lines.length > limits.sentences) showError(`Too many sentences: the limit is ${limits.sentences}.`);
  else {
    showError("");
    return lines;
  }
  return null;
}

async function start() {
  const { runs, limits, version } = await fetchServer();
  document.getElementById("server").textContent = `${version} · ${runs.length === 1 ? "1 run" : `${runs.length} runs`}`;
  for (const option of beam.options) option.hidden = Number(option.value) > limits.beam_size;
  const panels = runs.map((run) => new Panel(run));
  document.getElementById("runs").append(...panels.map((panel) => panel.element));
  let timer = 0;
  const translate = () => {
    const lines = sourceLines(limits);
    if (lines) for (const panel of panels) panel.show(lines, beam.value ? Number(beam.value) : null);
  };
  source.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(translate, DELAY);
  });
  beam.addEventListener("change", translate);
  source.value ||= new URLSearchParams(location.search).get("text") ?? "";
  translate();
}

start().catch((failure) => showError(failure.message));
