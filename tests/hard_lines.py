"""Lines of text that are hard to read: many scripts, spaces of all kinds, symbols, control characters."""

import random
import re
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

PARTS = (
    *(
        "abc xyz",
        "  ",
        "äöüß",
        "日本語テスト",
        "привет",
        "שלום",
        "नमस्ते",
        "e\u0301 \u0308",
        "😀👩‍👩‍👧🏽",
        "ﬁ ½ ①Ａ ｶﾞ",
        "\u3000\xa0\u200b",
    ),
    *(
        "\t\n\r\x00\x1f\ufeff",
        "\u2581",
        "<2de>",
        "⟨ph1⟩",
        "<unk>",
        "<0x41>",
        "0123.,",
        "\ufffd\U0010ffff",
        "漢字かな交じり文",
    ),
    *(
        "각각\u1100\u1161\u11a8",
        "a\u0323\u0307\u0301",
        "Mr. J. Smith. He",
        "z. B. so! “Ja.” Nein",
        "。「はい。」",
        "- 1) ",
        "\x85\u2028\x1c",
    ),
    *(
        "%s %(name)d 100%d",
        "{x} {{y z}} ${HOME}",
        "$PATH",
        "<b>x</b>&amp;",
        "https://a.b/c?d=(e).",
        "me@x.org",
        "1.234,5a",
    ),
)


def random_lines(count: int, seed: int) -> list[str]:
    """Lines that mix whole and incomplete `PARTS`."""
    generator = random.Random(seed)
    return [
        "".join(
            part[: generator.randrange(1, len(part) + 1)] if generator.random() < 0.5 else part
            for part in generator.choices(PARTS, k=generator.randrange(1, 12))
        )
        for _ in range(count)
    ]


def english_lines() -> list[str]:
    """The lines of the README."""
    return (Path(__file__).parents[1] / "README.md").read_text("utf-8").splitlines()


def hypothesis_lines(count: int) -> list[str]:
    """Lines of any characters, lone surrogates too, that Hypothesis makes; two surrogates never form a pair."""
    lines: list[str] = []
    parts = st.one_of(st.text(st.characters(exclude_categories=[])), st.sampled_from(PARTS))

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(parts, max_size=6).map("".join))
    def collect(line: str) -> None:
        if not re.search("[\ud800-\udbff][\udc00-\udfff]", line):
            lines.append(line)

    collect()
    return lines
