"""What the fracture network says of a CT in memory, whole or with something covered.

reader = Reader.of(weights)
seen = reader.read(image, affine, "phantom")
seen.probability, reader.covered(seen, hidden)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from tools import bundles, fractures
from tools.phantom.checks.fractures import sheet
from tools.segmentation import as_input, as_tensor

#: Pixels of the pictures that the matrices of a case's slices are of.
SOURCE_PIXELS = 512
#: What covers, HU: soft tissue.
COVER_HU = 40.0
#: What is occluded reaches this far beyond the bodies' middles along and across the spine, mm.
AROUND_MM = 30.0


@dataclass(frozen=True)
class Seen:
    """What the network saw of a CT and said.

    Attributes:
        probability: Of a fracture; NaN where the bundle refuses the CT.
        reasons: Why it does.
        image: What the network saw, window values [3, S, rows, columns].
        places: Matrix of each part, (slice, row, column) -> RAS+ mm, [parts, 4, 4].
        slices: Probability of every slice alone.
    """

    probability: float
    reasons: tuple[str, ...]
    image: torch.Tensor
    places: np.ndarray
    slices: tuple[float, ...]


@dataclass(frozen=True)
class Evidence:
    """Where the network sees the fracture.

    Attributes:
        picture: The slice that speaks loudest, 0 to 1 [rows, columns].
        drop: Its occlusion map [rows, columns].
        level: Body nearest to the map's peak; empty without bodies.
        apart_mm: How far the peak lies from it, mm; 0 inside.
    """

    picture: np.ndarray
    drop: np.ndarray
    level: str
    apart_mm: float

    def shown(self, title: str) -> sheet.Shown:
        """Put it on a sheet."""
        return sheet.Shown(title, self.picture, self.drop)


@dataclass(frozen=True)
class Reader:
    """The fracture bundle, as `screen` runs it."""

    bundle: bundles.Bundle

    @classmethod
    def of(cls, weights: str | Path | None = None) -> Reader:
        """Load the bundle.

        Args:
            weights: File of the weights; the shipped ones if None.

        Raises:
            ValueError: The weights are missing or damaged.
        """
        return cls(fractures.load("cpu", None if weights is None else Path(weights)))

    def read(self, image: np.ndarray, affine: np.ndarray, name: str) -> Seen:
        """Judge a CT.

        Args:
            image: HU [X, Y, Z].
            affine: 4x4 voxel to RAS+ millimetres.
            name: Of the case, in messages.

        Raises:
            ValueError: The bundle cannot use it.
        """
        result = self.bundle.run(as_input(as_tensor(image, affine, name), name))
        said = result["ovf"]
        nothing = said["probability"] is None
        return Seen(
            float("nan") if nothing else float(said["probability"]),
            tuple(said["reasons"]),
            result["image"].as_subclass(torch.Tensor),
            np.asarray(result["places"]),
            tuple(said["slice_probabilities"] or ()),
        )

    def covered(self, seen: Seen, hides: Callable[[np.ndarray], np.ndarray]) -> float:
        """Judge the same slices with something covered by soft tissue.

        Args:
            seen: What was read.
            hides: Takes places, RAS+ mm [N, 3], and tells which are covered, bool [N].

        Returns:
            The probability.
        """
        low, high = self.window_hu
        image = seen.image.clone()
        for number in range(image.shape[1]):
            hidden = hides(_pixels_mm(seen, number)).reshape(image.shape[2:])
            image[:, number, torch.from_numpy(hidden)] = (COVER_HU - low) / (high - low)
        with torch.no_grad():
            found = self.bundle.inferer(image[None].to(self.bundle.device), self.bundle.network)
        return float(torch.sigmoid(found[0, 0]))

    def locate(
        self, seen: Seen, labels: np.ndarray, affine: np.ndarray, names: Mapping[int, str]
    ) -> Evidence:
        """Find where the network sees a fracture.

        Args:
            seen: What was read.
            labels: Vertebral bodies [X, Y, Z]; their box is looked at.
            affine: 4x4 voxel to RAS+ millimetres.
            names: Id -> name of the level; other ids are left out.
        """
        module: Any = bundles.module(fractures.NAME, "ovf_bundle.evidence")
        middles = np.array(list(middles_mm(labels, affine, names).values()))
        box = np.array([middles.min(0) - AROUND_MM, middles.max(0) + AROUND_MM])
        (found,) = module.occlude(
            self.bundle.network, seen.image.to(self.bundle.device), seen.places, box_ras_mm=box
        )
        level, apart = nearest_body(np.asarray(found.peak_ras_mm), labels, affine, names)
        picture = seen.image[0, int(found.slice)].numpy()
        return Evidence(picture, found.drop, level or "", apart)

    @property
    def window_hu(self) -> tuple[float, float]:
        """HU that the network sees as 0 and as 1."""
        path = self.bundle.root / "configs" / f"{fractures.CONFIGS[0]}.yaml"
        low, high = ConfigParser.load_config_file(path)["hu_window"]
        return float(low), float(high)


def _pixels_mm(seen: Seen, number: int) -> np.ndarray:
    """Places of a slice's pixels, RAS+ mm [rows * columns, 3]."""
    module: Any = bundles.module(fractures.NAME, "ovf_bundle.shrink")
    _, count, rows, columns = seen.image.shape
    per_part = count // len(seen.places)
    matrix = seen.places[number // per_part] @ module.to_source((SOURCE_PIXELS,) * 2, rows)
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    index = np.stack([np.full(row.size, number % per_part), row.ravel(), column.ravel()], 1)
    places: np.ndarray = index @ matrix[:3, :3].T + matrix[:3, 3]
    return places


def middles_mm(
    labels: np.ndarray, affine: np.ndarray, names: Mapping[int, str]
) -> dict[str, np.ndarray]:
    """Middle of each body of a label map, RAS+ mm.

    Args:
        labels: Vertebral bodies [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetres.
        names: Id -> name of the level; other ids are left out.
    """
    found = {}
    for label in np.unique(labels):
        if int(label) in names:
            index = np.argwhere(labels == label).mean(0)
            found[names[int(label)]] = affine[:3, :3] @ index + affine[:3, 3]
    return found


def nearest_body(
    point_mm: np.ndarray, labels: np.ndarray, affine: np.ndarray, names: Mapping[int, str]
) -> tuple[str | None, float]:
    """Name the body nearest to a point, and how far it is, mm; 0 inside it.

    Args:
        point_mm: RAS+ mm [3].
        labels: Vertebral bodies [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetres.
        names: Id -> name of the level; other ids are left out.
    """
    inverse = np.linalg.inv(affine)
    at = np.rint(inverse[:3, :3] @ point_mm + inverse[:3, 3]).astype(int)
    if np.all((at >= 0) & (at < labels.shape)) and int(labels[tuple(at)]) in names:
        return names[int(labels[tuple(at)])], 0.0
    apart = {}
    for label, name in names.items():
        index = np.argwhere(labels == label)
        if len(index):
            points = index @ affine[:3, :3].T + affine[:3, 3]
            apart[name] = float(np.linalg.norm(points - point_mm, axis=1).min())
    nearest = min(apart, key=apart.__getitem__, default=None)
    return nearest, apart[nearest] if nearest else float("inf")
