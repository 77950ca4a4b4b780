"""Occlusion maps of a network whose reasons are known."""

import numpy as np
import pytest
import torch
from torch import nn

from ovf_bundle.evidence import box_of_bone, occlude

PIXELS = 56
#: Where the fracture is: slice, row, column of a patch of 6 x 6 pixels.
AT = (4, 30, 17)


class Known(nn.Module):
    """A slice's logit is 20 times the spread in one patch, less 3."""

    def slice_logits(self, image: torch.Tensor) -> torch.Tensor:
        _, row, column = AT
        patch = image[:, 0, :, row - 3 : row + 3, column - 3 : column + 3]
        return 20 * patch.std(dim=(2, 3), correction=0) - 3


def picture() -> torch.Tensor:
    """Six slices of soft tissue with a column of bone; one has a pattern in its bone."""
    image = torch.full((3, 6, PIXELS, PIXELS), 0.3)
    image[:, :, 8:48, 10:26] = 0.6
    number, row, column = AT
    image[:, number, row - 3 : row + 3, column - 3 : column + 3] = torch.tensor([0.3, 0.9]).repeat(
        3
    )
    return image


def places() -> np.ndarray:
    """Two parts of three slices; pixels of 128 x 128 pictures of 1.5 mm."""
    place = np.array([[-3.0, 0, 0, 30], [0, 0, -1.5, 80], [0, -1.5, 0, 50], [0, 0, 0, 1]])
    lower = place.copy()
    lower[2, 3] -= 150
    return np.stack([place, lower])


def ras_of(slice_in_part: float, row: float, column: float) -> np.ndarray:
    """By hand: a pixel of 56 is 128 / 56 pixels wide, and its middle lies that much further in."""
    scale = 128 / PIXELS
    row, column = ((index + 0.5) * scale - 0.5 for index in (row, column))
    return np.array([30 - 3 * slice_in_part, 80 - 1.5 * column, 50 - 150 - 1.5 * row])


@pytest.mark.parametrize("boxed", [False, True])
def test_the_peak_lies_on_the_fracture(boxed: bool) -> None:
    middle = ras_of(1, AT[1] - 0.5, AT[2] - 0.5)  # between the pixels of an even patch
    box = np.stack([middle - [40, 40, 60], middle + [40, 40, 60]]) if boxed else None
    one, two = occlude(
        Known(), picture(), places(), source_pixels=128, slices=2, box_ras_mm=box, mask_mm=30,
        overlap=0.75,
    )  # fmt: skip
    assert one.slice == AT[0]
    assert one.logit == pytest.approx(20 * 0.3 - 3, abs=1e-4)
    assert two.logit == pytest.approx(-3, abs=1e-4)
    assert float(np.nanmax(one.drop)) > 1  # a logit's fall: no probability falls so far
    assert np.linalg.norm(one.peak_ras_mm - middle) < 8
    assert np.isnan(one.drop).any()  # only bone was looked at
    assert float(np.nanmax(two.drop)) < 1e-4  # nothing to lose; an edge in it may gain


def test_a_box_beside_the_fracture_holds_no_evidence() -> None:
    away = ras_of(1, 45, 40)
    (one,) = occlude(
        Known(), picture(), places(), source_pixels=128, box_ras_mm=np.stack([away - 5, away + 5])
    )
    assert one.slice == AT[0]
    assert float(np.nanmax(np.abs(one.drop))) < 1e-4
    assert np.linalg.norm(one.peak_ras_mm[1:] - away[1:]) < 15


def test_the_field_is_where_bone_is() -> None:
    assert box_of_bone(picture()[0, 0]) == [9, 46, 10, 26]
    assert box_of_bone(torch.zeros(5, 7)) == [0, 5, 0, 7]
