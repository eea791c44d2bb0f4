// The panel of a run: translations of all sentences, and details of the selected one.
import { post } from "./api.js";
import { copyButton } from "./copy.js";
import { nBestList, traceDetails } from "./details.js";
import { languageName, make } from "./dom.js";
import { Sentence } from "./sentence.js";

/** A collapsible section. Its content is loaded when it opens, and again after each change of the translation. */
class Section {
  constructor(title, load) {
    this.load = load;
    this.sentence = null;
    this.abort = new AbortController();
    this.content = make("div");
    this.element = make("details", { toggle: () => this.refresh() }, make("summary", {}, title), this.content);
  }

  show(sentence) {
    this.sentence = sentence;
    this.loaded = null;
    this.refresh();
  }

  async refresh() {
    const { translation } = this.sentence ?? {};
    if (!this.element.open || !translation || this.loaded === translation) return;
    this.loaded = translation;
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    if (!this.content.childElementCount) this.content.replaceChildren("…");
    try {
      const parts = await this.load(this.sentence, signal);
      if (!signal.aborted) this.content.replaceChildren(...parts);
    } catch (error) {
      if (signal.aborted) return;
      this.content.replaceChildren(make("p", { class: "error" }, error.message));
      this.sentence.onFailure();
    }
  }
}

export class Panel {
  /** `run` and `limits` are those of the server; `onFailure` is called after an error. */
  constructor(run, limits, onFailure) {
    Object.assign(this, { run, limits, onFailure });
    this.lines = []; // of sentences: the segments of each line
    this.version = 0;
    this.list = make("div");
    this.sections = [new Section("Other translations", nBestList), new Section("Inside the model", traceDetails)];
    const millions = (run.parameters / 1e6).toFixed(run.parameters < 1e7 ? 1 : 0);
    const attention = run.attention === "none" ? "context vector" : `attention: ${run.attention}`;
    const languages = [run.source_language, run.target_language].map(languageName);
    const model = `${attention}; encoder ${run.encoder}; decoder ${run.decoder}; ${millions} M parameters`;
    this.copy = copyButton(() => this.text);
    this.details = make("div", { hidden: true }, this.copy, ...this.sections.map((section) => section.element));
    this.element = make(
      "article",
      { class: "run", "data-run": run.name },
      make("h2", { dir: "auto" }, run.name),
      languages.every(Boolean) ? make("p", { class: "languages" }, languages.join(" → ")) : null,
      make("p", { class: "model" }, model),
      this.list,
      this.details,
    );
    this.show("", null);
  }

  get sentences() {
    return this.lines.flat();
  }

  /** The translation with the line breaks of the source. */
  get text() {
    const text = (line) => line.map((sentence) => sentence.translation?.text).filter(Boolean).join(" ");
    return this.lines.map(text).join("\n");
  }

  /** Show a text, and translate the sentences that are new. */
  async show(text, beam) {
    const version = ++this.version;
    let lines = text.trim() ? text.trim().split("\n").map((line) => [line.trim()].filter(Boolean)) : [];
    if (lines.flat().some((line) => line.length > this.limits.segment)) {
      try {
        const whole = lines.flatMap((line) => line[0] ?? "").join("\n");
        ({ lines } = await post("/api/segments", { run: this.run.name, text: whole }));
      } catch (error) {
        this.list.replaceChildren(make("p", { class: "error" }, error.message));
        this.onFailure();
        return;
      }
      if (version !== this.version) return;
    }
    const previous = this.sentences.filter((sentence) => sentence.beam === beam);
    const reused = (source) => {
      const index = previous.findIndex((sentence) => sentence.source === source);
      return index < 0 ? this.newSentence(source, beam) : previous.splice(index, 1)[0];
    };
    const updated = lines.map((line) => line.map(reused));
    for (const sentence of this.sentences) if (!updated.flat().includes(sentence)) sentence.stop();
    this.lines = updated;
    this.showSentences();
    for (const sentence of this.sentences) {
      if (version !== this.version) return;
      await sentence.ready();
    }
  }

  showSentences() {
    const { sentences } = this;
    this.details.hidden = !sentences.length;
    const line = (own) => make("div", { class: own.length ? "line" : "blank line" }, ...own.map((sentence) => sentence.element));
    this.list.replaceChildren(...(sentences.length ? this.lines.map(line) : [make("p", { class: "empty" }, "…")]));
    this.element.classList.toggle("several", sentences.length > 1);
    if (!sentences.includes(this.selected) && sentences.length) this.select(sentences[0]);
  }

  newSentence(source, beam) {
    return new Sentence(this.run, source, beam, {
      onSelect: (selected) => this.select(selected),
      onChange: (changed) => changed === this.selected && this.showDetails(),
      onFailure: this.onFailure,
    });
  }

  /** Stop all translations. */
  stop() {
    this.version++;
    for (const sentence of this.sentences) sentence.stop();
  }

  select(sentence) {
    if (sentence === this.selected) return;
    this.selected = sentence;
    for (const other of this.sentences) other.element.classList.toggle("selected", other === sentence);
    this.showDetails();
  }

  showDetails() {
    for (const section of this.sections) section.show(this.selected);
  }
}
