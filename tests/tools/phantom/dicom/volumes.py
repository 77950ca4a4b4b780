"""A small volume, wherever it lies, and the truth that its series needs."""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from tools.phantom.dicom.encoding import Encoding
from tools.phantom.dicom.identity import Identity
from tools.phantom.dicom.series import write_series
from tools.volumes import reorient

SHAPE = (26, 22, 6)
SPACING_MM = (0.7, 0.7, 2.3)
IDENTITY = Identity("A0001", "A-0001", 1, "0123abcd", "f" * 64)

TURNS_DEG = {"straight": (0, 0, 0), "oblique": (5.3, -4.1, 2.2)}
"""Turns of the grid about x, y and z."""

ORIENTATIONS = ("LPS", "RAS", "LAS", "RPS", "LPI", "PIR", "ASL", "LSA")
"""The recipe's axis codes, and a coronal one."""


def truth(**scan):
    """The truth of a case as far as tags need it."""
    numbers = {"mtf50_per_mm": 0.36, "mtf10_per_mm": 0.65, "noise_peak_per_mm": 0.2, "boost": 0.0}
    made = {"scanner": "A", "kvp": 120.0, "kernel": "soft", "kernel_numbers": numbers}
    made |= {"thickness_mm": 3.0, "noise_hu": 14.0, "field": "abdomen", "reformat": None}
    return {"sex": "F", "age": 71.6, "scan": made | scan}


def volume(orientation="LPS", turn="straight", low=-1024, high=3071):
    """HU without symmetry, and the affine of the array as it is stored."""
    random = np.random.default_rng(3)
    smooth = gaussian_filter(random.normal(0, 1, SHAPE), 1.5)
    hu = np.interp(smooth, [smooth.min(), smooth.max()], [low, high]).round().astype(np.int16)
    affine = np.eye(4)
    turned = Rotation.from_euler("xyz", TURNS_DEG[turn], degrees=True).as_matrix()
    affine[:3, :3] = turned * SPACING_MM
    affine[:3, 3] = -31.23456, 17.98765, -412.345678
    return reorient(hu, affine, orientation)


def write(folder, image, affine, syntax="explicit_little", padded=False, **scan):
    """Write a series; return what is said of it."""
    return write_series(folder, image, affine, truth(**scan), IDENTITY, Encoding(syntax, padded))
