"""report.json as a DICOM measurement report: Comprehensive 3D SR by template TID 1500.

One group for every level, measured or refused, and one for the patient. A refused level holds its
reasons and no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import highdicom
from highdicom import sr
from highdicom.seg import Segmentation
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from tools import segmentation
from tools.screen.dicom import codes as own
from tools.screen.dicom.segmentation import SERIES_NUMBER
from tools.screen.dicom.series import Source
from tools.screen.dicom.uids import derived_uid
from tools.screen.gate import MEASURED

DENSITY_UNIT = codes.UCUM.MilligramsPerCubicCentimeter
Group = (
    sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)

PATIENT = "L1 to L4"
"""Tracking identifier of the patient's own group; those of the levels are their names."""

MOST_PARAMETER_CHARACTERS = 1024
"""Of a text in the tree that every viewer shows whole."""


def build(
    content: Mapping[str, Any], source: Source, outlines: Segmentation | None
) -> sr.Comprehensive3DSR:
    """Make the report.

    Args:
        content: Of report.json.
        source: The series.
        outlines: The segmentation; None where there is none.

    Returns:
        The report, without a patient; preliminary and unverified, as nobody has read it.
    """
    software = content["software"]
    groups = [_level(name, content, outlines) for name in content["levels"]]
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(
                observer_type=codes.DCM.Device,
                observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                    uid=derived_uid("device", software["version"], *software["weights"].values()),
                    name=own.MODEL,
                    manufacturer_name=own.MANUFACTURER,
                    model_name=own.MODEL,
                    serial_number=software["version"],
                ),
            )
        ),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[*groups, _patient(content)],
    )
    return sr.Comprehensive3DSR(
        evidence=[*source.slices, *([outlines] if outlines is not None else [])],
        content=report,
        series_instance_uid=highdicom.UID(),
        series_number=SERIES_NUMBER + 1,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=own.MANUFACTURER,
        manufacturer_model_name=own.MODEL,
        software_versions=software["version"],
        series_description="OsteoCT bone density, research use",
        coding_schemes=[own.scheme()],
        is_complete=True,
        is_final=False,
        is_verified=False,
    )


def _level(name: str, content: Mapping[str, Any], outlines: Segmentation | None) -> Group:
    """Group of a level; of its segment (TID 1411) where it has one, else of the scan (TID 1501)."""
    level = content["levels"][name]
    measured = level["status"] == MEASURED
    said: dict[str, Any] = {
        "finding_type": own.LEVELS[name],
        "finding_sites": [sr.FindingSite(own.LEVELS[name])],
        "measurements": list(_readings(level, content)) if measured else [],
        "qualitative_evaluations": [
            *_codes(level),
            _evaluation("in_mean", _yes_no(name in content["patient"]["levels_used"])),
        ],
    }
    segments = [] if outlines is None else outlines.get_segment_numbers(tracking_id=name)
    if outlines is None or not segments:
        tracking = sr.TrackingIdentifier(highdicom.UID(), name)
        return sr.MeasurementsAndQualitativeEvaluations(tracking_identifier=tracking, **said)
    described = outlines.get_segment_description(segments[0])
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(described.tracking_uid, name),
        referenced_segment=sr.ReferencedSegment.from_segmentation(outlines, segments[0]),
        algorithm_id=_algorithm(segmentation.NAME, content),
        **said,
    )


def _readings(level: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[sr.Measurement]:
    """Yield what was measured in a level: densities, interval, HU; nothing that is null."""
    linear, network = level["bmd_hu_linear_mg_cm3"], level["bmd_cnn_mg_cm3"]
    by_line = ("hu_linear", _algorithm("HU-linear", content))
    by_network = ("network", _algorithm("bmd_regression", content))
    if network is not None:
        yield _density("vbmd_ha", network, *by_network)
    if linear is not None:
        yield _density("vbmd_ha", linear, *by_line)
    interval = level["bmd_interval_95_mg_cm3"]
    if interval is not None:
        # The interval is that of the reading that counts.
        counting = by_line if network is None else by_network
        for end, value in zip(("low", "high"), interval, strict=True):
            yield _density(f"vbmd_ha_95_{end}", value, *counting)
    if level["hu_trabecular"] is not None:
        yield sr.Measurement(
            name=codes.DCM.AttenuationCoefficient,
            value=level["hu_trabecular"],
            unit=codes.UCUM.HounsfieldUnit,
            derivation=codes.SCT.Mean,
        )


def _patient(content: Mapping[str, Any]) -> sr.MeasurementsAndQualitativeEvaluations:
    """Group of the patient: mean, range, what holds for the whole scan."""
    patient = content["patient"]
    measurements = []
    if patient["mean_bmd_mg_cm3"] is not None:
        measurements += [
            sr.Measurement(
                name=own.CONCEPTS[name],
                value=value,
                unit=DENSITY_UNIT,
                derivation=derivation,
            )
            for name, value, derivation in (
                ("vbmd_ha", patient["mean_bmd_mg_cm3"], codes.SCT.Mean),
                ("vbmd_ha_95_low", patient["mean_interval_95_mg_cm3"][0], None),
                ("vbmd_ha_95_high", patient["mean_interval_95_mg_cm3"][1], None),
                ("vbmd_k2hpo4", patient["mean_bmd_k2hpo4_mg_cm3"], codes.SCT.Mean),
            )
        ]
    evaluations = [
        *_codes({"reasons": patient["reasons"], "warnings": content["qc"]["warnings"]}),
        _evaluation("intended_use", own.RESEARCH),
    ]
    if patient["category"] is not None:
        evaluations.append(_evaluation("category", own.CATEGORIES[patient["category"]]))
        evaluations.append(_evaluation("borderline", _yes_no(patient["borderline"])))
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(highdicom.UID(), PATIENT),
        finding_type=codes.SCT.LumbarSpine,
        finding_sites=[sr.FindingSite(codes.SCT.LumbarSpine)],
        measurements=measurements,
        qualitative_evaluations=evaluations,
    )


def _density(
    name: str, value: float, method: str, algorithm: sr.AlgorithmIdentification
) -> sr.Measurement:
    return sr.Measurement(
        name=own.CONCEPTS[name],
        value=value,
        unit=DENSITY_UNIT,
        method=own.METHODS[method],
        algorithm_id=algorithm,
    )


def _algorithm(name: str, content: Mapping[str, Any]) -> sr.AlgorithmIdentification:
    """Name a bundle with its weights, or HU-linear density with its calibration."""
    software, calibration = content["software"], content["calibration"]
    parameters = []
    if name in software["weights"]:
        parameters.append(f"weights_sha256={software['weights'][name]}")
    if name != segmentation.NAME and calibration is not None:
        parameters.append(f"calibration={calibration['id']}"[:MOST_PARAMETER_CHARACTERS])
    return sr.AlgorithmIdentification(
        name=f"{own.MANUFACTURER} {name}",
        version=software["version"],
        parameters=parameters,
    )


def _codes(said: Mapping[str, Any]) -> list[sr.QualitativeEvaluation]:
    return [
        _evaluation(concept, own.FINDINGS[code])
        for concept, key in (("reason", "reasons"), ("warning", "warnings"))
        for code in said[key]
    ]


def _evaluation(concept: str, value: Code) -> sr.QualitativeEvaluation:
    return sr.QualitativeEvaluation(name=own.CONCEPTS[concept], value=value)


def _yes_no(said: bool) -> Code:
    return codes.SCT.Yes if said else codes.SCT.No
