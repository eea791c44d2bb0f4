// Keeps the page for use without a network, after the first visit. html.py fills in the version, so that a browser
// notices a new export and fetches it; the next visit shows it.
"use strict";
const PREFIX = `seq2seq ${registration.scope} `;
const CACHE = `${PREFIX}{{version}}`;
const FILES = ["index.html", "manifest.webmanifest"];

async function fill() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting();
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
