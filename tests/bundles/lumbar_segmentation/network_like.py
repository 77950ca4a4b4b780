"""Label maps of phantom patients turned into what a segmentation network would say of them.

spine = phantom_spine(seed=3, index=0)
logits = network_output(spine.labels, rng)
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from lumbar_bundle.classes import BACKGROUND, SACRUM, to_classes
from tools.phantom import recipe
from tools.phantom.case import draw_labels

#: Half width of the stack of sagittal slices, mm.
HALF_WIDTH_MM = 30.0
CLASSES = 10
#: Shape of the field that all noise is cut from, voxels.
FIELD = (96, 192, 256)
#: Noise of neighbouring voxels is alike over this many.
NOISE_VOXELS = 1.2
#: Channels of the chain, from the sacrum up.
UPWARDS = (6, 5, 4, 3, 2, 1, 7, 8, 9)


@dataclass(frozen=True)
class Spine:
    """Labels [X, Y, Z] (ids of the label maps) on a grid, and the scan's own faces (same grid)."""

    labels: np.ndarray
    affine: np.ndarray

    @property
    def spacing_mm(self) -> np.ndarray:
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    def cut(self, axis: int, first: int, last: int) -> "Spine":
        """The same spine in a smaller field."""
        keep = [slice(None)] * 3
        keep[axis] = slice(first, last)
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, axis] * first
        return Spine(self.labels[tuple(keep)], affine)


@lru_cache(maxsize=64)
def _drawn(name: str, seed: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    labels, affine, _ = draw_labels(recipe.load(name), seed, index, 2.0)
    return labels, affine


def phantom_spine(seed: int, index: int, turn_deg: tuple[float, ...] = (0, 0, 0)) -> Spine:
    """A patient's bodies and sacrum on a 2 mm grid, +-30 mm about the spine.

    Args:
        seed: Seed of the cohort.
        index: Number of the patient.
        turn_deg: How far the patient lies turned about x, y and z.
    """
    labels, affine = _drawn("standard", seed, index)
    labels = np.pad(labels, ((6, 6), (8, 14), (8, 0)))
    affine = affine.copy()
    affine[:3, 3] -= 2.0 * np.array([6, 8, 8])
    if any(turn_deg):
        labels = _turned(labels, turn_deg)
    bodies = np.argwhere((labels > 0) & (labels != SACRUM))
    # The slab follows the spine: half a width about its middle, and its own excursion.
    levels = [np.argwhere(labels == level)[:, 0].mean() for level in (1, 2, 3, 4, 5)]
    low = int(min(levels) - HALF_WIDTH_MM / 2), int(max(levels) + HALF_WIDTH_MM / 2) + 1
    assert len(bodies)
    return Spine(labels, affine).cut(0, max(0, low[0]), low[1])


def _turned(labels: np.ndarray, turn_deg: tuple[float, ...]) -> np.ndarray:
    matrix = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    padded = np.pad(labels, ((10, 10), (20, 20), (12, 0)))
    middle = (np.array(padded.shape) - 1) / 2
    return ndimage.affine_transform(padded, matrix, middle - matrix @ middle, order=0)


@lru_cache(maxsize=4)
def _field(sigma: float) -> np.ndarray:
    """A smooth random field of unit SD that repeats at its ends."""
    noise = np.random.default_rng(7).normal(size=FIELD).astype(np.float32)
    field = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return field / field.std()


def smooth_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit SD, smooth over `sigma` voxels: a random part of one large field."""
    field = _field(sigma)
    places = [rng.integers(0, size) + np.arange(n) for size, n in zip(FIELD, shape, strict=True)]
    return field[np.ix_(*[place % size for place, size in zip(places, FIELD, strict=True)])]


def ragged(labels: np.ndarray, rng: np.random.Generator, amplitude_mm: float) -> np.ndarray:
    """Outlines moved by a smooth random field: a network is a voxel off, here and there."""
    index = []
    for axis, size in enumerate(labels.shape):
        place = np.arange(size).reshape([-1 if k == axis else 1 for k in range(3)])
        moved = place + smooth_noise(labels.shape, 3.0, rng) * (amplitude_mm / 2.0)
        index.append(np.clip(np.round(moved), 0, size - 1).astype(np.intp))
    return labels[tuple(index)]


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Share of every channel, float32 [10, X, Y, Z]."""
    return np.stack([to_classes(labels) == channel for channel in range(CLASSES)]).astype("float32")


def soften(
    shares: np.ndarray, rng: np.random.Generator, blur: float = 1.0, noise: float = 1.0
) -> np.ndarray:
    """Logits of a network that says `shares`, blurred by `blur` voxels, with smooth noise.

    Args:
        shares: [10, X, Y, Z].
        rng: Random stream.
        blur: SD of the blur, voxels.
        noise: SD of the noise, logits.
    """
    sigma = [blur if size > 1 else 0.0 for size in shares.shape[1:]]
    soft = ndimage.gaussian_filter(shares, [0, *sigma], truncate=3.0)
    logits = np.log(soft + 2e-3)
    for channel in logits:
        field = ndimage.gaussian_filter(
            rng.normal(size=channel.shape), [min(s, 1.2) for s in sigma]
        )
        channel += noise * field / field.std()
    return logits.astype(np.float32)


def renamed(shares: np.ndarray, where: np.ndarray, by: int, amount: float = 1.0) -> np.ndarray:
    """Body voxels of `where` called `by` levels higher (lower if negative), as far as `amount`."""
    result = shares.copy()
    source = {channel: UPWARDS[_clip(k + by)] for k, channel in enumerate(UPWARDS) if k}
    moved = np.zeros_like(shares)
    for channel, target in source.items():
        moved[target] += shares[channel] * where * amount
        result[channel] -= shares[channel] * where * amount
    return result + moved


def _clip(number: int) -> int:
    return min(max(number, 1), len(UPWARDS) - 1)


def without(spine: Spine, label: int) -> Spine:
    """A spine in which the network overlooks one body."""
    return replace(spine, labels=np.where(spine.labels == label, BACKGROUND, spine.labels))


def first_sacral_body(spine: Spine) -> tuple[np.ndarray, np.ndarray]:
    """S1's body within the sacrum, and the sheet of 3 mm below it, bool [X, Y, Z]."""
    edges = spine.spacing_mm
    lowest = np.argwhere(spine.labels == 5) * edges
    index = np.argwhere(spine.labels == SACRUM)
    offset = index * edges - lowest.mean(0)
    near = offset[np.linalg.norm(offset, axis=1) < 45]
    down = near.mean(0) / np.linalg.norm(near.mean(0))
    forward = np.cross([1.0, 0.0, 0.0], -down)
    forward *= np.sign(forward[1])
    along, ahead = offset @ down, offset @ forward
    core = (np.abs(ahead) < 10) & (np.abs(offset[:, 0]) < 10)
    top = np.quantile(along[core], 0.02)
    rear = ((lowest - lowest.mean(0)) @ forward).min() - 2
    inside = (ahead > rear) & (np.abs(offset[:, 0]) < 25)
    body, below = np.zeros_like(spine.labels, bool), np.zeros_like(spine.labels, bool)
    body[tuple(index[inside & (along < top + 27)].T)] = True
    below[tuple(index[inside & (along >= top + 27) & (along < top + 30)].T)] = True
    return body, below


def relabelled(labels: np.ndarray, new: dict[int, int]) -> np.ndarray:
    """Labels with other ids: what a network believes that is sure of the wrong names."""
    result = labels.copy()
    for old, other in new.items():
        result[labels == old] = other
    return result


#: Every body called one level higher, or lower, than it is.
ONE_UP = {5: 4, 4: 3, 3: 2, 2: 1, 1: 7, 7: 8, 8: 9, 9: 11}
ONE_DOWN = {4: 5, 3: 4, 2: 3, 1: 2, 7: 1, 8: 7, 9: 8, 11: 9}


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over channels, [10, X, Y, Z]."""
    power = np.exp(logits - logits.max(0))
    return power / power.sum(0)


def network_says(
    spine: Spine, rng: np.random.Generator, labels: np.ndarray | None = None
) -> np.ndarray:
    """Probabilities of a network that sees `labels` (the truth if None) with its usual errors."""
    return probabilities(
        soften(one_hot(ragged(spine.labels if labels is None else labels, rng, 1.0)), rng)
    )
