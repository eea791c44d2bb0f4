// Keeps the page for use without a network, after the first visit. html.py fills in the version, the first digits of the
// SHA-256 of index.html, so that a browser notices a new export and fetches it; the next visit shows it.
"use strict";
const PREFIX = `seq2seq ${registration.scope} `;
const VERSION = "{{version}}";
const CACHE = `${PREFIX}${VERSION}`;
const FILES = ["index.html", "manifest.webmanifest"];

async function fill() {
  const cache = await caches.open(CACHE);
  for (const file of FILES) {
    const response = await fetch(file, { cache: "reload" });
    const bytes = await response.arrayBuffer();
    // What a login page of a network or a half-updated server sends would otherwise be shown until the next export.
    const right = file !== "index.html" || (await sha256(bytes)).startsWith(VERSION);
    if (!response.ok || !right) throw new Error(`${file} is not that of version ${VERSION}`);
    // A copy: browsers refuse to show the response itself if the server has redirected the request.
    await cache.put(file, new Response(bytes, { headers: response.headers }));
  }
  await self.skipWaiting();
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function removeOld() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
  await clients.claim();
}

addEventListener("install", (event) => event.waitUntil(fill()));
addEventListener("activate", (event) => event.waitUntil(removeOld()));
addEventListener("fetch", (event) => {
  const { pathname, href } = new URL(event.request.url);
  const name = href.startsWith(registration.scope) ? pathname.slice(new URL(registration.scope).pathname.length) : null;
  const file = name === "" ? "index.html" : name;
  if (!FILES.includes(file)) return; // other files of the folder come from the network
  event.respondWith(caches.open(CACHE).then(async (cache) => (await cache.match(file)) || fetch(event.request)));
});
