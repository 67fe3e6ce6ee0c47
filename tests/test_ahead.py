"""The next item under way while the present one is in use."""

import pytest

from mmseq.tagging.ahead import one_ahead


def noted(notes, count, error=None):
    for number in range(count):
        notes.append(f"made {number}")
        yield number
    if error is not None:
        raise error


def test_each_item_is_made_before_the_one_before_it_is_given():
    notes = []
    for item in one_ahead(noted(notes, 3)):
        notes.append(f"given {item}")
    assert notes == ["made 0", "made 1", "given 0", "made 2", "given 1", "given 2"]
    assert list(one_ahead([])) == []


def test_an_error_comes_behind_the_items_before_it():
    found = []
    with pytest.raises(ValueError, match="broken"):
        found.extend(one_ahead(noted([], 2, ValueError("broken"))))
    assert found == [0, 1]


def test_an_interruption_comes_at_once():
    found = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(one_ahead(noted([], 2, KeyboardInterrupt())))
    assert found == [0]


def test_one_who_stops_early_is_given_nothing_more():
    notes = []
    stream = one_ahead(noted(notes, 9))
    assert next(stream) == 0
    stream.close()
    assert notes == ["made 0", "made 1"]
