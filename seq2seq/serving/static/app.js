// The page: what is typed goes to every run.
import { served } from "./api.js";
import { Panel } from "./panel.js";

const PAUSE = 300; // milliseconds without a key before it is translated
const source = document.getElementById("source");
const beam = document.getElementById("beam");
const count = document.getElementById("count");
const problem = document.getElementById("problem");

function tell(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function typed(limits) {
  const lines = source.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const longest = Math.max(0, ...lines.map((line) => [...line].length));
  count.textContent = longest ? `${longest.toLocaleString("en")} / ${limits.characters.toLocaleString("en")}` : "";
  if (longest > limits.characters) tell("A sentence is too long: break it into lines.");
  else if (lines.length > limits.sentences) tell(`At most ${limits.sentences} sentences at a time.`);
  else {
    tell("");
    return lines;
  }
  return null;
}

async function begin() {
  const { runs, limits, version } = await served();
  document.getElementById("told").textContent = `${version} · ${runs.length === 1 ? "one run" : `${runs.length} runs`}`;
  for (const option of beam.options) option.hidden = Number(option.value) > limits.beam_size;
  const panels = runs.map((run) => new Panel(run));
  document.getElementById("runs").append(...panels.map((panel) => panel.element));
  let timer = 0;
  const translate = () => {
    const lines = typed(limits);
    if (lines) for (const panel of panels) panel.show(lines, beam.value ? Number(beam.value) : null);
  };
  source.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(translate, PAUSE);
  });
  beam.addEventListener("change", translate);
  source.value ||= new URLSearchParams(location.search).get("text") ?? "";
  translate();
}

begin().catch((error) => tell(error.message));
