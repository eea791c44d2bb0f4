"""Fuzzing: the number of cases, limits of time and memory, and strategies for manipulated bytes and text.

Every kind of input has one property, tested in `ROUNDS`: a quick round with fixed cases, and in the slow suite `CASES`
further cases, in rounds seeded by their number. The environment variables `FUZZ_CASES` and `FUZZ_SEED` change them.
"""

import os
import resource
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

Case = TypeVar("Case")

QUICK, CASES, PARTS = 100, int(os.environ.get("FUZZ_CASES", 100_000)), 20
FIRST = int(os.environ.get("FUZZ_SEED", 0)) * PARTS
PATIENCE = 120  # seconds; a case takes some milliseconds, and the machine may be busy
ROOM = 2 << 30  # bytes of address space that a round may add

ROUNDS = [
    pytest.param(0, id="quick"),
    *(pytest.param(FIRST + part, marks=pytest.mark.slow, id=f"seed{FIRST + part}") for part in range(1, PARTS + 1)),
]


def fuzz(
    cases: st.SearchStrategy[Case], holds: Callable[[Case], None], round_: int, quick: int = QUICK, share: int = 1
) -> None:
    """Test a property in one round with a time limit per case and a memory limit per round.

    Args:
        cases: strategy of the cases.
        holds: the property.
        round_: 0 for the quick round; otherwise the seed.
        quick: number of cases of the quick round.
        share: divisor of the number of cases in the other rounds, for slow cases.
    """

    @seed(round_)
    @settings(
        max_examples=-(-CASES // PARTS // share) if round_ else quick,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def attempt(case: Case) -> None:
        with time_limit():
            holds(case)

    with limited_memory(), warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)  # print failing cases of any length
        attempt()


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise TimeoutError if the block takes too long."""
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError(f"a case took more than {PATIENCE} seconds")


signal.signal(signal.SIGALRM, _too_long)


@contextmanager
def limited_memory(room: int = ROOM) -> Iterator[None]:
    """Limits the address space within the context; beyond it allocation raises MemoryError."""
    usual = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, usual)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A temporary folder, in memory where the system supports it."""
    memory = Path("/dev/shm")
    temporary = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None))
    yield temporary
    shutil.rmtree(temporary)


def one_line(error: BaseException, *words: str) -> None:
    """Assert that a message is one printable line, and contains one of the words if any are given."""
    assert not words or any(word in str(error) for word in words)
    assert str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 2_100


ODD = [
    *("\u2028", "\u2029", "\u0085", "\u200b", "\ufeff", "\u0301", "\u202e", "\U0001f468\u200d\U0001f469", "\U0010ffff"),
    *("\0", "\t", "\r", "\v", "\f", "\x1b[31m", "\x1c", "\x7f", "\n", "\r\n", " ", "\u00a0", "\u3000", "\u2581"),
    *('"', "'", "{", "}", "[", "]", ":", ",", "\\", "<unk>", "</s>", "<0x41>", "&a", "*a", "!!python/name:os.system"),
]
"""Strings with a special meaning in some file format."""

BYTES = [
    *(one.encode() for one in ODD),
    *(b"\xff", b"\xfe\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\x80", b"\xef\xbb\xbf"),
    *(value.to_bytes(8, "little") for value in (0, 1, 2**31 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)),
    *(b"\x80\x04\x95", b"PK\x03\x04", b"\x1f\x8b\x08", b"PAR1", b"ARROW1\0\0"),
]

blobs = st.sampled_from(BYTES) | st.binary(max_size=9)


@st.composite
def tampered(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """One of the originals: truncated, with flipped bits, or with bytes replaced, inserted, removed or repeated."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["flip", "flip", "replace", "replace", "insert", "cut", "drop", "repeat", "splice"]))
        if how == "flip" and place < len(data):
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif how in ("replace", "insert"):
            blob = draw(blobs)
            data[place : place + len(blob) * (how == "replace")] = blob
        elif how == "cut":
            del data[place:]
        elif how == "drop":
            del data[place : place + draw(st.integers(1, 64))]
        elif how == "repeat":
            data[place:place] = data[place : place + draw(st.integers(1, 64))] * draw(st.sampled_from([1, 2, 500]))
        elif how == "splice":
            other = draw(st.sampled_from(originals))
            data[place:] = other[draw(st.integers(0, len(other))) :]
    return bytes(data)


texts = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from([*ODD, "a", "the dog", "Hund.", "中文", "\ud800", "\udcff"]), max_size=12).map("".join),
)
"""Any text, including lone surrogates."""
