// A run: its translations of all sentences, and what is behind the one that is selected.
import { make } from "./dom.js";
import { inside, others } from "./inside.js";
import { Sentence } from "./sentence.js";

/** A part that is filled when it is opened, and anew when the translation is another. */
class Drawer {
  constructor(title, fill) {
    this.fill = fill;
    this.sentence = null;
    this.stopping = new AbortController();
    this.content = make("div");
    this.element = make("details", { toggle: () => this.refresh() }, make("summary", {}, title), this.content);
  }

  look(sentence) {
    this.sentence = sentence;
    this.filled = null;
    this.refresh();
  }

  async refresh() {
    const { translation } = this.sentence ?? {};
    if (!this.element.open || !translation || this.filled === translation) return;
    this.filled = translation;
    this.stopping.abort();
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    if (!this.content.childElementCount) this.content.replaceChildren("…");
    try {
      const parts = await this.fill(this.sentence, signal);
      if (!signal.aborted) this.content.replaceChildren(...parts);
    } catch (error) {
      if (!signal.aborted) this.content.replaceChildren(make("p", { class: "problem" }, error.message));
    }
  }
}

export class Panel {
  constructor(run) {
    this.run = run;
    this.sentences = [];
    this.turn = 0;
    this.list = make("div");
    this.drawers = [new Drawer("Other translations", others), new Drawer("Look inside", inside)];
    const millions = (run.parameters / 1e6).toFixed(run.parameters < 1e7 ? 1 : 0);
    const told = `${run.attention === "none" ? "one context vector" : `attention: ${run.attention}`}; encoder ${run.encoder}; decoder ${run.decoder}; ${millions} M parameters`;
    this.behind = make("div", { hidden: true }, ...this.drawers.map((drawer) => drawer.element));
    this.element = make(
      "article",
      { class: "run", "data-run": run.name },
      make("h2", {}, run.name),
      make("p", { class: "model" }, told),
      this.list,
      this.behind,
    );
    this.show([], null);
  }

  /** Translate these sentences; those that are there already stay. */
  show(sources, beam) {
    const known = this.sentences.filter((one) => one.beam === beam);
    const kept = sources.map((source) => {
      const place = known.findIndex((one) => one.source === source);
      return place < 0 ? this.fresh(source, beam) : known.splice(place, 1)[0];
    });
    for (const one of this.sentences) if (!kept.includes(one)) one.stop();
    this.sentences = kept;
    this.behind.hidden = !kept.length;
    this.list.replaceChildren(...(kept.length ? kept.map((one) => one.element) : [make("p", { class: "empty" }, "…")]));
    this.element.classList.toggle("several", kept.length > 1);
    if (!kept.includes(this.selected) && kept.length) this.select(kept[0]);
    this.work();
  }

  fresh(source, beam) {
    const sentence = new Sentence(this.run.name, source, beam, {
      chosen: (one) => this.select(one),
      changed: (one) => one === this.selected && this.look(),
    });
    sentence.usualBeam = this.run.beam_size;
    return sentence;
  }

  /** One sentence after the other, from the first. */
  async work() {
    const turn = ++this.turn;
    for (const sentence of this.sentences) {
      if (turn !== this.turn) return;
      await sentence.ready();
    }
  }

  select(sentence) {
    if (sentence === this.selected) return;
    this.selected = sentence;
    for (const one of this.sentences) one.element.classList.toggle("selected", one === sentence);
    this.look();
  }

  look() {
    for (const drawer of this.drawers) drawer.look(this.selected);
  }
}
