"""What the network's level channels say of a chain's position; they vote, they do not decide.

On scans unlike its training data the network drifts: near the sacrum it still names bodies right,
further up all are one off. So bodies are no independent witnesses. A chain of hidden drifts says
so: from each body to the next the drift may change at a price, and it is zero at the anchor. A
drift high up then costs a position little, but the names next to the anchor still count.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from lumbar_bundle.classes import BACKGROUND, CHAIN_CHANNELS, SACRUM

#: Channels from bottom to top, and the position of each in the chain: the sacrum is -1, L5 is 0.
UPWARDS = (SACRUM, *CHAIN_CHANNELS)
SACRUM_POSITION, L1_POSITION, T12_POSITION = -1, 4, 5
#: Share of a vote that a network gives a level it does not think of at all.
LEAST_VOTE = 0.02
#: Drifts considered, levels.
DRIFTS = np.arange(-2, 3)
#: Probability that the drift changes by one, up or down, between neighbours (design: one chain of
#: eight bodies in two).
CHANGE = 0.05


def level_votes(probabilities: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Average what the network says of one body.

    Args:
        probabilities: Softmax of its output, [10, X, Y, Z].
        inside: The body's voxels, bool [X, Y, Z].

    Returns:
        Shares of sacrum, L5, L4, … L1, T12, T11, upper; they add up to 1; float [9].
    """
    mean = probabilities[:, inside].mean(1)
    votes = mean[list(UPWARDS)] / max(1.0 - float(mean[BACKGROUND]), 1e-6)
    return votes / votes.sum()


def log_likelihood(votes: np.ndarray, position: int, root: int) -> float:
    """Log-likelihood of a chain's votes if its lowest body stands at `position`.

    Args:
        votes: Of every body, bottom to top, [N, 9].
        position: Of the lowest body: 0 = L5, 1 = L4, … 5 = T12; -1 = S1.
        root: Index of the body next to the anchor.

    Returns:
        Natural logarithm.
    """
    seen = np.log(np.clip(votes, LEAST_VOTE, 1.0))
    # emission[i, d]: body i, drifted by DRIFTS[d] levels; above T11 all are one channel.
    places = position + np.arange(len(votes))[:, None] + DRIFTS - SACRUM_POSITION
    emission = np.take_along_axis(seen, np.clip(places, 0, votes.shape[1] - 1), axis=1)
    change = np.abs(DRIFTS[:, None] - DRIFTS)
    stay = np.log(1 - 2 * CHANGE)
    price = np.where(change == 0, stay, np.where(change == 1, np.log(CHANGE), -np.inf))
    start = price[:, DRIFTS == 0][:, 0]
    total = start + emission[root]
    for side in (emission[:root], emission[:root:-1]):
        total = total + _message(side, price)
    return float(logsumexp(total))


def _message(emission: np.ndarray, price: np.ndarray) -> np.ndarray:
    """What bodies, furthest first, say of the drift of the one they lead to; [drifts]."""
    message = np.zeros(len(DRIFTS))
    for item in emission:
        message = logsumexp(price + (message + item)[None, :], axis=1)
    return message
