import pytest

from seq2seq.corpora.filters import FilterConfig, Filters
from seq2seq.errors import DataError
from seq2seq.settings import validate


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (0, 5, "blank"),
        (5, 0, "blank"),
        (0, 500, "blank"),
        (200, 200, None),
        (201, 200, "too long"),
        (200, 201, "too long"),
        (1, 31, None),  # (31 + 5) / (1 + 5) = 6, and only more than 6 is dropped
        (1, 32, "length ratio"),
        (32, 1, "length ratio"),
        (10, 85, None),
        (10, 86, "length ratio"),
    ],
)
def test_reasons(source: int, target: int, reason: str | None) -> None:
    assert Filters(FilterConfig()).reason(source, target) == reason


def test_settings_move_the_limits() -> None:
    filters = Filters(FilterConfig(max_length=3, max_ratio=1.0))
    assert [filters.reason(3, 3), filters.reason(4, 3), filters.reason(2, 3)] == [None, "too long", "length ratio"]


def test_without_settings_only_blank_pairs_are_dropped() -> None:
    filters = Filters(None)
    assert [filters.keep(1, 9_999), filters.keep(0, 1)] == [True, False]
    assert filters.report() == "kept 1 of 2 pairs; dropped 1 blank"


def test_the_report_counts_each_filter() -> None:
    filters = Filters(FilterConfig())
    kept = [filters.keep(*lengths) for lengths in [(3, 3)] * 1_200 + [(0, 3)] * 3 + [(300, 9)] * 5 + [(1, 99)] * 2]
    assert sum(kept) == 1_200
    assert filters.report() == (
        "kept 1,200 of 1,210 pairs; dropped 3 blank, 5 too long (over 200 tokens), 2 length ratio (over 6)"
    )
    filters.require_some("train.tsv")


def test_dropping_every_pair_is_an_error_with_counts_and_advice() -> None:
    filters = Filters(FilterConfig())
    filters.keep(0, 3)
    message = r"train\.tsv: every pair was dropped \(kept 0 of 1 pair; dropped 1 blank.*data\.filters\.max_length"
    with pytest.raises(DataError, match=message):
        filters.require_some("train.tsv")


def test_the_default_settings_are_valid() -> None:
    validate(FilterConfig())
