// A sentence and its translation, which is streamed. Each word of it opens a list of alternatives.
import { post, stream } from "./api.js";
import { inLanguage, make, number, percent } from "./dom.js";

let opened = null; // the list of alternatives that is open: its word (a button) and its box

function closeAlternatives({ focus = false } = {}) {
  if (!opened) return;
  const { button, box } = opened;
  opened = null;
  box.remove();
  button.setAttribute("aria-expanded", "false");
  if (focus) button.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeAlternatives({ focus: true });
});
document.addEventListener("pointerdown", ({ target }) => {
  if (opened && !opened.box.contains(target) && !opened.button.contains(target)) closeAlternatives();
});

export class Sentence {
  /**
   * `run` is a run of the server. `onChange` is called after a new translation, `onSelect` after a click, `onFailure`
   * after an error.
   */
  constructor(run, source, beam, { onChange, onSelect, onFailure }) {
    Object.assign(this, { run: run.name, source, beam, onChange, onFailure });
    this.languages = { source: run.source_language, target: run.target_language };
    this.defaultBeam = run.beam_size;
    this.prefix = "";
    this.translation = null;
    this.pending = null;
    this.abort = new AbortController();
    this.text = make("div", { class: "text", "aria-live": "polite", ...inLanguage(run.target_language) });
    this.figures = make("p", { class: "figures" });
    this.element = make("div", { class: "sentence", click: () => onSelect(this) }, this.text, this.figures);
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
      this.onFailure();
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
    const tokens = translation.tokens.length === 1 ? "1 token" : `${translation.tokens.length} tokens`;
    const scores = `score ${number(translation.score, 3)} · log-probability ${number(translation.log_probability)} · ${tokens}`;
    const reset = prefix ? make("button", { type: "button", click: () => this.translate() }, "reset") : null;
    this.figures.replaceChildren(...(words.length ? [scores, reset].filter(Boolean) : []));
    buttons[chosen - 1]?.focus();
    this.onChange(this);
  }

  /** Open or close the list of alternatives to a word. It follows the word in the document, so that Tab reaches it. */
  async toggleAlternatives(button, words, position) {
    const wasOpen = opened?.button === button;
    closeAlternatives({ focus: wasOpen });
    if (wasOpen) return;
    button.setAttribute("aria-expanded", "true");
    const { signal } = this.abort;
    const list = make("ul");
    const word = make("bdi", { lang: this.languages.target || null }, words[position]);
    const title = make("span", {}, "Alternatives to “", word, "” …");
    const close = make("button", { type: "button", "aria-label": "close", click: () => closeAlternatives({ focus: true }) }, "×");
    const box = make("div", { class: "alternatives", dir: "ltr", lang: "en", "aria-live": "off" }, make("p", {}, title, close), list);
    button.after(box);
    opened = { button, box };
    const before = words.slice(0, position).join(" ");
    try {
      const { alternatives } = await post("/api/alternatives", { ...this.fields, before: before && `${before} `, count: 6 }, signal);
      title.replaceChildren("Alternatives to “", word, "”, with the new translations");
      list.replaceChildren(...alternatives.map((alternative) => this.alternativeElement(alternative, before)));
      if (!alternatives.length) title.replaceChildren("There are no alternatives: the translation ends here.");
    } catch (error) {
      if (signal.aborted) return;
      title.replaceChildren(make("span", { class: "error" }, error.message));
      this.onFailure();
    }
  }

  alternativeElement({ word, probability, translation }, before) {
    const prefix = before ? `${before} ${word}` : word;
    const rest = translation.text.slice(prefix.length);
    const language = inLanguage(this.languages.target);
    const choose = () => {
      closeAlternatives();
      this.show(translation, prefix);
    };
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", click: choose },
        make("strong", language, word),
        make("span", { class: "share" }, percent(probability)),
        make("span", { class: "rest", ...language }, before ? `… ${word}${rest}` : `${word}${rest}`),
      ),
    );
  }
}
