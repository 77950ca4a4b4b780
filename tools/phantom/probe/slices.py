"""Sagittal training slices cut from phantom patients and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from tqdm import tqdm

from tools.files import write_atomically
from tools.levels import LABEL_IDS
from tools.phantom.completion import software
from tools.phantom.resample import covering_grid, resample
from tools.volumes import Grid

#: In-plane pixel of every slice, mm; the grid the bundles' 2-D network works on.
PIXEL_MM = 2.0
#: Value of what lies outside the field of view, HU.
OUTSIDE_HU = -1024.0
#: Field kept about the bodies' centroid: this far behind it and in front of it, mm.
BEHIND_MM, FRONT_MM = 110.0, 210.0
#: Distances of the kept slices from the midline, mm, left or right at random: a body is about
#: 45 mm wide, so the last ones lie beside it and hold ribs, psoas and bowel only.
OFFSET_BANDS_MM = ((0, 4), (0, 4), (4, 8), (4, 8), (8, 12), (8, 12), (12, 17), (17, 22),
                   (22, 27), (27, 33))  # fmt: skip
#: Slices are this thick in x, mm (one is drawn per patient): real sagittal slices are reformats
#: of 2 to 4 mm voxels.
THICKNESS_MM = (2.0, 3.0, 4.0)
#: Classes of the probe.
BACKGROUND, BODY, SACRUM = 0, 1, 2

#: What cuts a drawn patient into slices.
CUTTING_SOURCES = (Path(__file__), Path(__file__).parents[1] / "resample.py")

#: (recipe, seed, index) -> an object with `image`, `labels` and `affine`.
Simulate = Callable[[dict[str, Any], int, int], Any]


@dataclass(frozen=True)
class SliceSet:
    """Slices of all patients, padded to one size.

    Attributes:
        images: int16 HU, [N, Y, Z]; Y rises to anterior, Z to superior, pixels of 2 mm.
        labels: uint8 classes of the probe, [N, Y, Z].
        patients: Patient index of each slice, int64 [N].
        extents: Rows of Z that lie in the patient's field, int64 [N]; the rest is padding.
    """

    images: torch.Tensor
    labels: torch.Tensor
    patients: torch.Tensor
    extents: torch.Tensor

    def of(self, patients: list[int]) -> SliceSet:
        """Return the slices of these patients only."""
        return self.take(torch.isin(self.patients, torch.tensor(patients)))

    def take(self, which: torch.Tensor | slice) -> SliceSet:
        """Return some of the slices, chosen by index or mask."""
        return SliceSet(
            self.images[which], self.labels[which], self.patients[which], self.extents[which]
        )


def cut(case: Any, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut one phantom patient into sagittal slices about its spine.

    Args:
        case: A patient: `image` HU [X, Y, Z], `labels` (ids of `tools.levels`), `affine`.
        rng: Draws which slices are kept, and their thickness.

    Returns:
        Images int16 HU and classes uint8, both [slices, Y, Z].

    Raises:
        ValueError: If no vertebral body lies in the field.
    """
    source = Grid(case.image.shape, case.affine)
    bodies = (case.labels > 0) & (case.labels != LABEL_IDS["sacrum"])
    if not bodies.any():
        raise ValueError("no vertebral body lies in the phantom's field")
    whole = covering_grid(source, PIXEL_MM)
    middle = whole.to_index(source.to_world(np.argwhere(bodies).mean(axis=0)))
    thickness = rng.choice(THICKNESS_MM)
    stack = torch.stack(
        [
            torch.from_numpy(np.ascontiguousarray(channel, dtype=np.float32))
            for channel in (case.image, bodies, case.labels == LABEL_IDS["sacrum"])
        ]
    )
    rows = round((BEHIND_MM + FRONT_MM) / PIXEL_MM)
    images, classes = [], []
    for near, far in OFFSET_BANDS_MM:
        x = middle[0] + rng.uniform(near, far) * rng.choice((-1, 1)) / PIXEL_MM
        if not 0 <= x <= whole.shape[0] - 1:
            continue
        affine = whole.affine @ np.diag([thickness / PIXEL_MM, 1.0, 1.0, 1.0])
        affine[:3, 3] = whole.to_world(np.array([x, middle[1] - BEHIND_MM / PIXEL_MM, 0]))
        grid = Grid((1, rows, whole.shape[2]), affine)
        images.append(resample(stack[:1], case.affine, grid, OUTSIDE_HU)[0, 0].round().short())
        share = resample(stack[1:], case.affine, grid, 0.0)[:, 0]
        classes.append(torch.cat([1 - share.sum(0, keepdim=True), share]).argmax(0).byte())
    return torch.stack(images).numpy(), torch.stack(classes).numpy()


def fingerprint(recipe: dict[str, Any], seed: int) -> str:
    """Name a set of slices by all that made it: recipe, seed, what draws and what cuts.

    Args:
        recipe: The recipe.
        seed: The seed.

    Returns:
        12 hexadecimal digits.
    """
    made_by = [recipe, seed, dict(software())]
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode())
    for path in CUTTING_SOURCES:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _draw(job: tuple[Simulate, dict[str, Any], int, int, Path]) -> None:
    """Simulate and cut one patient, unless its file is there."""
    simulate, recipe, seed, index, path = job
    if path.exists():
        return
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, index])
    images, classes = cut(simulate(recipe, seed, index), rng)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, images=images, labels=classes)

    write_atomically(path, write)


def collect(
    simulate: Simulate, recipe: dict[str, Any], seed: int, cases: int, folder: Path, workers: int
) -> SliceSet:
    """Draw the patients that `folder` does not hold yet, and read all of them.

    Args:
        simulate: Draws one patient; a function at module level where `workers` > 1.
        recipe: The recipe it is given.
        seed: The seed it is given.
        cases: Number of patients, indices 0 ... cases - 1.
        folder: One file per patient; written whole or not at all, so that a rerun continues.
        workers: Processes.

    Returns:
        All slices.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:04d}.npz" for index in range(cases)]
    jobs = [(simulate, recipe, seed, index, path) for index, path in enumerate(paths)]
    for _ in tqdm(_run(jobs, workers), total=cases, desc="patients", unit="patient"):
        pass
    loaded = []
    for path in paths:
        with np.load(path) as arrays:
            loaded.append((arrays["images"], arrays["labels"]))
    height = max(images.shape[2] for images, _ in loaded)
    return SliceSet(
        torch.cat([_pad(images, height, int(OUTSIDE_HU)) for images, _ in loaded]),
        torch.cat([_pad(labels, height, BACKGROUND) for _, labels in loaded]),
        torch.tensor([i for i, (images, _) in enumerate(loaded) for _ in images]),
        torch.tensor([images.shape[2] for images, _ in loaded for _ in images]),
    )


def _run(jobs: list[Any], workers: int) -> Iterator[None]:
    if workers <= 1:
        yield from map(_draw, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw, jobs)


def _pad(array: np.ndarray, height: int, value: int) -> torch.Tensor:
    """Pad [N, Y, Z] at the top of Z to `height`."""
    return F.pad(torch.from_numpy(array), (0, height - array.shape[2]), value=value)
