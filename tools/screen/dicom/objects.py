"""The two objects of a DICOM case as files.

    files = objects.write(scan, labels, content, keep_identity=False)

They join the study of the source, on its slices and in its frame of reference.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pydicom
from highdicom.base import SOPClass

from tools.screen.dicom import report, segmentation, series
from tools.screen.folder import DICOM_REPORT, DICOM_SEGMENTATION
from tools.screen.scan import Scan

logger = logging.getLogger(__name__)

LATIN, UNICODE = "ISO_IR 100", "ISO_IR 192"
"""Character sets: the second, UTF-8, only where names need it, as old programs do not know it."""


def write(
    scan: Scan, labels: np.ndarray, content: Mapping[str, Any], keep_identity: bool
) -> dict[str, bytes]:
    """Make the objects of a case.

    Args:
        scan: The CT, of DICOM files.
        labels: Ids 1-4 of L1-L4 on its grid, [X, Y, Z].
        content: Of report.json.
        keep_identity: Whether optional attributes of the patient are copied too.

    Returns:
        Name -> content of report.dcm, and of segmentation.dcm unless no level was outlined, or an
        outlined plane is none of the series' slices, which is logged.

    Raises:
        OSError: If a slice cannot be read again.
    """
    made: dict[str, SOPClass] = {}
    outlines = None
    # What is referenced is written as the source writes it, legal or not.
    with pydicom.config.disable_value_validation():
        source = series.read(scan, keep_identity)
        problem = segmentation.problem(labels, source)
        if problem is not None:
            logger.warning("%s: no %s, as %s", content["case"], DICOM_SEGMENTATION, problem)
        if labels.any() and problem is None:
            outlines = segmentation.build(labels, source, content["software"])
            made[DICOM_SEGMENTATION] = outlines
        made[DICOM_REPORT] = report.build(content, source, outlines)
        return {name: _encoded(one, source) for name, one in made.items()}


def _encoded(made: SOPClass, source: series.Source) -> bytes:
    """Put the patient into an object and encode it."""
    for element in source.elements:
        made[element.tag] = element
    text = "".join(str(element.value) for element in source.elements)
    made.SpecificCharacterSet = LATIN if _is_latin(text) else UNICODE
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, made, enforce_file_format=True)
    return stream.getvalue()


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
