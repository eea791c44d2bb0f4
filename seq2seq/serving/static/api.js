// Questions to the server this page comes from.

async function problem(response) {
  const text = await response.text();
  try {
    return new Error(JSON.parse(text).detail);
  } catch {
    return new Error(text || `the server answered ${response.status}`);
  }
}

function post(path, question, signal) {
  const headers = { "Content-Type": "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(question), signal });
}

/** What is served: runs and limits. */
export async function served() {
  const response = await fetch("/api/runs");
  if (!response.ok) throw await problem(response);
  return response.json();
}

/** An answer in one piece. */
export async function ask(path, question, signal) {
  const response = await post(path, question, signal);
  if (!response.ok) throw await problem(response);
  return response.json();
}

/** A translation, told to `growing` whenever more of it is certain. */
export async function follow(question, signal, growing) {
  const response = await post("/api/stream", question, signal);
  if (!response.ok) throw await problem(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the server broke off");
    held += value;
    for (let end = held.indexOf("\n\n"); end >= 0; end = held.indexOf("\n\n")) {
      const [event, data] = held.slice(0, end).split("\n");
      held = held.slice(end + 2);
      const message = JSON.parse(data.slice("data: ".length));
      if (event === "event: growing") growing(message);
      else if (event === "event: done") return message;
      else throw new Error(message.detail);
    }
  }
}

/** Where a picture of a sentence is. */
export function pictureAddress(question, name) {
  const known = Object.entries({ ...question, name }).filter(([, value]) => value !== null && value !== undefined);
  return `/api/picture?${new URLSearchParams(known)}`;
}
