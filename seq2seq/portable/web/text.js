// Text to source tokens, and target tokens to text, as seq2seq/portable/text.py does it: normalization, placeholders,
// tags, vocabularies of words, sentences.
//
//   const text = new ModelText(config, files, tables);
//
// config: the parsed config.json. files: the bytes (Uint8Array) of the tokenizer files by name. tables: what
// seq2seq/export/unicode_tables.py returns. They stand for Python's version of Unicode, and for its white space, letters
// and digits, because those of browsers differ.
"use strict";
(() => {
  const SPACE = "\u2581"; // SentencePiece's space
  const SYMBOLS = Array.from({ length: 8 }, (_, number) => `\u27e8ph${number + 1}\u27e9`); // of placeholders
  const MAX_SEGMENT = 1000; // characters of a text that is translated as one sentence
  const WORDS = `
    mr mrs ms dr prof st sr jr vs vol fig pp ed eds al inc ltd co gen col capt lt sgt rev hon approx dept
    hr fr frl str nr bzw ca vgl evtl usw bd abb aufl hrsg geb gest jh mio mrd tel abs ziff inkl zzgl
    mme mlle mm av bd env etc cf jan feb febr aug sept okt oct nov dez dec`;
  const ABBREVIATIONS = new Set(WORDS.trim().split(/\s+/)); // after which a period does not end a sentence
  const LINES = /[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])|[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+/g;
  const HANGUL = { first: 0xac00, lead: 0x1100, vowel: 0x1161, trail: 0x11a7, leads: 19, vowels: 21, trails: 28 };

  /** Call `use(first, last, value)` for each range of a table with `width` numbers per range. */
  function eachRange(numbers, width, use) {
    let end = 0;
    for (let at = 0; at < numbers.length; at += width) {
      const first = end + numbers[at];
      end = first + numbers[at + 1];
      use(first, end, numbers[at + 2]);
    }
  }

  /** The content of a class of characters in a regular expression. */
  function characterClass(numbers) {
    let content = "";
    eachRange(numbers, 2, (first, last) => (content += `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`));
    return content;
  }

  /** Unicode normalization (Unicode Standard Annex 15) with the tables of another version than the browser's. */
  class Composer {
    constructor({ canonical, compatibility = [], combining, uncomposed }) {
      this.parts = new Map([...canonical, ...compatibility].map((entry) => split(entry)));
      this.inert = compatibility.length ? /^[\0-\x7f]*$/ : /^[\0-\u02ff]*$/; // text that does not change
      const pairs = canonical.map(split).filter(([whole, pair]) => [...pair].length === 2 && !uncomposed.includes(whole));
      this.wholes = new Map(pairs.map(([whole, pair]) => [pair, whole]));
      this.classes = new Map();
      eachRange(combining, 3, (first, last, value) => {
        for (let code = first; code <= last; code++) this.classes.set(String.fromCodePoint(code), value);
      });
    }

    normalize(text) {
      return this.inert.test(text) ? text : this.compose(this.order(this.decompose(text)));
    }

    decompose(text) {
      return [...text].flatMap((character) => {
        const { first, lead, vowel, trail, leads, vowels, trails } = HANGUL;
        const syllable = character.codePointAt(0) - first;
        if (syllable >= 0 && syllable < leads * vowels * trails) {
          const codes = [lead + Math.floor(syllable / (vowels * trails)), vowel + (Math.floor(syllable / trails) % vowels)];
          if (syllable % trails) codes.push(trail + (syllable % trails));
          return codes.map((code) => String.fromCodePoint(code));
        }
        const parts = this.parts.get(character);
        return parts === undefined ? [character] : this.decompose(parts);
      });
    }

    /** Sort marks in a row by their combining class. */
    order(characters) {
      for (let start = 0; start < characters.length; ) {
        let end = start;
        while (end < characters.length && this.classes.has(characters[end])) end++;
        const marks = characters.slice(start, end).sort((one, other) => this.classes.get(one) - this.classes.get(other));
        characters.splice(start, marks.length, ...marks);
        start = end + 1;
      }
      return characters;
    }

    compose(characters) {
      const composed = [];
      let starter = -1; // the last character without a combining class
      let previous = 0; // the combining class of the character before
      for (const character of characters) {
        const own = this.classes.get(character) || 0;
        const reaches = starter >= 0 && (composed.length - 1 === starter || previous < own);
        const whole = reaches ? this.whole(composed[starter], character) : undefined;
        if (whole !== undefined) {
          composed[starter] = whole;
          continue;
        }
        if (own === 0) starter = composed.length;
        previous = own;
        composed.push(character);
      }
      return composed.join("");
    }

    /** The character that two others compose to. */
    whole(one, other) {
      const { first, lead, vowel, trail, leads, vowels, trails } = HANGUL;
      const [a, b] = [one.codePointAt(0), other.codePointAt(0)];
      if (a >= lead && a < lead + leads && b >= vowel && b < vowel + vowels) {
        return String.fromCodePoint(first + ((a - lead) * vowels + (b - vowel)) * trails);
      }
      const syllable = a - first;
      if (syllable >= 0 && syllable < leads * vowels * trails && syllable % trails === 0 && b > trail && b < trail + trails) {
        return String.fromCodePoint(a + b - trail);
      }
      return this.wholes.get(one + other);
    }
  }

  /** The first character of an entry, and the rest. */
  function split(entry) {
    const whole = String.fromCodePoint(entry.codePointAt(0));
    return [whole, entry.slice(whole.length)];
  }

  /** Normalization of seq2seq/portable/normalization.py. */
  class Normal {
    constructor(form, tables) {
      const { space, invisible } = tables.classes;
      const [s, blank] = [characterClass(space), characterClass(invisible)];
      this.composer = form === "none" ? null : new Composer(tables);
      this.blank = new RegExp(`^[${blank}]*$`, "u");
      this.leading = new RegExp(`^[${s}\\ufeff]+`, "u");
      this.spaces = new RegExp(`[${s}]+`, "u");
      this.ending = new RegExp(`(?:^|[${s}${SPACE}])$`, "u");
    }

    normalize(text) {
      text = text.replace(/[\ud800-\udfff]/gu, "\ufffd").replace(/\u2581/g, " "); // with the flag u: lone surrogates
      if (this.composer) text = this.composer.normalize(text);
      text = text.replace(this.leading, "");
      return this.blank.test(text) ? "" : this.words(text).join(" ");
    }

    isBlank(text) {
      return this.blank.test(text);
    }

    words(text) {
      return text.split(this.spaces).filter(Boolean);
    }

    endsWord(text) {
      return this.ending.test(text);
    }
  }

  /** The regular expressions of seq2seq/portable/placeholders.py, in their order, with Python's classes. */
  function placeholderPatterns({ word, decimal, space }) {
    const [w, d, s] = [word, decimal, space].map(characterClass);
    const url = `(?![\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u2e80-\\u9fff])[${w}]|[/#$%&*+=@~|\\-]`;
    return {
      urls: `(?:https?|ftp)://(?:${url}|[.,:;!?]+(?=${url}|\\()|\\((?:${url}|[.,:;!?])*\\))+`,
      emails: `(?<![${w}.+\\-])[${w}.+\\-]+@[${w}][${w}\\-]*(?:\\.[${w}][${w}\\-]*)+`,
      tags: `</?[A-Za-z][${w}:.\\-]*(?:[${s}][^<>]*)?/?>|&(?:#[${d}]+|#x[0-9A-Fa-f]+|[A-Za-z][${w}]+);`,
      braces: `\\{\\{[^{}]*\\}\\}|\\$?\\{[^{}${s}]*\\}`,
      printf:
        `(?<![${d}%])%(?:\\([${w}]+\\)|[${d}]+\\$)?[\\-+0#]*(?:[${d}]+|\\*)?(?:\\.(?:[${d}]+|\\*))?` +
        "(?:hh?|ll?|[zjtLq])?[@diouxXeEfFgGcsp]",
      variables: `\\$[A-Za-z_][${w}]*`,
      numbers: `(?<![${w}.,])[${d}]+(?:[.,:][${d}]+)*(?![${w}]|[.,:][${d}])`, // never a part of a number
    };
  }

  /** Strings that translation must not change, and the symbols that stand for them (seq2seq/portable/placeholders.py). */
  class Placeholders {
    constructor({ kinds, tags, whole_words: wholeWords }, normal, classes) {
      const patterns = Object.entries(placeholderPatterns(classes)).filter(([kind]) => kinds.includes(kind));
      const pattern = [SYMBOLS.join("|"), ...patterns.map(([, each]) => each)].map((each) => `(?:${each})`).join("|");
      const s = characterClass(classes.space);
      this.pattern = new RegExp(wholeWords ? `(?<![^${s}])(?:${pattern})(?![^${s}])` : pattern, "gu");
      Object.assign(this, { normal, tags: new Set(tags) });
    }

    find(text) {
      const matches = this.normal.normalize(text).match(this.pattern) || [];
      return matches.filter((match) => !this.tags.has(match));
    }

    /** Where the placeholders of a text start and end, in the text as it is written. */
    spans(text) {
      const matches = [...text.matchAll(this.pattern)].filter(({ 0: match }) => !this.tags.has(match));
      return matches.map(({ 0: match, index }) => [index, index + match.length]);
    }

    /** The symbol of each placeholder of a source; literal symbols first, because they cannot stay text. */
    symbols(source) {
      const found = [...new Set(this.find(source))];
      const literal = found.filter((each) => SYMBOLS.includes(each));
      const others = found.filter((each) => !SYMBOLS.includes(each));
      return new Map([...literal, ...others].slice(0, SYMBOLS.length).map((each, number) => [each, SYMBOLS[number]]));
    }

    /** The text with symbols for the placeholders that have one. */
    replace(text, symbols) {
      if (this.normal.isBlank(text)) return text;
      const ending = this.normal.endsWord(text) ? " " : "";
      const normal = this.normal.normalize(text);
      let replaced = "";
      let end = 0;
      for (const { 0: match, index } of normal.matchAll(this.pattern)) {
        if (!symbols.has(match)) continue;
        replaced += withoutSymbols(normal.slice(end, index)) + symbols.get(match);
        end = index + match.length;
      }
      return replaced + withoutSymbols(normal.slice(end)) + ending;
    }

    /** The text with the placeholders in place of their symbols, and without other symbols. */
    restore(text, symbols) {
      const strings = new Map([...symbols].map(([string, symbol]) => [symbol, string]));
      return this.normal.normalize(text.replace(/\u27e8ph[1-8]\u27e9/g, (symbol) => strings.get(symbol) || ""));
    }

    /** The placeholders of a source that a translation lacks, and those that it has added. */
    compare(source, translation) {
      const [wanted, found] = [this.find(source), this.find(translation)];
      return { lost: without(wanted, found), added: without(found, wanted) };
    }
  }

  function withoutSymbols(text) {
    return text.replace(/\u27e8(ph[1-8]\u27e9)/g, "\u27e8 $1");
  }

  /** The items that a list has more often than another, equal ones in a row. */
  function without(list, other) {
    const count = (items, item) => items.filter((each) => each === item).length;
    const distinct = [...new Set(list)];
    return distinct.flatMap((item) => new Array(Math.max(0, count(list, item) - count(other, item))).fill(item));
  }

  /** One side's vocabulary. */
  class Tokenizer {
    constructor(model, config, special, normal) {
      this.pieces = new SentencePiece(model);
      this.wordLevel = config.word_level;
      this.normal = normal;
      this.special = new Set(Object.values(special));
      this.silent = new Set(Object.entries(special).flatMap(([name, id]) => (name === "unk" && this.wordLevel ? [] : [id])));
    }

    /** Token ids without EOS; blank text has none. */
    encode(text) {
      const normal = this.normal.normalize(text);
      // SentencePiece joins consecutive unknown words
      if (this.wordLevel) return this.normal.words(normal).map((word) => this.pieces.idOf(SPACE + word));
      return this.pieces.encode(normal);
    }

    /** The text of token ids; an unfinished text loses the bytes of an incomplete last character. */
    decode(ids, finished) {
      const shown = (finished ? ids : this.completeCharacters(ids)).filter((id) => !this.silent.has(id));
      return this.normal.normalize(this.pieces.decode(shown));
    }

    completeCharacters(ids) {
      for (let back = 1; back <= Math.min(3, ids.length); back++) {
        const byte = this.pieces.byteOf(ids[ids.length - back]);
        if (byte === null || byte < 0x80) break;
        if (byte >= 0xc0) {
          const length = 2 + (byte >= 0xe0) + (byte >= 0xf0);
          return back < length ? ids.slice(0, -back) : ids;
        }
      }
      return ids;
    }

    idOfTag(tag) {
      return this.pieces.idOf(this.wordLevel ? SPACE + tag : tag);
    }

    tokens(ids) {
      return Array.from(ids, (id) => this.pieces.token(id));
    }
  }

  /** Where sentences end, as in seq2seq/portable/segmentation.py, but blocks of code are text. */
  class Sentences {
    constructor({ space, letter, lower, digit, decimal }, placeholders) {
      this.placeholders = placeholders;
      const [s, a] = [space, letter].map(characterClass);
      this.end = new RegExp(`(?<![.!?…])[.!?…]+["'”’»«“)\\]]*(?=[${s}])|[。！？]+[」』”’）]*`, "gu");
      this.separator = new RegExp(`[.!?…。！？${s}]`, "gu");
      this.marker = new RegExp(`^[${s}]*(?:(?:[-*•+–—]|#{1,6}|>+|[${characterClass(decimal)}]{1,3}[.)]|[a-zA-Z]\\))[${s}]+)*`, "u");
      this.tab = new RegExp(`(?<=[^${s}])([${s}]*[\\t\\x1f][${s}]*)(?=[^${s}])`, "u");
      this.space = new RegExp(`[${s}]*`, "uy");
      // What precedes a match is looked at first, so that a long run of white space or letters is read once.
      this.trailing = new RegExp(`(?<![${s}])[${s}]+$`, "u");
      this.lastWord = new RegExp(`(?<![^${s}])[^${s}]*$`, "u");
      this.letter = new RegExp(`[${a}]`, "u");
      this.lower = new RegExp(`^[${characterClass(lower)}]`, "u");
      this.number = new RegExp(`^[${characterClass(digit)}]+$`, "u");
      this.strip = new RegExp(`^[${s}]+|(?<![${s}])[${s}]+$`, "gu");
      this.cuts = [new RegExp(`[.!?…]['"”’»)\\]]*[${s}]|[。！？]`, "gu"), new RegExp(`[${s}]`, "gu")]; // best first
    }

    /** The parts of a document, which joined are the document: [text, whether it is a sentence]. */
    split(document) {
      return (document.match(LINES) || []).flatMap((line) => this.splitLine(line));
    }

    splitLine(line) {
      const masked = this.masked(line);
      const start = this.marker.exec(masked)[0].length;
      let place = start;
      const body = masked.slice(start).replace(this.trailing, "");
      const parts = body.split(this.tab).flatMap((part, number) => {
        const text = line.slice(place, (place += part.length));
        return number % 2 ? [[text, false]] : this.sentences(text, part);
      });
      return [[line.slice(0, start), false], ...parts, [line.slice(place), false]].filter(([text]) => text);
    }

    spans(text) {
      return this.placeholders ? this.placeholders.spans(text) : [];
    }

    /** A text of the same length, in which no white space or punctuation of a placeholder separates sentences. */
    masked(text) {
      let [masked, end] = ["", 0];
      for (const [start, stop] of this.spans(text)) {
        masked += text.slice(end, start) + text.slice(start, stop).replace(this.separator, "_");
        end = stop;
      }
      return masked + text.slice(end);
    }

    /** The sentences of a text, and the white space between them; they end where those of `masked` do. */
    sentences(text, masked) {
      const parts = [];
      let [start, word] = [0, 0]; // of the sentence; the earliest start of its last word
      for (const { 0: mark, index } of masked.matchAll(this.end)) {
        const end = index + mark.length;
        this.space.lastIndex = end;
        const following = end + this.space.exec(masked)[0].length;
        if (following < text.length && this.ends(text.slice(Math.max(start, word), index), mark, text.slice(following))) {
          parts.push(this.part(text.slice(start, end)), [text.slice(end, following), false]);
          start = following;
        }
        if (following > end) word = following;
      }
      parts.push(this.part(text.slice(start)));
      return parts.filter(([part]) => part);
    }

    part(text) {
      return [text, this.letter.test(text)];
    }

    /** Whether a mark ends a sentence, given the text before it and after it. */
    ends(before, mark, after) {
      if (this.lower.test(after)) return false;
      if (mark !== ".") return true;
      const name = this.lastWord.exec(before.replace(this.trailing, ""))[0].replace(/^["'“„‚‘«»([]+/, "").toLowerCase();
      const last = [...name.split(".").pop()];
      const single = last.length === 1 && this.letter.test(last[0]);
      return !(single || this.number.test(name) || ABBREVIATIONS.has(name));
    }

    /**
     * A sentence in segments of at most `longest` characters, cut after punctuation, between words, or anywhere, but not
     * inside a placeholder unless it is longer.
     */
    cut(text, longest) {
      const [characters, masked] = [[...text], [...this.masked(text)]];
      const numbers = characters.flatMap((character, number) => new Array(character.length).fill(number)); // of UTF-16 units
      const spans = this.spans(text).map(([first, stop]) => [numbers[first], numbers[stop - 1] + 1]);
      const segments = [];
      for (let start = 0, end; start < characters.length; start = end) {
        end = Math.min(start + longest, characters.length);
        if (end < characters.length) {
          const from = end - Math.floor(longest / 2);
          const window = masked.slice(from, end).join("");
          const inside = spans.find(([first, stop]) => start < first && first < end && end < stop);
          const found = this.cuts.map((cut) => lastEnd(window, cut)).find((place) => place > 0);
          if (found) end = from + [...window.slice(0, found)].length;
          else if (inside) [end] = inside;
        }
        segments.push(characters.slice(start, end).join("").replace(this.strip, ""));
      }
      return segments;
    }
  }

  /** The end of the last match; 0 if there is none. */
  function lastEnd(text, pattern) {
    const matches = [...text.matchAll(pattern)];
    const last = matches[matches.length - 1];
    return last ? last.index + last[0].length : 0;
  }

  class ModelText {
    constructor(config, files, tables) {
      const { source, target, normalization, placeholders } = config.text;
      this.normal = new Normal(normalization, tables);
      const side = (own) => new Tokenizer(files[own.file], own, config.special, this.normal);
      this.source = side(source);
      this.target = source.file === target.file ? this.source : side(target);
      this.placeholders = placeholders ? new Placeholders(placeholders, this.normal, tables.classes) : null;
      this.sentences = new Sentences(tables.classes, this.placeholders);
      this.tags = source.tags.filter((tag) => !SYMBOLS.includes(tag)); // that may begin a source sentence
    }

    /** A sentence in segments of at most 1,000 characters, each with the sentence's own tags or else the given one. */
    segments(sentence, tag) {
      const [own, text] = this.leadingTags(sentence);
      const start = own || (tag ? `${tag} ` : "");
      const segments = this.sentences.cut(text, MAX_SEGMENT - start.length);
      return segments.filter((segment) => !this.normal.isBlank(segment)).map((segment) => start + segment);
    }

    /** The first words of a text that are tags, each with a space, as models read them, and the rest of the text. */
    leadingTags(text) {
      let start = "";
      for (;;) {
        const body = text.replace(/\u2581/g, " ").replace(this.normal.leading, "");
        const word = body.split(this.normal.spaces, 1)[0];
        const tag = this.normal.normalize(word);
        if (!this.tags.includes(tag) || start.length + tag.length >= MAX_SEGMENT / 2) return [start, text];
        start += `${tag} `;
        text = body.slice(word.length).replace(this.normal.spaces, "");
      }
    }

    /** The parts of a document, which joined are the document: [text, whether it is a sentence]. */
    split(document) {
      return this.sentences.split(document);
    }

    /** Source token ids without EOS; symbols stand for placeholders. */
    encode(text) {
      const found = this.placeholders;
      return this.source.encode(found ? found.replace(text, found.symbols(text)) : text);
    }

    /** The translation that target tokens write, with the placeholders of its source. */
    decode(ids, source, finished = true) {
      const text = this.target.decode(ids, finished);
      return this.placeholders ? this.placeholders.restore(text, this.placeholders.symbols(source)) : text;
    }

    /** The target tokens that a translation of source tokens must not have: symbols that the source lacks. */
    excluded(ids) {
      if (!this.placeholders) return [];
      const foreign = SYMBOLS.filter((symbol) => !ids.includes(this.source.idOfTag(symbol)));
      return foreign.map((symbol) => this.target.idOfTag(symbol));
    }

    /** For each source token the equal target token; -1 if there is none, and for special tokens. */
    copies() {
      const ids = new Map(this.target.pieces.pieces.map(({ text }, id) => [text, id]));
      const { special, pieces } = this.source;
      return pieces.pieces.map(({ text }, id) => (special.has(id) || !ids.has(text) ? -1 : ids.get(text)));
    }

    /** The placeholders that a translation has lost, and those that it has added. */
    difference(source, translation) {
      return this.placeholders ? this.placeholders.compare(source, translation) : { lost: [], added: [] };
    }
  }

  globalThis.ModelText = ModelText;
})();
