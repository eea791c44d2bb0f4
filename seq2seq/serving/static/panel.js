// The panel of a run: translations of all sentences, and details of the selected one.
import { nBestList, traceDetails } from "./details.js";
import { make } from "./dom.js";
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
      if (!signal.aborted) this.content.replaceChildren(make("p", { class: "error" }, error.message));
    }
  }
}

export class Panel {
  constructor(run) {
    this.run = run;
    this.sentences = [];
    this.version = 0;
    this.list = make("div");
    this.sections = [new Section("Other translations", nBestList), new Section("Inside the model", traceDetails)];
    const millions = (run.parameters / 1e6).toFixed(run.parameters < 1e7 ? 1 : 0);
    const attention = run.attention === "none" ? "context vector" : `attention: ${run.attention}`;
    const model = `${attention}; encoder ${run.encoder}; decoder ${run.decoder}; ${millions} M parameters`;
    this.details = make("div", { hidden: true }, ...this.sections.map((section) => section.element));
    this.element = make(
      "article",
      { class: "run", "data-run": run.name },
      make("h2", {}, run.name),
      make("p", { class: "model" }, model),
      this.list,
      this.details,
    );
    this.show([], null);
  }

  /** Show these sentences, and translate those that are new. */
  show(sources, beam) {
    const previous = this.sentences.filter((sentence) => sentence.beam === beam);
    const sentences = sources.map((source) => {
      const index = previous.findIndex((sentence) => sentence.source === source);
      return index < 0 ? this.newSentence(source, beam) : previous.splice(index, 1)[0];
    });
    for (const sentence of this.sentences) if (!sentences.includes(sentence)) sentence.stop();
    this.sentences = sentences;
    this.details.hidden = !sentences.length;
    const elements = sentences.map((sentence) => sentence.element);
    this.list.replaceChildren(...(elements.length ? elements : [make("p", { class: "empty" }, "…")]));
    this.element.classList.toggle("several", sentences.length > 1);
    if (!sentences.includes(this.selected) && sentences.length) this.select(sentences[0]);
    this.translate();
  }

  newSentence(source, beam) {
    const sentence = new Sentence(this.run.name, source, beam, {
      onSelect: (selected) => this.select(selected),
      onChange: (changed) => changed === this.selected && this.showDetails(),
    });
    sentence.defaultBeam = this.run.beam_size;
    return sentence;
  }

  /** Translate the sentences one after another, until others are shown. */
  async translate() {
    const version = ++this.version;
    for (const sentence of this.sentences) {
      if (version !== this.version) return;
      await sentence.ready();
    }
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
