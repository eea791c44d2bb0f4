"""Filters for blank, too long and mismatched pairs, with counts of what they drop."""

from collections import Counter
from dataclasses import dataclass

from seq2seq.errors import DataError, counted
from seq2seq.settings import setting

SLACK = 5  # tokens added to both lengths before the ratio, which makes it lenient for short sentences


@dataclass(kw_only=True)
class FilterConfig:
    """Pairs that are dropped before training; pairs with a blank side always are."""

    max_length: int = setting(200, "drop pairs with more tokens than this on either side", at_least=1)
    max_ratio: float = setting(
        6.0, f"drop pairs whose (longer + {SLACK}) / (shorter + {SLACK}) tokens exceed this", at_least=1
    )


class Filters:
    """Decides for each pair whether to keep it, and counts the decisions.

    Args:
        config: the limits; None drops only blank pairs.
        monolingual: sources are empty by design, and only targets are filtered.
    """

    def __init__(self, config: FilterConfig | None, monolingual: bool = False) -> None:
        self.config = config
        self.monolingual = monolingual
        self.kept = 0
        self.dropped: Counter[str] = Counter()

    def reason(self, source_length: int, target_length: int) -> str | None:
        """Why a pair of these lengths in tokens is dropped: ``blank``, ``too long`` or ``length ratio``; else None.

        The ratio is (longer + 5) / (shorter + 5): 4.2 for 1 and 20 tokens, 6 for 10 and 85.
        """
        short, long = sorted((target_length if self.monolingual else source_length, target_length))
        if short == 0:
            return "blank"
        if self.config is None:
            return None
        if long > self.config.max_length:
            return "too long"
        return "length ratio" if long + SLACK > self.config.max_ratio * (short + SLACK) else None

    def keep(self, source_length: int, target_length: int) -> bool:
        """Whether a pair of these lengths in tokens is kept; counts the decision."""
        reason = self.reason(source_length, target_length)
        if reason is None:
            self.kept += 1
        else:
            self.dropped[reason] += 1
        return reason is None

    def count(self, kept: int, dropped: Counter[str]) -> None:
        """Add the counts of other filters with the same settings."""
        self.kept += kept
        self.dropped.update(dropped)

    def report(self) -> str:
        """One line: ``kept 28,990 of 29,000 pairs; dropped 3 blank, 5 too long (over 200 tokens), 2 …``."""
        limits = {}
        if self.config is not None:
            limits = {
                "too long": f" (over {self.config.max_length:,} tokens)",
                "length ratio": f" (over {self.config.max_ratio:g})",
            }
        counts = [
            f"{self.dropped[reason]:,} {reason}{limits.get(reason, '')}"
            for reason in ("blank", "too long", "length ratio")
            if self.dropped[reason]
        ]
        kept = f"kept {self.kept:,} of {counted(self.kept + self.dropped.total(), 'pair')}"
        return f"{kept}; dropped {', '.join(counts)}" if counts else kept

    def require_some(self, name: str) -> None:
        """Check that some pair was kept.

        Raises:
            DataError: every pair was dropped; the message has the counts and the settings to relax.
        """
        if self.kept == 0:
            raise DataError(
                f"{name}: every pair was dropped ({self.report()}): split paragraphs into sentences, or raise "
                "data.filters.max_length and data.filters.max_ratio"
            )
