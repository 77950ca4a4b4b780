"""The two objects read back, as far as possible by nothing of ours."""

import numpy as np
from scipy.spatial import cKDTree

from tools.screen.dicom.codes import LEVELS
from tools.volumes import Grid

TOLERANCE_MM = 0.01


def places_mm(segmentation, number):
    """RAS+ mm of a segment's voxels, from nothing but the frames' own tags (PS3.3, C.7.6.2.1.1)."""
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    pixels = segmentation.pixel_array.reshape(-1, segmentation.Rows, segmentation.Columns)
    found = []
    for frame, groups in zip(pixels, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        identified = groups.SegmentIdentificationSequence[0]
        if identified.ReferencedSegmentNumber != number:
            continue
        corner = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        rows, columns = np.nonzero(frame)
        along = columns[:, None] * column_mm * cosines[:3] + rows[:, None] * row_mm * cosines[3:]
        found.append((corner + along) * [-1, -1, 1])
    return np.concatenate(found)


def apart_mm(found, expected):
    """Distance of every point to the nearest of the others; there are as many of both."""
    assert len(found) == len(expected)
    one, other = cKDTree(found), cKDTree(expected)
    return np.maximum(one.query(expected)[0], other.query(found)[0])


def same_places(segmentation, number, mask, affine):
    """Whether a segment holds the same millimetres as a label map's voxels do."""
    expected = Grid(mask.shape, affine).to_world(np.argwhere(mask).astype(float))
    return bool((apart_mm(places_mm(segmentation, number), expected) < TOLERANCE_MM).all())


def group(report, level):
    """A level's group, by its finding site as highdicom looks for it, and whether it has an ROI."""
    site = {"finding_site": LEVELS[level]}
    volumes = report.get_volumetric_roi_measurement_groups(**site)
    images = report.get_image_measurement_groups(**site)
    (found,) = [*volumes, *images]
    return found, bool(volumes)


def numbers(found):
    """(code, method) -> value with its unit."""
    return {
        (one.name.value, one.method and one.method.value): (one.value, one.unit.value)
        for one in found.get_measurements()
    }


def said(found, concept):
    return [
        one.value.value for one in found.get_qualitative_evaluations() if one.name.value == concept
    ]
