// Elements are made of text, never of markup: text from outside becomes a text node or an attribute value.

/** An element with attributes (functions: listeners; true: present; false: absent) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Attributes of an element with text of a language: its direction is that of the text. */
export function inLanguage(language) {
  return { dir: "auto", lang: language || null };
}

/** The English name of a language; its tag if the browser does not know it. */
export function languageName(tag) {
  try {
    return tag && new Intl.DisplayNames(["en"], { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

/** A probability in percent. */
export function percent(probability) {
  return probability >= 0.9995 ? "100%" : `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)}%`;
}

/** A number with a typographic minus sign; a dash for null. */
export function number(value, digits = 2) {
  return value === null ? "–" : value.toFixed(digits).replace("-", "−");
}
