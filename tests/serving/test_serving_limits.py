"""Limits on texts and counts."""

import pytest

from seq2seq.serving.limits import TooLargeError, check_count, check_texts


def test_the_limit_itself_is_allowed():
    check_texts(["", "a" * 10], 10)
    with pytest.raises(TooLargeError, match="11 characters, the limit is 10"):
        check_texts(["a", "b" * 11], 10)
    check_count("n", 3, 3)
    check_count("n", None, 3)
    with pytest.raises(TooLargeError, match="n is 4, the limit is 3"):
        check_count("n", 4, 3)
