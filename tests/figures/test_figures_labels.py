"""Labels do not overlap each other, points, or the edge of the figure."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from seq2seq.figures.labels import Box, place_labels

FRAME = Box(0, 0, 1000, 1000)


def test_boxes_overlap_by_area():
    assert Box(0, 0, 10, 10).overlap(Box(5, 5, 20, 20)) == 25
    assert Box(0, 0, 10, 10).overlap(Box(10, 0, 20, 10)) == 0
    assert Box(-5, 0, 5, 10).outside(FRAME) == 50


@given(st.lists(st.tuples(st.integers(200, 800), st.integers(200, 800)), max_size=6, unique=True))
def test_a_few_labels_never_overlap(points):
    boxes = place_labels(points, [(60.0, 12.0)] * len(points), FRAME, 1.0)
    assert all(box.overlap(other) == 0 for box, other in combinations(boxes, 2))
    assert all(box.outside(FRAME) == 0 for box in boxes)
    assert all((box.right - box.left, box.top - box.bottom) == (60, 12) for box in boxes)


def test_a_label_is_next_to_its_point_and_inside_the_frame():
    (box,) = place_labels([(500.0, 500.0)], [(60.0, 12.0)], FRAME, 1.0)
    assert box == Box(506, 494, 566, 506)
    (box,) = place_labels([(980.0, 500.0)], [(60.0, 12.0)], FRAME, 1.0)
    assert box.right < 980


def test_equal_points_have_separate_labels():
    boxes = place_labels([(500.0, 500.0)] * 5, [(200.0, 12.0)] * 5, FRAME, 1.0)
    assert all(box.overlap(other) == 0 for box, other in combinations(boxes, 2))
