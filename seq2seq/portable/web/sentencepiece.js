// A reader of SentencePiece models (Kudo & Richardson 2018): text to token ids and back.
//
// Text is a byte string here, with one character per byte of its UTF-8, because SentencePiece's rules and lengths count
// bytes. All scores are float32 and are rounded where SentencePiece rounds them, so that ties are resolved alike.
"use strict";
(() => {
  const SPACE = "\xe2\x96\x81"; // U+2581, which stands for a space
  const REPLACEMENT = "\xef\xbf\xbd"; // U+FFFD
  const UNIGRAM = 1, BPE = 2, WORD = 3; // TrainerSpec.ModelType; 4: characters
  const NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6; // SentencePiece.Type
  const UNKNOWN_PENALTY = 10; // subtracted from the lowest score for a character outside the vocabulary
  const CHARACTERS = // valid UTF-8, or another byte
    /([\0-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})|[^]/g;
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // U+FEFF is text

  /** The byte string of bytes. */
  function byteString(bytes) {
    let text = "";
    for (let start = 0; start < bytes.length; start += 8192) {
      text += String.fromCharCode(...bytes.subarray(start, start + 8192));
    }
    return text;
  }

  const toBytes = (text) => byteString(encoder.encode(text));
  const fromBytes = (bytes) => decoder.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));

  /** A base-128 integer, lowest digits first, and the position after it. */
  function readInteger(message, position) {
    let value = 0;
    for (let shift = 1; position < message.length; shift *= 128) {
      const digit = message[position++];
      value += (digit & 127) * shift;
      if (digit < 128) return [value, position];
    }
    throw new Error("it ends in the middle of a number");
  }

  /** The fields of a message in the wire format of protocol buffers: pairs of a number and a value. */
  function* fields(message) {
    let position = 0;
    while (position < message.length) {
      let key, value;
      [key, position] = readInteger(message, position);
      const type = key & 7;
      if (type === 0) {
        [value, position] = readInteger(message, position);
      } else {
        let length = { 1: 8, 5: 4 }[type];
        if (type === 2) [length, position] = readInteger(message, position);
        if (!(position + length <= message.length)) throw new Error("it ends in the middle of a value");
        value = message.subarray(position, position + length);
        position += length;
      }
      yield [key >> 3, value];
    }
  }

  function readPiece(message) {
    const piece = { text: "", score: 0, type: NORMAL };
    for (const [field, value] of fields(message)) {
      if (field === 1) piece.text = byteString(value);
      else if (field === 2) piece.score = new DataView(value.buffer, value.byteOffset).getFloat32(0, true);
      else if (field === 3) piece.type = value;
    }
    return piece;
  }

  /** Replaces characters by rules, and spaces by U+2581. */
  class Normalizer {
    /** Read a NormalizerSpec. `matchSymbol` returns the user-defined symbol at a position, which no rule changes. */
    constructor(message, spaceAsSuffix, matchSymbol) {
      Object.assign(this, { spaceAsSuffix, matchSymbol, trie: new Uint32Array(), rules: "" });
      Object.assign(this, { addDummyPrefix: 1, removeExtraSpaces: 1, escapeSpaces: 1 }); // defaults of the format
      for (const [field, value] of fields(message)) {
        if (field === 2) this.readRules(value);
        else if (field === 3) this.addDummyPrefix = value;
        else if (field === 4) this.removeExtraSpaces = value;
        else if (field === 5) this.escapeSpaces = value;
      }
    }

    /** The rules are a double-array trie (Aoe 1989) of what is replaced, and replacements that end in a zero. */
    readRules(blob) {
      if (!blob.length) return;
      const view = new DataView(blob.buffer, blob.byteOffset, blob.length);
      const size = view.getUint32(0, true);
      this.trie = Uint32Array.from({ length: size >> 2 }, (_, unit) => view.getUint32(4 + 4 * unit, true));
      this.rules = byteString(blob.subarray(4 + size));
    }

    /** The longest rule at a position: the number of bytes that it replaces, and the replacement; null for none. */
    match(text, position) {
      const { trie } = this;
      const child = (unit) => (unit >>> 10) << ((unit & 512) >>> 6); // distance to the block of a node's children
      let node = trie.length ? child(trie[0]) : 0;
      let found = null;
      for (let end = position; trie.length && end < text.length; ) {
        const byte = text.charCodeAt(end++);
        node ^= byte;
        const unit = trie[node];
        if ((unit & 0x800000ff) >>> 0 !== byte) break;
        node ^= child(unit);
        if (unit & 256) found = [end - position, trie[node] & 0x7fffffff];
      }
      return found && [found[0], this.rules.slice(found[1], this.rules.indexOf("\0", found[1]))];
    }

    /** What stands for the next symbol, rule or character, and the number of bytes that it replaces. */
    prefix(text, position) {
      const symbol = this.matchSymbol(text, position);
      if (symbol) return [symbol.length, symbol];
      const rule = this.match(text, position);
      if (rule) return rule;
      const length = characterLength(text, position);
      return [length, text.slice(position, position + length)];
    }

    normalize(text) {
      const space = this.escapeSpaces ? SPACE : " ";
      let position = 0;
      const next = () => this.prefix(text, position);
      if (this.removeExtraSpaces) {
        for (; position < text.length && next()[1] === " "; position += next()[0]);
      }
      if (position >= text.length) return "";
      let normal = this.addDummyPrefix && !this.spaceAsSuffix ? space : "";
      let afterSpace = this.removeExtraSpaces;
      while (position < text.length) {
        let [length, replacement] = next();
        if (afterSpace) replacement = replacement.replace(/^ +/, "");
        if (replacement) afterSpace = this.removeExtraSpaces && replacement.endsWith(" ");
        normal += this.escapeSpaces ? replacement.replace(/ /g, SPACE) : replacement;
        position += length;
      }
      while (this.removeExtraSpaces && normal.endsWith(space)) normal = normal.slice(0, -space.length);
      return this.addDummyPrefix && this.spaceAsSuffix ? normal + space : normal;
    }
  }

  /** The bytes of the character at a position of valid UTF-8. */
  function characterLength(text, position) {
    const first = text.charCodeAt(position);
    return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  }

  /** The bytes with U+FFFD for each one that belongs to no character. */
  function validBytes(bytes) {
    return bytes.replace(CHARACTERS, (byte, character) => character ?? REPLACEMENT);
  }

  class SentencePiece {
    /** Read a serialized model (Uint8Array). Throws an Error if it is damaged. */
    constructor(model) {
      Object.assign(this, { type: UNIGRAM, pieces: [], ids: new Map(), reserved: new Map(), longest: 1 });
      Object.assign(this, { byteFallback: 0, unknownSurface: toBytes(" \u2047 "), symbols: [] });
      const messages = { 2: new Uint8Array(), 3: new Uint8Array(), 5: new Uint8Array() };
      for (const [field, value] of fields(model)) {
        if (field === 1) this.add(readPiece(value));
        else messages[field] = value;
      }
      const spaceAsSuffix = this.readTraining(messages[2]);
      this.unknown = this.pieces.findIndex((piece) => piece.type === UNKNOWN);
      if (this.unknown < 0) throw new Error("it has no token for unknown text");
      this.symbols.sort((one, other) => other.length - one.length);
      const normal = this.pieces.filter((piece) => piece.type === NORMAL).map((piece) => piece.score);
      this.lowest = normal.reduce((low, score) => Math.min(low, score), 3.4028234663852886e38);
      this.highest = normal.reduce((high, score) => Math.max(high, score), 1.1754943508222875e-38);
      this.normalizer = new Normalizer(messages[3], spaceAsSuffix, (text, at) => this.symbolAt(text, at));
      const denormalizer = new Normalizer(messages[5], spaceAsSuffix, () => "");
      this.denormalizer = denormalizer.rules ? denormalizer : null;
    }

    add(piece) {
      const id = this.pieces.push(piece) - 1;
      const splits = [NORMAL, USER_DEFINED, UNUSED].includes(piece.type);
      (splits ? this.ids : this.reserved).set(piece.text, id);
      if (splits) this.longest = Math.max(this.longest, piece.text.length);
      if (piece.type === USER_DEFINED) this.symbols.push(piece.text);
      if (piece.type === BYTE) piece.byte = String.fromCharCode(parseInt(piece.text.slice(3, 5), 16));
    }

    readTraining(message) {
      let spaceAsSuffix = 0;
      for (const [field, value] of fields(message)) {
        if (field === 3) this.type = value;
        else if (field === 24) spaceAsSuffix = value;
        else if (field === 35) this.byteFallback = value;
        else if (field === 44) this.unknownSurface = byteString(value);
      }
      return spaceAsSuffix;
    }

    get size() {
      return this.pieces.length;
    }

    /** The id of a token; that of `<unk>` if there is no such token. */
    idOf(token) {
      return this.idOfBytes(toBytes(token));
    }

    idOfBytes(token) {
      return this.reserved.get(token) ?? this.ids.get(token) ?? this.unknown;
    }

    /** The token of an id. */
    token(id) {
      return fromBytes(this.pieces[id].text);
    }

    /** The value of a token that stands for a single byte; null for all other tokens. */
    byteOf(id) {
      const { type, byte } = this.pieces[id];
      return type === BYTE ? byte.charCodeAt(0) : null;
    }

    /** The longest user-defined symbol at a position; empty if there is none. */
    symbolAt(text, position) {
      return this.symbols.find((symbol) => text.startsWith(symbol, position)) ?? "";
    }

    /** The token ids of a text. */
    encode(text) {
      const normal = this.normalizer.normalize(toBytes(text));
      const methods = { [UNIGRAM]: this.unigram, [BPE]: this.bpe, [WORD]: this.words };
      const tokens = (methods[this.type] ?? this.characters).call(this, normal);
      const ids = [];
      let previous = null;
      for (const [token, id] of tokens) {
        if (id !== this.unknown) ids.push(id);
        else if (this.byteFallback) ids.push(...Array.from(token, (byte) => this.byteId(byte)));
        else if (previous !== this.unknown) ids.push(id); // unknown text in a row is one token
        previous = id;
      }
      return ids;
    }

    byteId(byte) {
      const digits = byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
      return this.idOfBytes(`<0x${digits}>`);
    }

    /** The most probable segmentation under a unigram language model (Kudo 2018), by Viterbi's algorithm. */
    unigram(text) {
      const ids = new Int32Array(text.length + 1).fill(-1); // of the best token that ends at a position
      const starts = new Int32Array(text.length + 1);
      const scores = new Float32Array(text.length + 1); // of the best segmentation up to a position
      const unknownScore = Math.fround(this.lowest - UNKNOWN_PENALTY);
      const consider = (start, end, id, score) => {
        if (ids[end] >= 0 && score <= scores[end]) return;
        scores[end] = score;
        starts[end] = start;
        ids[end] = id;
      };
      for (let start = 0, length; start < text.length; start += length) {
        length = characterLength(text, start);
        let single = false; // whether the character is a token
        const last = Math.min(text.length, start + this.longest);
        for (let end = start + 1; end <= last; end++) {
          const id = this.ids.get(text.slice(start, end));
          if (id === undefined || this.pieces[id].type === UNUSED) continue;
          const { type, score } = this.pieces[id];
          const own = type === USER_DEFINED ? Math.fround((end - start) * this.highest) - 0.1 : score;
          consider(start, end, id, Math.fround(own + scores[start]));
          if (end - start === length) single = true;
        }
        if (!single) consider(start, start + length, this.unknown, Math.fround(unknownScore + scores[start]));
      }
      const tokens = [];
      for (let end = text.length; end > 0; end = starts[end]) tokens.push([text.slice(starts[end], end), ids[end]]);
      return tokens.reverse();
    }

    /** Merges of pairs (Sennrich et al. 2016): always the pair with the highest score, the first one of equal ones. */
    bpe(text) {
      const parts = this.split(text);
      const frozen = parts.map((part) => this.symbols.includes(part)); // user-defined symbols are never merged
      const halves = new Map(); // of tokens that are not used any more
      const pairScore = (left) => {
        if (left < 0 || left + 1 >= parts.length || frozen[left] || frozen[left + 1]) return -Infinity;
        const pair = parts[left] + parts[left + 1];
        const id = this.ids.get(pair);
        if (id === undefined) return -Infinity;
        if (this.pieces[id].type === UNUSED) halves.set(pair, [parts[left], parts[left + 1]]);
        return this.pieces[id].score;
      };
      const scores = parts.map((_, left) => pairScore(left));
      for (;;) {
        let best = 0;
        for (let left = 1; left < parts.length; left++) if (scores[left] > scores[best]) best = left;
        if (!(scores[best] > -Infinity)) break;
        parts[best] += parts[best + 1];
        for (const list of [parts, frozen, scores]) list.splice(best + 1, 1);
        scores[best] = pairScore(best);
        if (best > 0) scores[best - 1] = pairScore(best - 1);
      }
      const used = (part) => {
        const id = this.idOfBytes(part);
        const unused = this.pieces[id].type === UNUSED && halves.get(part);
        return unused ? unused.flatMap(used) : [[part, id]];
      };
      return parts.flatMap(used);
    }

    characters(text) {
      return this.split(text).map((part) => [part, this.idOfBytes(part)]);
    }

    words(text) {
      return text ? text.split(/(?=\xe2\x96\x81)/).map((word) => [word, this.idOfBytes(word)]) : [];
    }

    /** User-defined symbols, and the characters between them. */
    split(text) {
      const parts = [];
      for (let position = 0; position < text.length; position += parts[parts.length - 1].length) {
        const symbol = this.symbolAt(text, position);
        parts.push(symbol || text.slice(position, position + characterLength(text, position)));
      }
      return parts;
    }

    /** The text of token ids; bytes in a row that are no character become U+FFFD. */
    decode(ids) {
      let text = "";
      let bytes = "";
      let first = true; // no text and no removed space before this token
      for (const id of ids) {
        const piece = this.pieces[id];
        if (!piece) throw new RangeError(`there is no token ${id}`);
        if (piece.type === BYTE) {
          bytes += piece.byte;
          continue;
        }
        text += validBytes(bytes);
        bytes = "";
        if (text) first = false;
        const [part, removed] = this.surface(piece, first);
        if (removed && !this.normalizer.removeExtraSpaces) first = false;
        text += part;
      }
      text += validBytes(bytes);
      return fromBytes(this.denormalizer ? this.denormalizer.normalize(text) : text);
    }

    /** The text of a token, and whether a space before the first word has been removed from it. */
    surface({ text, type }, first) {
      if (type === CONTROL) return ["", false];
      if (type === UNKNOWN) return [this.unknownSurface, false];
      const { addDummyPrefix, removeExtraSpaces } = this.normalizer;
      const removed = first && (addDummyPrefix || removeExtraSpaces) && text.startsWith(SPACE);
      return [(removed ? text.slice(SPACE.length) : text).split(SPACE).join(" "), removed];
    }
  }

  globalThis.SentencePiece = SentencePiece;
})();
