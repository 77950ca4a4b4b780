"""Names for vertebral bodies: found as bodies, counted along the chain, named right or refused.

    naming = name_levels(probabilities, affine, input_affine, input_shape, wide=(hu, wide_affine))

Bodies are instances of one map of "any body"; their order comes from where they stand; their names
from an anchor that can be seen (the sacrum, or T12 by its ribs). The network's level channels only
vote. `NameLevelsd` is the transform after the network.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from skimage.segmentation import expand_labels

from lumbar_bundle.anchors import Evidence, place
from lumbar_bundle.borders import blank_of_reformat, blank_of_wide, touches_blank, touches_face
from lumbar_bundle.chain import NOMINAL_WIDTH_MM, Body, find_chain, measure_bodies
from lumbar_bundle.classes import BODY_CHANNELS, CHANNELS, LEVELS, SACRUM
from lumbar_bundle.common import is_sagittal_reformat
from lumbar_bundle.grids import spacing_mm, to_ras, to_world
from lumbar_bundle.instances import find_bodies
from lumbar_bundle.judging import (
    MEASURED,
    body_positions,
    describe_chain,
    judge_levels,
    name_of,
    refused,
)
from lumbar_bundle.ribs import RibEvidence, ribbed_bodies
from lumbar_bundle.sacrum import SacrumFinding, judge_sacrum
from lumbar_bundle.votes import level_votes

#: How far names reach past the outline of their body, voxels of the working grid: where the
#: outline on the input's finer grid lies outside the coarse one, its name must be there.
NAME_REACH = 2


@dataclass
class Naming:
    """What a scan's bodies are called, and why some are not.

    Attributes:
        names: Ids 1-4 of accepted levels, grown by `NAME_REACH` voxels, uint8 [X, Y, Z].
        instances: Number of every body in the chain, 1 at the bottom, 0 elsewhere; [X, Y, Z].
        levels: For L1-L4: `status` "measured" or "refused", `reasons`, `warnings`, `confidence`.
        chain: Every body from bottom to top, ready for JSON.
    """

    names: np.ndarray
    instances: np.ndarray
    levels: dict[str, dict[str, Any]]
    chain: list[dict[str, Any]] = field(default_factory=list)


def name_levels(
    probabilities: np.ndarray,
    affine: np.ndarray,
    input_affine: np.ndarray,
    input_shape: tuple[int, ...],
    wide: tuple[np.ndarray, np.ndarray] | None = None,
    blank: np.ndarray | None = None,
) -> Naming:
    """Name what the network found.

    Args:
        probabilities: Softmax of its output on the working grid, [10, X, Y, Z].
        affine: 4x4 voxel to RAS+ matrix of the working grid.
        input_affine: That of the input.
        input_shape: The input's shape [3].
        wide: CT about the spine, HU [X', Y', Z'] on a 3 mm grid, and its 4x4 matrix, for the ribs;
            None if the field shows none.
        blank: Filling without a patient on the working grid, bool [X, Y, Z]; None for none.

    Returns:
        Names, instances and levels.
    """
    edges = spacing_mm(affine)
    body = probabilities[list(BODY_CHANNELS)].sum(0)
    found = find_bodies(body, edges)
    chain = find_chain(measure_bodies(found, body, edges))
    instances = np.zeros(found.shape, dtype=np.int32)
    for number, item in enumerate(chain, start=1):
        instances[found == item.number] = number
    if not chain:
        names = np.zeros(found.shape, dtype=np.uint8)
        return Naming(names, instances, {name: refused("level_not_found") for name in LEVELS})
    # Voxels along the grid's own axes become patient coordinates.
    to_patient = np.asarray(affine, dtype=float)
    centroids = to_world(to_patient, np.array([item.centroid for item in chain]) / edges)
    grid, ras_affine = to_ras(np.broadcast_to(np.uint8(0), tuple(input_shape)), input_affine)
    reformat = is_sagittal_reformat(grid.shape, ras_affine)
    complete = [
        not touches_face(
            to_world(to_patient, item.points / edges), ras_affine, grid.shape, reformat
        )
        and not touches_blank(instances == number, blank)
        for number, item in enumerate(chain, start=1)
    ]
    votes = np.stack([level_votes(probabilities, instances == n + 1) for n in range(len(chain))])
    evidence = Evidence(
        chain,
        votes,
        complete,
        _sacrum(probabilities[SACRUM], chain, votes[0], edges),
        [] if wide is None else _ribs(wide, centroids, chain),
    )
    runs = place(evidence)
    positions = body_positions(runs, len(chain))
    levels = judge_levels(evidence, runs, positions)
    return Naming(
        _draw(instances, positions, levels),
        instances,
        levels,
        describe_chain(evidence, runs, positions, centroids),
    )


def _sacrum(
    probability: np.ndarray, chain: list[Body], votes: np.ndarray, edges: np.ndarray
) -> SacrumFinding:
    inside = probability > 0.5
    shown = probability.shape[0] * edges[0]
    size = float(inside.sum() * np.prod(edges)) * max(1.0, NOMINAL_WIDTH_MM / shown)
    slices = np.arange(probability.shape[0]) * edges[0] - chain[0].centroid[0]
    points = np.argwhere(inside) * edges
    return judge_sacrum(points, chain, votes, size, edges, slices)


def _ribs(
    wide: tuple[np.ndarray, np.ndarray], centroids: np.ndarray, chain: list[Body]
) -> list[RibEvidence]:
    extents = np.array([np.ptp(item.points, axis=0) for item in chain])
    return ribbed_bodies(wide[0], wide[1], centroids, extents)


def _draw(
    instances: np.ndarray, positions: list[int | None], levels: dict[str, dict[str, Any]]
) -> np.ndarray:
    """Ids of accepted levels, grown; other bodies keep their own ground."""
    ids = np.zeros(len(positions) + 1, dtype=np.uint8)
    for index, position in enumerate(positions):
        name = name_of(position)
        if name in LEVELS and levels[name]["status"] == MEASURED:
            ids[index + 1] = LEVELS[name]
    if not ids.any():
        return np.zeros(instances.shape, dtype=np.uint8)
    return ids[expand_labels(instances, NAME_REACH)]


class NameLevelsd(MapTransform):
    """Turn the network's output on the working grid into named levels.

    Reads the logits of `keys` [10, X, Y, Z], the image (affine, and the input's grid in its meta
    data `original_affine` and `spatial_shape`) and, where there is one, the wide CT. Writes:

    * `keys`: ids 1-4 of the accepted levels, reaching past their outlines, uint8 [1, X, Y, Z];
    * `body_key`: probability of any vertebral body, float32 [1, X, Y, Z];
    * `instances_key`: number of every body in the chain, 1 at the bottom, int32 [1, X, Y, Z];
    * `levels_key`: status, reasons, warnings and confidence of L1-L4;
    * `chain_key`: every body from bottom to top.

    Args:
        keys: Logits.
        image_key: Windowed image on the working grid, [1, X, Y, Z].
        wide_key: HU on a 3 mm grid, [1, X', Y', Z']; may be missing.
        levels_key: Where the levels go.
        body_key: Where the body probability goes.
        chain_key: Where the chain goes.
        instances_key: Where the bodies' numbers go.
        allow_missing_keys: As in MONAI.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        image_key: str = "image",
        wide_key: str = "wide",
        levels_key: str = "levels",
        body_key: str = "body",
        chain_key: str = "chain",
        instances_key: str = "instances",
        allow_missing_keys: bool = False,
    ) -> None:
        """Store the settings."""
        super().__init__(keys, allow_missing_keys)
        self.image_key, self.wide_key = image_key, wide_key
        self.levels_key, self.body_key, self.chain_key = levels_key, body_key, chain_key
        self.instances_key = instances_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Name the levels."""
        result = dict(data)
        for key in self.key_iterator(result):
            image = result[self.image_key]
            logits = torch.as_tensor(result[key]).detach().cpu().float()
            if logits.shape[0] != len(CHANNELS) or logits.shape[1:] != image.shape[1:]:
                raise ValueError(
                    f"logits {tuple(logits.shape)} do not fit an image {tuple(image.shape)}: "
                    f"{len(CHANNELS)} channels on the image's own grid are needed"
                )
            probabilities = torch.softmax(logits.as_subclass(torch.Tensor), 0).numpy()
            naming = self._name(probabilities, image, result.get(self.wide_key))
            body = probabilities[list(BODY_CHANNELS)].sum(0)
            result[key] = _like(image, naming.names)
            result[self.body_key] = _like(image, body)
            result[self.instances_key] = _like(image, naming.instances)
            result[self.levels_key], result[self.chain_key] = naming.levels, naming.chain
        return result

    def _name(self, probabilities: np.ndarray, image: MetaTensor, wide: Any) -> Naming:
        affine = np.asarray(image.affine, dtype=float)
        shape = probabilities.shape[1:]
        if wide is None:
            volume = None
            blank = blank_of_reformat(image.detach().cpu().numpy()[0])
        else:
            hu = wide.detach().cpu().numpy()[0]
            volume = hu, np.asarray(wide.affine, dtype=float)
            blank = blank_of_wide(hu, volume[1], shape, affine)
        return name_levels(
            probabilities,
            affine,
            np.asarray(image.meta["original_affine"], dtype=float),
            tuple(int(size) for size in image.meta["spatial_shape"]),
            volume,
            blank,
        )


def _like(image: MetaTensor, values: np.ndarray) -> MetaTensor:
    """Values [X, Y, Z] as a MetaTensor [1, X, Y, Z] on the image's grid."""
    meta = {key: value for key, value in image.meta.items() if key != "affine"}
    return MetaTensor(torch.from_numpy(values[None]), affine=image.affine.clone(), meta=meta)
