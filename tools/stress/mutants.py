"""Real scans made bad in seeded ways: cropped, flipped, cut off, renamed, zeroed, bytes changed.

    made = mutants.make(Mutant("lumbar_ct_3mm", "crop", 7), data, folder)

The scan of the same voxels as the source keeps a way back to them, so that where something was
measured can be looked up in the source's mask.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom

KINDS = ("crop", "flip", "truncate", "rename", "zero", "bytes")
"""What is done to a scan."""

NIFTI: dict[str, str] = {
    "lumbar_ct_3mm": "ct.nii.gz",
    "thorax_ct_1p5mm": "ct.nii.gz",
    "l3_crop": "ct.nii.gz",
    "verse004_mask": "sub-verse004_seg-vert_msk.nii.gz",
}
DICOM = "upper_abdomen_dicom"
SAMPLES = (*NIFTI, DICOM)
"""Folders of the real samples; four hold a NIfTI file, one a DICOM series."""

LEAST_KEPT = 0.4
"""A crop keeps at least this share of each axis."""

MOST_BYTES = 64
"""So many bytes are changed at most."""

HEADER_BYTES = 352
"""A NIfTI file's header; half of the changes of an unpacked file are made in it."""

NAMES = ("ct.nii", "ct.dcm", "CT.NII.GZ", "IM0001", "räntgen 01.nii.gz", "ct.img", "a\tb.nii.gz")
"""What files are called instead: wrong endings, none, letters that are not Latin."""


@dataclass(frozen=True)
class Mutant:
    """One change of one sample; `seed` decides what its kind leaves open."""

    sample: str
    kind: str
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.sample}-{self.kind}-{self.seed:03d}"


@dataclass(frozen=True)
class Way:
    """From voxels of a mutant to those of its source: `start + step * index` on each axis."""

    start: tuple[int, int, int] = (0, 0, 0)
    step: tuple[int, int, int] = (1, 1, 1)

    def back(self, index: np.ndarray) -> np.ndarray:
        """Map (fractional) voxel indices [..., 3] to the source's."""
        return np.array(self.start) + np.array(self.step) * index


def draw(count: int, seed: int) -> list[Mutant]:
    """List mutants: samples and kinds in turn, so that a few hold some of each.

    Examples:
        >>> [one.name for one in draw(2, 0)]
        ['lumbar_ct_3mm-crop-000', 'thorax_ct_1p5mm-flip-001']
    """
    # Neither count divides the other: every sample meets every kind.
    return [
        Mutant(SAMPLES[n % len(SAMPLES)], KINDS[n % len(KINDS)], seed + n) for n in range(count)
    ]


def make(mutant: Mutant, data: Path, folder: Path) -> tuple[Path, Way]:
    """Write a mutant.

    Args:
        mutant: Which.
        data: Folder of the samples.
        folder: Where to write; made.

    Returns:
        What to give to `screen`, and the way back to the source's voxels.

    Raises:
        OSError: If the sample cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([mutant.seed, KINDS.index(mutant.kind)])
    if mutant.sample == DICOM:
        source = sorted((data / DICOM).glob("*.dcm"))
        for path in source:
            shutil.copyfile(path, folder / path.name)
        _SERIES[mutant.kind](sorted(folder.iterdir()), rng)
        return folder, Way()
    source_file = data / mutant.sample / NIFTI[mutant.sample]
    return _FILES[mutant.kind](source_file, folder, rng)


Made = tuple[Path, Way]


def _crop(source: Path, folder: Path, rng: np.random.Generator) -> Made:
    image = nib.Nifti1Image.from_filename(source)
    sizes = np.array(image.shape[:3])
    kept = np.ceil(sizes * rng.uniform(LEAST_KEPT, 1.0, 3)).astype(int)
    start = rng.integers(0, sizes - kept + 1)
    part = image.slicer[tuple(slice(a, a + n) for a, n in zip(start, kept, strict=True))]
    nib.save(part, folder / "ct.nii.gz")
    return folder / "ct.nii.gz", Way(start=(int(start[0]), int(start[1]), int(start[2])))


def _flip(source: Path, folder: Path, rng: np.random.Generator) -> Made:
    """Turn an axis round: half of the time only as it is stored, else the patient is mirrored."""
    image = nib.Nifti1Image.from_filename(source)
    axis, stored_only = int(rng.integers(3)), bool(rng.integers(2))
    last = image.shape[axis] - 1
    start, step = [0, 0, 0], [1, 1, 1]
    start[axis], step[axis] = last, -1
    affine = image.affine.copy()
    if stored_only:
        affine[:3, 3] += affine[:3, axis] * last
        affine[:3, axis] *= -1
    turned = np.flip(np.asanyarray(image.dataobj), axis)
    nib.save(nib.Nifti1Image(turned, affine, image.header), folder / "ct.nii.gz")
    way = Way((start[0], start[1], start[2]), (step[0], step[1], step[2]))
    return folder / "ct.nii.gz", way


def _truncate(source: Path, folder: Path, rng: np.random.Generator) -> Made:
    packed = source.read_bytes()
    content, name = _unpacked(packed, rng)
    (folder / name).write_bytes(content[: int(len(content) * rng.uniform(0, 1))])
    return folder / name, Way()


def _rename(source: Path, folder: Path, rng: np.random.Generator) -> Made:
    path = folder / str(rng.choice(NAMES))
    path.write_bytes(source.read_bytes())
    return path, Way()


def _zero(source: Path, folder: Path, rng: np.random.Generator) -> Made:
    content, name = _unpacked(source.read_bytes(), rng)
    (folder / name).write_bytes(_zeroed(content, rng))
    return folder / name, Way()


def _bytes(source: Path, folder: Path, rng: np.random.Generator) -> Made:
    content, name = _unpacked(source.read_bytes(), rng)
    in_header = name == "ct.nii" and bool(rng.integers(2))
    changed = _changed(content, rng, HEADER_BYTES if in_header else None)
    (folder / name).write_bytes(changed)
    return folder / name, Way()


def _unpacked(packed: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """A packed file as it is, whose checksum tells any change, or unpacked, which has none."""
    return (packed, "ct.nii.gz") if rng.integers(4) == 0 else (gzip.decompress(packed), "ct.nii")


def _zeroed(content: bytes, rng: np.random.Generator) -> bytes:
    """Put zeros in place of a run of bytes of any length."""
    start, end = sorted(int(place) for place in rng.integers(0, len(content) + 1, 2))
    return content[:start] + bytes(end - start) + content[end:]


def _changed(content: bytes, rng: np.random.Generator, within: int | None = None) -> bytes:
    """Change some bytes, all within the first ones if asked for."""
    count = int(rng.integers(1, MOST_BYTES + 1)) if within is None else int(rng.integers(1, 4))
    data = np.frombuffer(content, np.uint8).copy()
    places = rng.integers(0, min(within or len(data), len(data)), count)
    data[places] ^= rng.integers(1, 256, count).astype(np.uint8)
    return data.tobytes()


def _crop_series(paths: list[Path], rng: np.random.Generator) -> None:
    """Keep slices that follow each other, or take some out of their middle."""
    first, end = sorted(int(place) for place in rng.integers(0, len(paths) + 1, 2))
    middle = bool(rng.integers(2))
    for number, path in enumerate(paths):
        if (first <= number < max(end, first + 1)) == middle:
            path.unlink()


def _flip_series(paths: list[Path], rng: np.random.Generator) -> None:
    """Mirror where the slices lie, or what lies in each of them."""
    axis, places = int(rng.integers(3)), bool(rng.integers(2))
    for path in paths:
        dataset = pydicom.dcmread(path)
        tag = "ImagePositionPatient" if places else "ImageOrientationPatient"
        values = [float(value) for value in dataset[tag].value]
        values[axis::3] = [-value for value in values[axis::3]]
        dataset[tag].value = values
        dataset.save_as(path)


def _truncate_series(paths: list[Path], rng: np.random.Generator) -> None:
    path = paths[int(rng.integers(len(paths)))]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * rng.uniform(0, 1))])


def _rename_series(paths: list[Path], rng: np.random.Generator) -> None:
    """Call one file, or all of them, by another kind's name."""
    ending = str(rng.choice(["", ".nii.gz", ".txt", ".jpg"]))
    chosen = paths if rng.integers(2) else paths[:1]
    for number, path in enumerate(chosen):
        path.rename(path.with_name(f"IM{number:04d}{ending}"))


def _zero_series(paths: list[Path], rng: np.random.Generator) -> None:
    for path in rng.choice(np.array(paths, dtype=object), int(rng.integers(1, 4)), replace=False):
        path.write_bytes(_zeroed(path.read_bytes(), rng))


def _bytes_series(paths: list[Path], rng: np.random.Generator) -> None:
    """Change bytes of some files, half of the time in their headers."""
    for path in rng.choice(np.array(paths, dtype=object), int(rng.integers(1, 4)), replace=False):
        within = 4096 if rng.integers(2) else None
        path.write_bytes(_changed(path.read_bytes(), rng, within))


_FILES: dict[str, Callable[[Path, Path, np.random.Generator], Made]] = {
    "crop": _crop,
    "flip": _flip,
    "truncate": _truncate,
    "rename": _rename,
    "zero": _zero,
    "bytes": _bytes,
}
_SERIES: dict[str, Callable[[list[Path], np.random.Generator], None]] = {
    "crop": _crop_series,
    "flip": _flip_series,
    "truncate": _truncate_series,
    "rename": _rename_series,
    "zero": _zero_series,
    "bytes": _bytes_series,
}
