// Requests to the server of this page.

/** The server does not respond: it has stopped, or the network is down. */
export class StoppedError extends Error {
  constructor() {
    const start = command ? ` with: ${command} run=… port=${location.port || 80}` : "";
    super(`The server has stopped. Start it again${start}`);
  }
}

let command = ""; // that starts the server

async function failure(response) {
  const text = await response.text();
  try {
    return new Error(JSON.parse(text).detail);
  } catch {
    return new Error(text || `the server responded with status ${response.status}`);
  }
}

/** The result of a promise of the network. Browsers report a lost connection as a TypeError, each in other words. */
async function connected(promise) {
  try {
    return await promise;
  } catch (error) {
    throw error instanceof TypeError ? new StoppedError() : error;
  }
}

async function request(path, options) {
  const response = await connected(fetch(path, options));
  if (!response.ok) throw await failure(response);
  return response;
}

async function send(path, fields, signal) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(fields), signal });
}

/** Runs and limits of the server. */
export async function fetchServer() {
  const server = await connected((await request("/api/runs")).json());
  command = server.program;
  return server;
}

/** The response to a request. */
export async function post(path, fields, signal) {
  return connected((await send(path, fields, signal)).json());
}

/** A translation; `onPart` receives each longer part of it. */
export async function stream(fields, signal, onPart) {
  const response = await send("/api/stream", fields, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await connected(reader.read());
    if (done) throw new StoppedError();
    buffer += value;
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const [event, data] = buffer.slice(0, end).split("\n");
      buffer = buffer.slice(end + 2);
      const message = JSON.parse(data.slice("data: ".length));
      if (event === "event: growing") onPart(message);
      else if (event === "event: done") return message;
      else throw new Error(message.detail);
    }
  }
}

/** The address of a picture. */
export function pictureUrl(fields, name) {
  const given = Object.entries({ ...fields, name }).filter(([, value]) => value !== null && value !== undefined);
  return `/api/picture?${new URLSearchParams(given)}`;
}
