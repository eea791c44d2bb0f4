// What is behind a translation: others with their scores, probabilities step by step, attention, gates and states.
import { ask, pictureAddress } from "./api.js";
import { make, number, percent } from "./dom.js";

const N_BEST = 5;

function piece(text) {
  return make("span", { class: "piece" }, text);
}

function table(names, rows, numbers = []) {
  const kind = (column) => (numbers.includes(column) ? { class: "number" } : {});
  const head = make("tr", {}, ...names.map((name, column) => make("th", kind(column), name)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, column) => make("td", kind(column), ...[cell].flat()))));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

/** The n-best list of a sentence, with what was chosen of its translation. */
export async function others(sentence, signal) {
  const { run, text, beam_size } = sentence.question;
  const question = { run, n_best: N_BEST, sentences: [{ text, prefix: sentence.prefix }] };
  question.beam_size = Math.max(beam_size ?? sentence.usualBeam, N_BEST);
  const { translations } = await ask("/api/translate", question, signal);
  const rows = translations[0].n_best.map((one) => [number(one.score, 3), number(one.log_probability), one.text]);
  return [table(["score", "log-probability", `translation (beam of ${question.beam_size})`], rows, [0, 1])];
}

function steps(found) {
  const rows = found.map(({ predicted, probability, runners_up }) => {
    const bar = make("span", { class: "bar" });
    bar.style.setProperty("--share", probability);
    const told = runners_up.flatMap((one) => [make("span", {}, piece(one.piece), make("span", { class: "share" }, ` ${percent(one.probability)}`)), " "]);
    return [piece(predicted), make("span", { class: "share-of-one" }, bar, percent(probability)), make("span", { class: "others" }, ...told)];
  });
  return table(["piece", "probability", "runners-up"], rows);
}

function attention(weights, sources, targets) {
  const head = sources.map((source) => make("th", { scope: "col" }, make("span", {}, source)));
  const rows = weights.map((row, place) => {
    const cells = row.map((weight, column) => {
      const cell = make("td", { class: "weight", title: `${targets[place]} ← ${sources[column]}: ${percent(weight)}` });
      cell.style.setProperty("--weight", weight);
      return cell;
    });
    return make("tr", {}, make("th", { scope: "row" }, targets[place]), ...cells);
  });
  const whole = make("table", { class: "attention" }, make("thead", {}, make("tr", {}, make("th"), ...head)), make("tbody", {}, ...rows));
  return make("div", { class: "scroll" }, whole);
}

const NAMES = { tree: "the beam", attention: "attention", states: "states over time" };

function readable(name) {
  const [side, layer, reading, states] = name.split(".");
  return NAMES[side] ?? `${side}, layer ${layer}, ${reading}: ${states ? NAMES.states : "gates and states"}`;
}

function pictures(question, names) {
  const told = make("span", { role: "status" });
  const image = make("img", { class: "wide", alt: "" });
  image.addEventListener("load", () => told.replaceChildren());
  image.addEventListener("error", () => told.replaceChildren(make("span", { class: "problem" }, "it could not be drawn: try again")));
  const choice = make("select", { "aria-label": "picture" }, ...names.map((name) => make("option", { value: name }, readable(name))));
  const draw = () => {
    told.replaceChildren("drawing …");
    image.alt = readable(choice.value);
    image.src = pictureAddress(question, choice.value);
  };
  choice.value = names.find((name) => name.startsWith("decoder") && name.endsWith(".states")) ?? names[0];
  choice.addEventListener("change", draw);
  draw();
  return [make("div", { class: "pictures" }, choice, told), make("div", { class: "scroll" }, image)];
}

/** The microscope on a sentence and the translation that is shown. */
export async function inside(sentence, signal) {
  const { run, text, beam_size } = sentence.question;
  const question = { run, text, beam_size, target: sentence.prefix ? sentence.translation.text : null };
  const found = await ask("/api/trace", question, signal);
  const targets = found.steps.map((step) => step.predicted);
  const parts = [make("h3", {}, "Step by step"), steps(found.steps)];
  if (found.attention) parts.push(make("h3", {}, "Attention: what each piece looks at"), attention(found.attention, found.source_pieces, targets));
  const drawn = found.pictures.length ? pictures(question, found.pictures) : [make("p", {}, "The sentence is too long to be drawn.")];
  parts.push(make("h3", {}, "Gates and states"), ...drawn);
  return parts;
}
