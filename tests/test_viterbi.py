"""The best paths of small chains, worked out by hand."""

import numpy as np
import pytest

from mmseq.builtins.decoding.viterbi import k_best, viterbi

START = np.array([1.0, 0.0])
TRANSITIONS = np.array([[0.0, 1.0], [-1.0, 3.0]])
END = np.array([0.0, 2.0])
# Words, sentences, tags: of two words, of one and of none; what stands at padding is the best.
SCORES = np.array([[[2.0, 0.0], [2.0, 0.0], [9.0, 9.0]], [[0.0, 1.0], [9.0, 9.0], [9.0, 9.0]]])
LENGTHS = np.array([2, 1, 0])
# 0 1: 1 + 2 + 1 + 1 + 2; 1 1: 0 + 0 + 3 + 1 + 2; 0 0: 1 + 2 + 0 + 0 + 0; 1 0: 0 + 0 - 1 + 0 + 0.
TWO_WORDS = [([0, 1], 7.0), ([1, 1], 6.0), ([0, 0], 3.0), ([1, 0], -1.0)]
# 0: 1 + 2 + 0; 1: 0 + 0 + 2.
ONE_WORD = [([0, 0], 3.0), ([1, 0], 2.0)]
NO_WORD = [([0, 0], 0.0)]
NONE = ([0, 0], -np.inf)


def test_the_best_path_of_each_sentence():
    found = viterbi(SCORES, START, TRANSITIONS, END, LENGTHS)
    assert found.tolist() == [[0, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_k_best_with_their_scores_in_whatever_order_the_sentences_come(k, order):
    given = SCORES[:, order], START, TRANSITIONS, END, LENGTHS[order], k
    paths, scores = k_best(*given)
    for row, sentence in enumerate(order):
        right = [*(TWO_WORDS, ONE_WORD, NO_WORD)[sentence], *[NONE] * 5][:k]
        assert paths[row].tolist() == [path for path, _ in right]
        assert scores[row].tolist() == [score for _, score in right]


def test_a_path_that_may_not_begin_step_or_end_is_none():
    # May not begin with 1, step from 0 to 0, or end with 0: what is left is 0 1.
    start, end = np.array([0.0, -np.inf]), np.array([-np.inf, 0.0])
    transitions = np.array([[-np.inf, 0.5], [0.0, 0.0]])
    scores = np.array([[[0.0, 5.0]], [[5.0, 0.0]]])
    lengths = np.array([2])
    assert viterbi(scores, start, transitions, end, lengths).tolist() == [[0, 1]]
    paths, found = k_best(scores, start, transitions, end, lengths, 2)
    assert paths.tolist() == [[[0, 1], [0, 0]]]
    assert found.tolist() == [[0.5, -np.inf]]
