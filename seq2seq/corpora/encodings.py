"""Encodings of text: those that can be recognized, and how to read or convert a file that is not UTF-8."""

import codecs
import re
import shlex
from collections import Counter
from pathlib import PurePath

import regex

from seq2seq.errors import ConfigError, DataError

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

ICONV = {"utf-16-le": "UTF-16LE", "utf-16-be": "UTF-16BE", "utf-32-le": "UTF-32LE", "utf-32-be": "UTF-32BE"} | {
    "mac-roman": "MACINTOSH",
    "gb18030": "GB18030",
    "gb2312": "GB18030",
}
"""Names of encodings for ``iconv`` where they are not Python's in capitals."""

TITLES = {"cp1252": "Latin-1 or Windows-1252", "cp932": "Shift-JIS", "shift_jis": "Shift-JIS", "cp949": "EUC-KR"}

GUESSED = 20_000
"""Bytes of lines that are not ASCII, from which an encoding is guessed."""

SHORT = 8
"""Bytes; less without a line feed does not show an encoding."""

SHOWN = 30
"""Characters on each side of the first that is not ASCII."""

UNASSIGNED = "\U00040000", "\U000e0000"
"""The first of Unicode's planes without characters, and the first after them."""

MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
"""The first two bytes of a UTF-8 character that is not ASCII."""

SURE = 20
"""Such characters; text in another encoding has bytes that do not follow each other so."""

CONTROLS = re.compile(rb"[\0-\x06\x0e-\x1a\x7f]")
"""Bytes that text rarely has."""


TYPOGRAPHY = re.compile(rb"[\0-\x7f\x82\x84\x85\x91-\x97\xa0\xab\xb7\xbb]*")
"""ASCII, and the quotation marks and dashes of Windows, which are the same in all of its encodings of alphabets."""

IMPLAUSIBLE = regex.compile(
    r"(?V1)[\x80-\x9f]|(?<=[A-Za-z])[\p{L}--\p{Latin}]|[\p{L}--\p{Latin}](?=[A-Za-z])|[\p{Ll}--[a-z]](?=[A-Z])"
    r"|(?<=[A-Za-z])[[\p{S}\p{P}]--[\x00-\x7f’·]](?=[A-Za-z])"
)
"""Control characters, two alphabets or a symbol within a word, a capital after a small letter: a wrong encoding."""

COMMON = "cp1252", "mac-roman"
"""Encodings of text in Latin letters, if the guessed one has many implausible characters."""

LATIN = {"cp1252": "Western Europe", "cp1250": "Central Europe", "cp1254": "Turkey", "cp1257": "the Baltic"}
"""Encodings of alphabets of Latin letters, and where they are used. Most of their letters are the same."""

ALPHABETS = (
    *("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţșț", "čćđšž", "äčćěłńóřŕšśžźöüß"),
    *("âçğıîöşüûi̇", "âçêîşû", "ąčęėįšųūž", "āčēģīķļņōŗšūž", "äõöšüž", "àċèġħìòùż", "ĉĝĥĵŝŭ", "áčđŋšŧžåäöæø"),
)
"""Letters besides a to z of languages that are not written with cp1252: Polish, Czech, Slovak, Hungarian, Romanian,
Croatian, Sorbian, Turkish, Kurdish, Lithuanian, Latvian, Estonian, Maltese, Esperanto, Sámi."""

OF_OTHERS = 0.03
"""Share of such letters that may be of another language, in names."""


def codec(encoding: str, setting: str | None) -> str:
    """Python's name of an encoding.

    Args:
        encoding: any name of it.
        setting: that contains it, for messages.

    Raises:
        ConfigError: there is no such encoding of text.
    """
    try:
        "".encode(encoding)
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise ConfigError(
            f"{setting or 'encoding'}={encoding} is not a text encoding: name one such as utf-16, cp1252 (Western "
            "Europe), cp1251 (Cyrillic), shift_jis, gb18030 or big5"
        ) from None


def wide_encoding(start: bytes) -> str | None:
    """UTF-16 or UTF-32, by the byte-order mark or by the NUL bytes of its line ends and ASCII characters.

    Args:
        start: of the file, to the end of a line or of a sample.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    if b"\0" not in start or start.startswith(codecs.BOM_UTF8):
        return None
    scores = {
        encoding: _likelihood(start, encoding) for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
    }
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > 0 else None


def is_surely_utf8(start: bytes) -> bool:
    """Whether the beginning of a file has many characters that are not ASCII, all of them in UTF-8."""
    return len(MULTIBYTE.findall(start)) >= SURE and _starts_in_utf8(start)


def _likelihood(start: bytes, encoding: str) -> float:
    """How likely bytes with NULs have an encoding: the share of ASCII characters, or 0 if it is not possible."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError:
        return 0
    if not text.strip() or "\0" in text:
        return 0
    if "32" in encoding:  # any text decodes as UTF-16, but as UTF-32 only a few characters, with a line feed among them
        return 0 if any(UNASSIGNED[0] <= character < UNASSIGNED[1] for character in text) else 2
    ascii_share = sum(character < "\x80" for character in text) / len(text)
    return ascii_share if _is_utf16(start, text) else 0


def _is_utf16(start: bytes, text: str) -> bool:
    """Whether bytes that decode as UTF-16 are it, and not UTF-8 with NUL characters."""
    few_controls = 20 * len(CONTROLS.findall(start.replace(b"\0", b""))) < len(start)
    if not (few_controls and _starts_in_utf8(start)):
        return " " in text or "\n" in text
    lines = len(start) >= SHORT if b"\n" not in start else 2 * text.count("\n") >= start.count(b"\n")
    return lines and 8 * start.count(b"\0") >= len(start)


def guess(sample: bytes) -> tuple[str, bytes] | None:
    """The most likely encoding of text that is not UTF-8, and the lines that show it; None: unknown.

    Args:
        sample: whole lines, of which the first is not UTF-8.
    """
    import chardet  # takes half a second to import

    lines = [line for line in re.split(rb"[\r\n]+", sample) if not line.isascii()]
    special = b"\n".join(lines)[:GUESSED]
    if TYPOGRAPHY.fullmatch(special) and special.strip():
        return "cp1252", special
    for shortened in (special, special[:-1], special[:-2], special[:-3]):  # a character may be cut at the end
        found = chardet.detect(shortened)["encoding"]
        encoding = None if found is None else codecs.lookup(found).name
        if encoding in (None, "ascii", "utf-8"):
            continue
        assert encoding is not None
        if encoding == "iso8859-1" and _decodes(shortened, "cp1252"):
            encoding = "cp1252"  # equal where Latin-1 has letters
        if _decodes(shortened, encoding):
            encoding = _plausible(shortened, encoding)
            if not shortened.decode(encoding).isascii():
                return encoding, shortened
    return None


def _plausible(data: bytes, guessed: str) -> str:
    """The guessed encoding, or a common one if a tenth of its special characters are implausible and fewer there."""
    special = sum(byte > 127 for byte in data)
    odd = {
        encoding: len(IMPLAUSIBLE.findall(data.decode(encoding)))
        for encoding in (guessed, *COMMON)
        if _decodes(data, encoding)
    }
    if 10 * odd[guessed] >= special:
        return min(odd, key=odd.__getitem__)
    return "cp1252" if "cp1252" in odd and _mixes_alphabets(data.decode(guessed)) else guessed


def _mixes_alphabets(text: str) -> bool:
    """Whether text in Latin letters has special ones that no language of `ALPHABETS` has together."""
    letters = Counter(letter for letter in regex.findall(r"[\p{L}--[a-z]]", text.lower(), flags=regex.V1))
    if any(not regex.fullmatch(r"\p{Latin}", letter) for letter in letters):
        return False
    most = (1 - OF_OTHERS) * letters.total()
    return not any(sum(letters[letter] for letter in alphabet) >= most for alphabet in ALPHABETS)


def readings(encoding: str, data: bytes) -> str:
    """What a line says in an encoding and in similar ones: the first line that they read otherwise, if there is one."""
    texts = {encoding: data.decode(encoding)}
    if regex.fullmatch(r"(?V1)[\p{Latin}\P{L}]*", texts[encoding]):
        similar = {name: data.decode(name) for name in LATIN if _decodes(data, name)}
        texts |= {name: text for name, text in similar.items() if len(text) == len(texts[encoding])}
    rows = [*zip(*(text.split("\n") for text in texts.values()), strict=True)]
    row = next((row for row in rows if len({*row}) > 1), None) or next(row for row in rows if not row[0].isascii())
    first = next((place for place, each in enumerate(zip(*row, strict=True)) if len({*each}) > 1), None)
    if first is None:
        first = next(place for place, character in enumerate(row[0]) if character > "\x7f")
    start, end = max(0, first - SHOWN), first + SHOWN
    shown: dict[str, str] = {}
    for name, text in zip(texts, row, strict=True):
        title = f"{TITLES.get(name, name)} it" if name == encoding else f"{name} ({LATIN[name]}) it"
        excerpt = f"“{'…' * (start > 0)}{text[start:end].strip()}{'…' * (end < len(text))}”"
        shown.setdefault(excerpt, f"as {title} reads {excerpt}")
    return ", ".join(shown.values())


def _starts_in_utf8(start: bytes) -> bool:
    """Whether the beginning of a file, which may end within a character, decodes as UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def advice(encoding: str, name: str, setting: str | None, packed: bool = False) -> str:
    """How to read or convert text in an encoding.

    Args:
        encoding: Python's name.
        name: of the file, or ``standard input``.
        setting: with an encoding; None: there is none.
        packed: whether the file is compressed or in an archive, so that ``iconv`` cannot convert it.
    """
    reads = [] if setting is None else [f"{setting}={encoding} reads it"]
    if not packed:
        reads.append(f"convert it: {conversion(encoding, name)}")
    return ", or ".join(reads) or "unpack it and convert it to UTF-8"


def conversion(encoding: str, name: str) -> str:
    """The command that converts a file to UTF-8."""
    command = f"iconv -f {ICONV.get(encoding, encoding.upper().replace('_', '-'))} -t UTF-8"
    if name == "standard input":
        return f"… | {command} | …"
    path = PurePath(name)
    new = path.with_name(f"{path.stem}.utf8{path.suffix}")
    return f"{command} {shlex.quote(name)} > {shlex.quote(str(new))}"


def not_utf8(
    name: str, number: int, error: UnicodeDecodeError, sample: bytes, setting: str | None, packed: bool
) -> DataError:
    """The error for a line that is not UTF-8: what the text is, and what to do.

    Args:
        name: of the file.
        number: of the line, from 1.
        error: of the line.
        sample: the line and some that follow.
        setting, packed: see `advice`.
    """
    where = (
        f"{name}, line {number:,}: byte 0x{error.object[error.start]:02x} at position {error.start + 1} is not UTF-8: "
    )
    wide = wide_encoding(sample if number == 1 else sample.lstrip(b"\0"))
    if wide is not None:
        return DataError(f"{where}the text is {wide.upper()}: {advice(wide, name, setting, packed)}")
    if len(CONTROLS.findall(sample)) * 50 > len(sample):
        return DataError(f"{where}the file is binary data and not text: name a file with one sentence per line")
    special = [line for line in sample.splitlines()[1:] if not line.isascii()]
    valid = sum(_decodes(line, "utf-8") for line in special)
    if valid > 9 and valid * 10 >= 9 * len(special):
        return DataError(f"{where}the lines after it are: fix this line in a text editor, or remove it")
    found = guess(sample)
    if found is None:
        named = "" if setting is None else f"name its encoding with {setting}=NAME, such as cp1252 or utf-16, or "
        return DataError(f"{where}{named}save it as UTF-8 in a text editor, or convert it: {conversion('NAME', name)}")
    encoding, lines = found
    shown, right = readings(encoding, lines), advice(encoding, name, setting, packed)
    which = "the first" if ", as " in shown else "that"
    return DataError(f"{where}{shown}: if {which} is right, {right}")
