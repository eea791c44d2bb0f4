"""Filters for pairs that teach nothing or cost too much, and the count of what each one dropped."""

from collections import Counter
from dataclasses import dataclass

from seq2seq.errors import DataError
from seq2seq.settings import setting

SLACK = 5  # pieces added to both sides before the ratio is taken, so that short sentences may differ freely


@dataclass(kw_only=True)
class FilterConfig:
    """Which pairs are dropped before training; a pair that is blank on either side always is."""

    max_length: int = setting(200, "drop pairs with more pieces than this on either side", at_least=1)
    max_ratio: float = setting(
        6.0, f"drop pairs whose (longer + {SLACK}) / (shorter + {SLACK}) pieces exceed this", at_least=1
    )


class Filters:
    """Decides pair by pair and keeps count; without settings only blank pairs are dropped.

    Args:
        config: the limits.
        monolingual: the source is empty by design; only the target is looked at.
    """

    def __init__(self, config: FilterConfig | None, monolingual: bool = False) -> None:
        self.config = config
        self.monolingual = monolingual
        self.kept = 0
        self.dropped: Counter[str] = Counter()

    def reason(self, source_length: int, target_length: int) -> str | None:
        """Why a pair of these lengths in pieces is dropped: ``blank``, ``too long``, ``length ratio``; else None.

        The ratio is (longer + 5) / (shorter + 5): 1 piece against 20 counts as 4.2, 10 against 85 as 6.
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
        """Whether a pair of these lengths in pieces stays; counts it either way."""
        reason = self.reason(source_length, target_length)
        if reason is None:
            self.kept += 1
        else:
            self.dropped[reason] += 1
        return reason is None

    def count(self, kept: int, dropped: Counter[str]) -> None:
        """Count pairs that others of these settings have judged."""
        self.kept += kept
        self.dropped.update(dropped)

    def report(self) -> str:
        """One line: ``kept 28,990 of 29,000 pairs; dropped 3 blank, 5 too long (over 200 pieces), 2 …``."""
        limits = {}
        if self.config is not None:
            limits = {
                "too long": f" (over {self.config.max_length:,} pieces)",
                "length ratio": f" (over {self.config.max_ratio:g})",
            }
        counts = [
            f"{self.dropped[reason]:,} {reason}{limits.get(reason, '')}"
            for reason in ("blank", "too long", "length ratio")
            if self.dropped[reason]
        ]
        kept = f"kept {self.kept:,} of {self.kept + self.dropped.total():,} pairs"
        return f"{kept}; dropped {', '.join(counts)}" if counts else kept

    def require_some(self, name: str) -> None:
        """Check that a corpus has something left.

        Raises:
            DataError: every pair was dropped; says why, and which settings to relax.
        """
        if self.kept == 0:
            raise DataError(
                f"{name}: no pair is left: {self.report()}; look at the text, or raise "
                "data.filters.max_length and data.filters.max_ratio"
            )
