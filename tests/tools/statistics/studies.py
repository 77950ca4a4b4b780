"""Numbers that the studies print, as the tests of statistics and of `evaluate` use them."""

import numpy as np

#: S2: test set -> confusion matrix, rows true; osteoporosis / osteopenia / normal.
S2_MATRICES = {
    1: np.array([[77, 5, 1], [7, 97, 14], [0, 9, 188]]),
    2: np.array([[26, 0, 0], [6, 51, 6], [0, 5, 69]]),
    3: np.array([[18, 7, 0], [0, 25, 4], [0, 1, 76]]),
}
#: S2: test set -> Cohen's kappa.
S2_KAPPA = {1: 0.888, 2: 0.868, 3: 0.879}
#: S2: test set -> true osteoporosis among all its scans.
S2_OSTEOPOROSIS = {1: 89, 2: 31, 3: 39}
#: S2: test set -> sensitivity for osteoporosis of the measured scans.
S2_MEASURED = {1: 0.93, 2: 1.00, 3: 0.72}
#: S2: test set -> the same of all scans.
S2_ALL = {1: 0.87, 2: 0.84, 3: 0.46}

#: S1: aggregator -> TP, FN, TN, FP on 129 CT.
S1_COUNTS = {
    "report": (66, 15, 48, 0),
    "max": (71, 10, 34, 14),
    "mean": (68, 13, 45, 3),
    "vote": (68, 13, 46, 2),
    "LSTM": (69, 12, 46, 2),
}


def cases(matrix: np.ndarray) -> tuple[list[int], list[int]]:
    """True and said category of every case of a confusion matrix."""
    cells = [(i, j) for i, row in enumerate(matrix) for j, n in enumerate(row) for _ in range(n)]
    return [i for i, _ in cells], [j for _, j in cells]


def answers(tp: int, fn: int, tn: int, fp: int) -> tuple[list[bool], list[bool]]:
    """Truth and answer of every case of four counts."""
    true = [True] * (tp + fn) + [False] * (tn + fp)
    return true, [True] * tp + [False] * (fn + tn) + [True] * fp
