// Details of a translation: the n-best list, probabilities step by step, attention, gates and states.
import { fetchServer, pictureUrl, post } from "./api.js";
import { inLanguage, make, number, percent } from "./dom.js";

const N_BEST = 5;

function tokenElement(text, language) {
  return make("span", { class: "token", ...inLanguage(language) }, text);
}

function table(names, rows, numbers = []) {
  const kind = (column) => (numbers.includes(column) ? { class: "number" } : {});
  const head = make("tr", {}, ...names.map((name, column) => make("th", kind(column), name)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, column) => make("td", kind(column), ...[cell].flat()))));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

/** The n-best list of a sentence, constrained by the chosen words of its translation. */
export async function nBestList(sentence, signal) {
  const { run, text, beam_size } = sentence.fields;
  const fields = { run, n_best: N_BEST, sentences: [{ text, prefix: sentence.prefix }] };
  fields.beam_size = Math.max(beam_size ?? sentence.defaultBeam, N_BEST);
  const { translations } = await post("/api/translate", fields, signal);
  const cell = (text) => make("div", inLanguage(sentence.languages.target), text);
  const rows = translations[0].n_best.map((one) => [number(one.score, 3), number(one.log_probability), cell(one.text)]);
  return [table(["score", "log-probability", `translation (beam of ${fields.beam_size})`], rows, [0, 1])];
}

function stepTable(steps, language) {
  const rows = steps.map(({ predicted, probability, alternatives: others }) => {
    const bar = make("span", { class: "bar" });
    bar.style.setProperty("--share", probability);
    const alternatives = others.flatMap(({ token, probability: share }) => [
      make("span", {}, tokenElement(token, language), make("span", { class: "share" }, ` ${percent(share)}`)),
      " ",
    ]);
    return [
      tokenElement(predicted, language),
      make("span", { class: "share-of-one" }, bar, percent(probability)),
      make("span", { class: "others" }, ...alternatives),
    ];
  });
  return table(["token", "probability", "alternatives"], rows);
}

function attentionTable(weights, sources, targets, languages) {
  const head = sources.map((source) => make("th", { scope: "col" }, make("span", inLanguage(languages.source), source)));
  const rows = weights.map((row, step) => {
    const cells = row.map((weight, column) => {
      const cell = make("td", { class: "weight", title: `${targets[step]} ← ${sources[column]}: ${percent(weight)}` });
      cell.style.setProperty("--weight", weight);
      return cell;
    });
    return make("tr", {}, make("th", { scope: "row", ...inLanguage(languages.target) }, targets[step]), ...cells);
  });
  const whole = make("table", { class: "attention" }, make("thead", {}, make("tr", {}, make("th"), ...head)), make("tbody", {}, ...rows));
  return make("div", { class: "scroll" }, whole);
}

const LABELS = { tree: "beam tree", attention: "attention", states: "states over time" };

function label(name) {
  const [side, layer, direction, states] = name.split(".");
  return LABELS[side] ?? `${side}, layer ${layer}, ${direction}: ${states ? LABELS.states : "gates and states"}`;
}

function pictures(fields, names) {
  const status = make("span", { role: "status" });
  const image = make("img", { class: "wide", alt: "" });
  image.addEventListener("load", () => status.replaceChildren());
  image.addEventListener("error", async () => {
    const reason = await fetchServer().then(() => "drawing failed: try again", (error) => error.message);
    status.replaceChildren(make("span", { class: "error" }, reason));
  });
  const choice = make("select", { "aria-label": "picture" }, ...names.map((name) => make("option", { value: name }, label(name))));
  const draw = () => {
    status.replaceChildren("drawing …");
    image.alt = label(choice.value);
    image.src = pictureUrl(fields, choice.value);
  };
  choice.value = names.find((name) => name.startsWith("decoder") && name.endsWith(".states")) ?? names[0];
  choice.addEventListener("change", draw);
  draw();
  return [make("div", { class: "pictures" }, choice, status), make("div", { class: "scroll" }, image)];
}

/** The trace of a sentence and its current translation. */
export async function traceDetails(sentence, signal) {
  const { run, text, beam_size } = sentence.fields;
  const fields = { run, text, beam_size, target: sentence.prefix ? sentence.translation.text : null };
  const trace = await post("/api/trace", fields, signal);
  const targets = trace.steps.map((step) => step.predicted);
  const { languages } = sentence;
  const parts = [make("h3", {}, "Decoder steps"), stepTable(trace.steps, languages.target)];
  if (trace.attention) {
    parts.push(make("h3", {}, "Attention weights"), attentionTable(trace.attention, trace.source_tokens, targets, languages));
  }
  const drawn = trace.pictures.length ? pictures(fields, trace.pictures) : [make("p", {}, "The sentence is too long for pictures.")];
  parts.push(make("h3", {}, "Gates and states"), ...drawn);
  return parts;
}
