"""The bodies of L1 to L4 as a DICOM segmentation (SEG) on the series' own slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import highdicom
import numpy as np
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from pydicom.sr.codedict import codes

from tools import segmentation
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.screen.dicom import codes as own
from tools.screen.dicom.series import Source

SERIES_NUMBER = 9601
"""Of the segmentation's series; the report's is one higher. Scanners count to some thousands."""

COLORS = {"L1": "gold", "L2": "mediumseagreen", "L3": "cornflowerblue", "L4": "orchid"}
"""Recommended colours, told apart without hue by their brightness."""


def numbers(labels: np.ndarray) -> dict[str, int]:
    """Number the segments of the levels that were outlined: 1, 2, … as the standard demands.

    Args:
        labels: Ids 1-4 of L1-L4, [X, Y, Z].

    Examples:
        >>> numbers(np.array([[[0, 2, 4]]]))
        {'L2': 1, 'L4': 2}
    """
    shown = [name for name in MEASURED_LEVELS if (labels == LABEL_IDS[name]).any()]
    return {name: number for number, name in enumerate(shown, start=1)}


def problem(labels: np.ndarray, source: Source) -> str | None:
    """Say why outlines do not lie on the series' own slices; None if they do.

    Args:
        labels: Ids 1-4 of L1-L4, [X, Y, Z].
        source: The series.
    """
    planes = np.flatnonzero(labels.any(axis=(0, 1)))
    without = sum(plane not in source.planes for plane in planes)
    if not without:
        return None
    return f"{without} of {len(planes)} outlined planes are none of the series' slices"


def build(labels: np.ndarray, source: Source, software: Mapping[str, Any]) -> Segmentation:
    """Make the segmentation.

    Args:
        labels: Ids 1-4 of L1-L4, [X, Y, Z]; every plane that holds one is a slice of the series.
        source: The series.
        software: Of report.json.

    Returns:
        One segment for every level outlined, from head to foot; without a patient.
    """
    planes = np.flatnonzero(labels.any(axis=(0, 1)))
    used = [index for index in source.planes if planes[0] <= index <= planes[-1]]
    segments = numbers(labels)
    number_of = np.zeros(labels.max() + 1, np.uint8)
    number_of[[LABEL_IDS[name] for name in segments]] = list(segments.values())
    stored = number_of[labels[:, :, used].T]  # [slice, row, column], as slices are stored
    weights = software["weights"][segmentation.NAME]
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=f"{own.MANUFACTURER} {segmentation.NAME}",
        family=codes.cid7162.ArtificialIntelligence,
        version=software["version"],
        parameters={"weights_sha256": weights},
    )
    return Segmentation(
        source_images=[source.planes[index] for index in used],
        pixel_array=stored,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            SegmentDescription(
                segment_number=number,
                segment_label=name,
                segmented_property_category=codes.cid7150.AnatomicalStructure,
                segmented_property_type=own.LEVELS[name],
                algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
                algorithm_identification=algorithm,
                tracking_uid=highdicom.UID(),
                tracking_id=name,
                display_color=highdicom.color.CIELabColor.from_string(COLORS[name]),
            )
            for name, number in segments.items()
        ],
        series_instance_uid=highdicom.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=own.MANUFACTURER,
        manufacturer_model_name=own.MODEL,
        software_versions=software["version"],
        device_serial_number=weights[:16],
        content_label="L1_TO_L4",
        content_description="Vertebral bodies L1 to L4",
        series_description="OsteoCT vertebral bodies, research use",
    )
