// Elements are made of text, never of markup: whatever comes from outside is a text node or an attribute's value.

/** An element with attributes (functions are listeners, true is present, false absent) and children. */
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

/** A share of one as the page writes it. */
export function percent(share) {
  return share >= 0.9995 ? "100%" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
}

/** A number as the page writes it, with a true minus; where there is none, a dash. */
export function number(value, digits = 2) {
  return value === null ? "–" : value.toFixed(digits).replace("-", "−");
}
