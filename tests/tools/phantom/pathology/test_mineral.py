"""Mineral of squeezed bone."""

import numpy as np
import pytest
import torch

from tests.tools.phantom.pathology.bodies import KINDS, broken, patient
from tools.phantom.anatomy.bones import body_mineral
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.pathology.heights import before
from tools.phantom.pathology.mineral import _conserved, mineral_mg

BONE = patient(0, fractured=0.0, cement=1.0).bones["L1"]


@pytest.mark.parametrize("generator", ["warp", "collapse"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", [0.23, 0.5])
def test_impaction_conserves_mineral(generator, kind, loss):
    body = _conserved(broken(kind, loss, generator), BONE)
    # Integrated on another grid than the one that set the gain.
    assert mineral_mg(body, BONE, 0.75) == pytest.approx(
        mineral_mg(before(body), BONE, 0.75), rel=0.02
    )


def test_squeezed_bone_lies_under_the_broken_endplate():
    body = broken("wedge", 0.4, seed=1)
    front = torch.tensor([0.6])
    sunk = [float(depth) for depth in body.warp.deep.depths(torch.zeros(1), front)]
    u, v, w = torch.meshgrid(
        torch.linspace(-6, 6, 13), 0.6 * body.depth / 2 + torch.linspace(-2, 2, 5),
        torch.linspace(-15, 15, 121), indexing="ij",
    )  # fmt: skip
    top, bottom = BodyShape(body).endplates(u, v)
    mineral = body_mineral(body, BONE, u, v, w)
    under_top = mineral[(top - w > 1) & (top - w < 3)].mean()
    over_bottom = mineral[(w - bottom > 1) & (w - bottom < 3)].mean()
    dense, plain = (under_top, over_bottom) if sunk[0] > sunk[1] else (over_bottom, under_top)
    assert float(dense) > 1.25 * float(plain)


def test_remodelled_bone_is_as_dense_as_before():
    body = broken("crush", 0.4, impaction=False)
    u, v, w = (torch.linspace(-6, 6, 13) for _ in range(3))
    u, v, w = torch.meshgrid(u, v, 0.3 * w, indexing="ij")
    density = body_mineral(body, BONE, u, v, w)
    assert float(density.mean()) == pytest.approx(
        float(body_mineral(before(body), BONE, u, v, 1.6 * w).mean()), rel=0.1
    )


@pytest.mark.parametrize("generator", ["warp", "collapse"])
def test_the_density_factor_is_the_slope_of_the_squeeze(generator):
    body = broken("crush", 0.4, generator)
    shape = BodyShape(body)
    u = v = torch.zeros(1, dtype=torch.float64)
    top, bottom = (float(end) for end in shape.endplates(u, v))
    w = torch.linspace(bottom + 0.2, top - 0.2, 2001, dtype=torch.float64)
    plates = shape.intact_endplates(u, v)
    factor = body.warp.density(u, v, w, *plates).numpy()
    origin = body.warp.origin(u, v, w, *plates)[2].numpy()
    slope = np.gradient(origin, w.numpy())
    # The mild layer stretches by a few percent without changing the density.
    assert slope / factor == pytest.approx(np.full(2001, np.median(slope / factor)), rel=0.02)
