// A sentence and its translation, which is streamed. Each word of it opens a list of alternatives.
import { post, stream } from "./api.js";
import { make, number, percent } from "./dom.js";

export class Sentence {
  /** `run` is a name. `onChange` is called after a new translation, `onSelect` after a click. */
  constructor(run, source, beam, { onChange, onSelect }) {
    Object.assign(this, { run, source, beam, onChange });
    this.prefix = "";
    this.translation = null;
    this.pending = null;
    this.abort = new AbortController();
    this.text = make("p", { class: "text", "aria-live": "polite" });
    this.figures = make("p", { class: "figures" });
    this.below = make("div");
    this.element = make("div", { class: "sentence", click: () => onSelect(this) }, this.text, this.figures, this.below);
  }

  get fields() {
    return { run: this.run, text: this.source, beam_size: this.beam };
  }

  stop() {
    this.abort.abort();
  }

  /** Wait for the translation; start it if necessary. */
  async ready() {
    if (!this.translation && !this.pending) this.pending = this.translate().finally(() => (this.pending = null));
    await this.pending;
  }

  /** Translate, and show the partial translations. */
  async translate() {
    this.stop();
    this.abort = new AbortController();
    const { signal } = this.abort;
    this.prefix = "";
    this.text.classList.add("in-progress");
    try {
      this.show(await stream(this.fields, signal, ({ text }) => this.text.replaceChildren(text)));
    } catch (error) {
      if (signal.aborted) return;
      this.text.replaceChildren(make("span", { class: "error" }, error.message));
    } finally {
      if (!signal.aborted) this.text.classList.remove("in-progress");
    }
  }

  /** Show a complete translation; the user chose the words of `prefix`. */
  show(translation, prefix = "") {
    this.translation = translation;
    this.prefix = prefix;
    const chosen = prefix ? prefix.split(" ").length : 0;
    const words = translation.text.split(" ").filter(Boolean);
    const buttons = words.map((word, position) =>
      make(
        "button",
        {
          type: "button",
          class: position < chosen ? "word chosen" : "word",
          "aria-expanded": "false",
          title: "alternatives",
          click: (event) => this.toggleAlternatives(event.currentTarget, words, position),
        },
        word,
      ),
    );
    this.text.replaceChildren(...buttons.flatMap((button, position) => (position ? [" ", button] : [button])));
    const scores = `score ${number(translation.score, 3)} · log-probability ${number(translation.log_probability)} · ${translation.pieces.length} tokens`;
    const reset = prefix ? make("button", { type: "button", click: () => this.translate() }, "reset") : null;
    this.figures.replaceChildren(...(words.length ? [scores, reset].filter(Boolean) : []));
    this.below.replaceChildren();
    this.onChange(this);
  }

  /** Open or close the list of alternatives to a word. */
  async toggleAlternatives(button, words, position) {
    const wasOpen = button.getAttribute("aria-expanded") === "true";
    for (const other of this.text.querySelectorAll("button")) other.setAttribute("aria-expanded", "false");
    this.below.replaceChildren();
    if (wasOpen) return;
    button.setAttribute("aria-expanded", "true");
    const { signal } = this.abort;
    const list = make("ul");
    const title = make("span", {}, `Alternatives to “${words[position]}” …`);
    const close = make("button", { type: "button", "aria-label": "close", click: () => this.toggleAlternatives(button, words, position) }, "×");
    const box = make("div", { class: "alternatives" }, make("p", {}, title, close), list);
    this.below.replaceChildren(box);
    const before = words.slice(0, position).join(" ");
    try {
      const { alternatives } = await post("/api/alternatives", { ...this.fields, before, count: 6 }, signal);
      title.replaceChildren(`Alternatives to “${words[position]}”, with the new translations`);
      list.replaceChildren(...alternatives.map((alternative) => this.alternativeElement(alternative, before)));
      if (!alternatives.length) title.replaceChildren("There are no alternatives: the translation ends here.");
    } catch (error) {
      if (!signal.aborted) title.replaceChildren(make("span", { class: "error" }, error.message));
    }
  }

  alternativeElement({ word, probability, translation }, before) {
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
