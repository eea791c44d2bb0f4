// A sentence and its translation: growing, then made of words that can be clicked for others.
import { ask, follow } from "./api.js";
import { make, number, percent } from "./dom.js";

export class Sentence {
  /** `run` is its name; `changed` is called when the translation is another, `chosen` when the sentence is picked. */
  constructor(run, source, beam, { changed, chosen }) {
    Object.assign(this, { run, source, beam, changed, chosen });
    this.prefix = "";
    this.translation = null;
    this.pending = null;
    this.stopping = new AbortController();
    this.text = make("p", { class: "text", "aria-live": "polite" });
    this.figures = make("p", { class: "figures" });
    this.below = make("div");
    this.element = make("div", { class: "sentence", click: () => chosen(this) }, this.text, this.figures, this.below);
  }

  get question() {
    return { run: this.run, text: this.source, beam_size: this.beam };
  }

  stop() {
    this.stopping.abort();
  }

  /** Have a translation, unless there is one or it is under way. */
  async ready() {
    if (!this.translation && !this.pending) this.pending = this.translate().finally(() => (this.pending = null));
    await this.pending;
  }

  /** Translate, and show it growing. */
  async translate() {
    this.stop();
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    this.prefix = "";
    this.text.classList.add("under-way");
    try {
      this.show(await follow(this.question, signal, ({ text }) => this.text.replaceChildren(text)));
    } catch (error) {
      if (signal.aborted) return;
      this.text.replaceChildren(make("span", { class: "problem" }, error.message));
    } finally {
      if (!signal.aborted) this.text.classList.remove("under-way");
    }
  }

  /** A complete translation, of which the words of `prefix` were chosen. */
  show(translation, prefix = "") {
    this.translation = translation;
    this.prefix = prefix;
    const held = prefix ? prefix.split(" ").length : 0;
    const words = translation.text.split(" ").filter(Boolean);
    const shown = words.map((word, place) =>
      make(
        "button",
        {
          type: "button",
          class: place < held ? "word held" : "word",
          "aria-expanded": "false",
          title: "other words here",
          click: (event) => this.offer(event.currentTarget, words, place),
        },
        word,
      ),
    );
    this.text.replaceChildren(...shown.flatMap((word, place) => (place ? [" ", word] : [word])));
    const told = `score ${number(translation.score, 3)} · log-probability ${number(translation.log_probability)} · ${translation.pieces.length} pieces`;
    const back = prefix
      ? make("button", { type: "button", click: () => this.translate() }, "as translated first")
      : null;
    this.figures.replaceChildren(...(words.length ? [told, back].filter(Boolean) : []));
    this.below.replaceChildren();
    this.changed(this);
  }

  /** Other words in place of one, each with the rest translated anew. */
  async offer(button, words, place) {
    const opened = button.getAttribute("aria-expanded") === "true";
    for (const other of this.text.querySelectorAll("button")) other.setAttribute("aria-expanded", "false");
    this.below.replaceChildren();
    if (opened) return;
    button.setAttribute("aria-expanded", "true");
    const { signal } = this.stopping;
    const list = make("ul");
    const title = make("span", {}, `In place of “${words[place]}” …`);
    const close = make("button", { type: "button", "aria-label": "close", click: () => this.offer(button, words, place) }, "×");
    const box = make("div", { class: "alternatives" }, make("p", {}, title, close), list);
    this.below.replaceChildren(box);
    const before = words.slice(0, place).join(" ");
    try {
      const { alternatives } = await ask("/api/alternatives", { ...this.question, before, count: 6 }, signal);
      title.replaceChildren(`In place of “${words[place]}”, and how it would go on`);
      list.replaceChildren(...alternatives.map((one) => this.offered(one, before)));
      if (!alternatives.length) title.replaceChildren("The sentence may only end here.");
    } catch (error) {
      if (!signal.aborted) title.replaceChildren(make("span", { class: "problem" }, error.message));
    }
  }

  offered({ word, probability, translation }, before) {
    const prefix = before ? `${before} ${word}` : word;
    const rest = translation.text.slice(prefix.length);
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", click: () => this.show(translation, prefix) },
        make("strong", {}, word),
        make("span", { class: "share" }, percent(probability)),
        make("span", { class: "rest" }, before ? `… ${word}${rest}` : `${word}${rest}`),
      ),
    );
  }
}
