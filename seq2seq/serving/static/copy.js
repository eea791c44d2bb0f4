// A button that copies text to the clipboard.
import { make } from "./dom.js";

const SHOWN = 2500; // milliseconds of the confirmation

/** Copy through a hidden text field: pages without https, except on this machine, have no clipboard. */
function copyBySelection(text) {
  const focused = document.activeElement;
  const field = make("textarea", { class: "offscreen", readonly: true, "aria-hidden": "true" });
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return copied;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // there is no clipboard, or the browser denies it
  }
}

/** The button, which copies what `text` returns, and its confirmation. */
export function copyButton(text) {
  let timer = 0;
  const status = make("span", { role: "status" });
  const onClick = async () => {
    const copied = await copy(text());
    status.textContent = copied ? "✓ copied" : "Copying failed: select the text, then press Ctrl+C.";
    clearTimeout(timer);
    timer = setTimeout(() => status.replaceChildren(), SHOWN);
  };
  return make("p", { class: "copy" }, make("button", { type: "button", click: onClick }, "Copy translation"), " ", status);
}
