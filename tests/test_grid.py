"""The mark `grid`: the fast suite runs a few cases that contain every value."""

import pytest
from conftest import runs_slow


@pytest.mark.grid
@pytest.mark.parametrize("first", "abcd")
@pytest.mark.parametrize("second", [[1], [2], [3]])
def test_the_fast_suite_runs_few_cases_of_a_grid(request, first, second):
    cases = [item for item in request.session.items if item.function is request.function]
    assert runs_slow(request.config) or len(cases) <= 4, "and not twelve"
    if len(cases) == 4:
        assert [{str(case.callspec.params[name]) for case in cases} for name in ("first", "second")] == [
            {*"abcd"},
            {"[1]", "[2]", "[3]"},
        ]
