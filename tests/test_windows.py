import random

import pytest

from mmseq.builtins.text.windows import cut

BEFORE, AFTER = (101,), (102,)


def words_of(lengths):
    """Words of so many sub-words each, every sub-word another id."""
    ids = iter(range(1000, 1000 + sum(lengths)))
    return [[next(ids) for _ in range(length)] for length in lengths]


def test_a_short_sentence_is_one_window():
    found = cut([[7], [8, 9], [5]], BEFORE, AFTER, 6)
    assert found.windows == ((101, 7, 8, 9, 5, 102),)
    assert (found.row, found.first, found.last) == ((0, 0, 0), (1, 2, 4), (2, 4, 5))


def test_six_words_through_a_window_of_four_by_hand():
    # Windows 0-3, 2-5. Word 2 sees 1 sub-word to its right in the first, none to its left in the
    # second; word 3 none to its right in the first, 1 to its left in the second.
    found = cut([[i] for i in range(6)], BEFORE, AFTER, 6)
    assert found.windows == ((101, 0, 1, 2, 3, 102), (101, 2, 3, 4, 5, 102))
    assert found.row == (0, 0, 0, 1, 1, 1)
    assert found.first == (1, 2, 3, 2, 3, 4)
    assert found.last == (2, 3, 4, 3, 4, 5)


def test_without_special_tokens():
    found = cut([[1], [2], [3]], (), (), 2)
    assert found.windows == ((1, 2), (2, 3))
    # Word 1 touches an edge of both windows: the first of equals.
    assert (found.row, found.first) == ((0, 0, 1), (0, 1, 1))


def test_a_word_longer_than_the_window_is_cut_short_and_never_dropped():
    found = cut([[1], [2, 3, 4, 5, 6], [7]], BEFORE, AFTER, 5)
    assert found.windows == ((101, 1, 102), (101, 2, 3, 4, 102), (101, 7, 102))
    assert (found.row, found.first, found.last) == ((0, 1, 2), (1, 1, 1), (2, 4, 2))


def test_a_window_that_would_show_nothing_new_is_left_out():
    found = cut(words_of([1, 1, 1, 1, 4]), BEFORE, AFTER, 6)
    assert len(found.windows) == 2


@pytest.mark.parametrize("seed", range(200))
def test_every_word_lies_where_it_is_said_to_in_its_most_central_window(seed):
    draw = random.Random(seed)
    before, after = draw.choice([((), ()), ((101,), (102,)), ((0, 1), (2, 2))])
    room = draw.randint(1, 12)
    limit = len(before) + room + len(after)
    longest = draw.choice([1, 3, room + 2])
    words = words_of([draw.randint(1, longest) for _ in range(draw.randint(1, 40))])
    found = cut(words, before, after, limit)
    kept = [word[:room] for word in words]
    # As lists, so that a word can be looked up in a window: every id occurs once in the sentence.
    inner = [list(w[len(before) : len(w) - len(after)]) for w in found.windows]
    for window in found.windows:
        assert len(window) <= limit
        assert window[: len(before)] == before
        assert window[len(window) - len(after) :] == after
    for index, word in enumerate(kept):
        window = found.windows[found.row[index]]
        assert list(window[found.first[index] : found.last[index]]) == word

        def centrality(ids, word=word):
            """Sub-words on the poorer side; a side where the sentence ends is rich."""
            left = ids.index(word[0])
            right = len(ids) - left - len(word)
            infinite = float("inf")
            starts, ends = ids[0] == kept[0][0], ids[-1] == kept[-1][-1]
            return min(infinite if starts else left, infinite if ends else right)

        # A window shows whole words or nothing of them.
        showing = [ids for ids in inner if word[0] in ids]
        assert all(word[-1] in ids for ids in showing)
        best = max(centrality(ids) for ids in showing)
        assert centrality(inner[found.row[index]]) == best
    # No window lies within another.
    for number, ids in enumerate(inner):
        others = [set(other) for i, other in enumerate(inner) if i != number]
        assert not any(set(ids) <= other for other in others)


def test_windows_of_short_words_overlap_by_about_half():
    found = cut(words_of([1] * 100), BEFORE, AFTER, 22)
    # Room 20, step 10: (100 - 20) / 10 + 1.
    assert len(found.windows) == 9
    starts = [window[1] for window in found.windows]
    assert starts == list(range(1000, 1090, 10))


def test_every_sub_word_carries_its_words_mark_and_special_tokens_0():
    found = cut([[7, 8], [9], [5, 6]], [101], [102], 5, marks=[3, 4, 2])
    assert found.windows == ((101, 7, 8, 9, 102), (101, 9, 5, 6, 102))
    assert found.marks == ((0, 3, 3, 4, 0), (0, 4, 2, 2, 0))
    assert cut([[7]], [101], [102], 5).marks == ()
