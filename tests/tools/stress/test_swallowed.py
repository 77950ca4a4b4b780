"""Outlines made wrong: the sacrum holds L5, and all bodies vote one level too low."""

import pytest
import torch

from tools import bundles
from tools.stress.swallowed import SwallowedL5

BACKGROUND, L1, L2, L3, L4, L5, SACRUM, T12, T11, UPPER = range(10)
#: Bodies of one sagittal column, bottom to top: 16 mm high, 6 mm apart, pixels of 2 mm.
COLUMN = (SACRUM, L5, L4, L3, L2, L1, T12, T11, UPPER, UPPER)
HIGH, APART = 8, 3


class Drawn(torch.nn.Module):
    """A network that is sure of a column of bodies, whatever it sees."""

    def forward(self, image):
        names = torch.zeros(image.shape[0], 24, 128, dtype=torch.long)
        for number, channel in enumerate(COLUMN):
            low = 4 + number * (HIGH + APART)
            names[:, 8:16, low : low + HIGH] = channel
        return 30.0 * torch.nn.functional.one_hot(names, 10).permute(0, 3, 1, 2).float()


def shown(disc):
    """Channel with the highest probability in the middle of each body of the column."""
    with torch.no_grad():
        logits = SwallowedL5(Drawn(), disc)(torch.zeros(1, 1, 24, 128))
    rows = [4 + number * (HIGH + APART) + HIGH // 2 for number in range(len(COLUMN))]
    return logits.argmax(1)[0, 12], rows


@pytest.mark.parametrize("disc", [False, True])
def test_the_sacrum_holds_l5_and_the_others_move_down(disc):
    found, rows = shown(disc)
    names = [int(found[row]) for row in rows]
    assert names[:8] == [SACRUM, SACRUM, L5, L4, L3, L2, L1, T12]
    assert set(names[8:]) <= {T11, UPPER}


@pytest.mark.parametrize(("disc", "channel"), [(False, BACKGROUND), (True, SACRUM)])
def test_the_disc_above_the_sacrum_is_filled_only_if_asked(disc, channel):
    found, rows = shown(disc)
    between = (rows[0] + rows[1]) // 2
    assert int(found[between]) == channel
    # The disc above what is now called sacrum stays open.
    assert int(found[(rows[1] + rows[2]) // 2 + 1]) == BACKGROUND


def test_nothing_is_lost_and_nothing_found():
    drawn = Drawn()(torch.zeros(1, 1, 24, 128)).softmax(1)
    wrong = SwallowedL5(Drawn(), disc=False)(torch.zeros(1, 1, 24, 128)).softmax(1)
    torch.testing.assert_close(wrong[:, BACKGROUND], drawn[:, BACKGROUND])


def test_channels_are_those_of_the_bundle():
    classes = bundles.module("lumbar_segmentation", "lumbar_bundle.classes")
    assert (classes.L5, classes.SACRUM, classes.UPPER) == (L5, SACRUM, UPPER)
