"""One case from input to finished folder; whatever happens, it has an outcome."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tools.cli import TRACEBACK_VARIABLE
from tools.files import write_json
from tools.report import evidence, html, pictures, schema
from tools.screen import areal, assemble, chain, fracture, gate, network, places
from tools.screen import folder as folders
from tools.screen import scan as scans
from tools.screen.folder import DONE, FAILED, REFUSED, Outcome
from tools.screen.settings import Settings
from tools.volumes import save_nifti


class _OutputError(Exception):
    """Results cannot be written: no fault of the case, and the run must stop."""


def screen_case(case: scans.Case, folder: Path, settings: Settings, fingerprint: str) -> Outcome:
    """Measure one CT and write its folder; a series left out gets no more than its record.

    Args:
        case: The input.
        folder: Its folder, made or emptied.
        settings: The run's options.
        fingerprint: Of everything the results depend on.

    Returns:
        What it came to.

    Raises:
        OSError: If the folder cannot be written.
        ValueError: If the weights are missing or damaged: no case could be measured.
    """
    networks = (
        settings.segmentation(), settings.density(), settings.fractures(), settings.areal()
    )  # fmt: skip
    folders.prepare(folder)
    if case.left_out is not None:
        outcome = Outcome(case.name, case.source, REFUSED, case.left_out)
        folders.finish(folder, outcome, fingerprint, places.origin(case))
        return outcome
    try:
        outcome = _measure(case, folder, settings, *networks)
    except _OutputError as error:
        cause = error.__cause__
        raise cause if isinstance(cause, OSError) else error from None
    except Exception as error:  # one bad case never stops a run
        folders.prepare(folder)
        outcome = Outcome(case.name, case.source, FAILED, _reason(error, case))
    folders.finish(folder, outcome, fingerprint, places.origin(case))
    return outcome


def _measure(
    case: scans.Case,
    folder: Path,
    settings: Settings,
    segmentation: Any,
    density: Any,
    fractures: Any,
    variant: Any,
) -> Outcome:
    begin = time.perf_counter()
    scan = scans.read(case)
    loaded = time.perf_counter()
    found = chain.measure(scan, segmentation)
    found.timing_s["load"] = loaded - begin
    begin = time.perf_counter()
    reading = network.read(scan, found.labels, found.aorta, density, settings)
    beside = areal.read(scan, found, variant, settings)
    found.timing_s["bmd"] += time.perf_counter() - begin
    begin = time.perf_counter()
    judgement = fracture.judge(scan, found, fractures)
    if fractures is not None:
        found.timing_s["ovf"] = time.perf_counter() - begin
    content = assemble.report(scan, found, settings, segmentation, reading, judgement, beside)
    begin = time.perf_counter()
    figures = pictures.draw(content, scan.hu, scan.affine, found.labels, _views(found), found.chain)
    if judgement.picture is not None:
        drop = judgement.evidence.drop
        figures[evidence.STEM] = evidence.draw(content, judgement.picture, drop)
    objects = _dicom(scan, found, content, settings)
    try:
        save_nifti(folder / folders.SEGMENTATION, found.labels, scan.affine)
        folders.write(folder, objects)
        folders.write(folder, {f"{name}.png": figure.png for name, figure in figures.items()})
        content["timing_s"]["write"] = round(time.perf_counter() - begin, assemble.DECIMALS)
        schema.validate(content)
        folders.write(folder, {folders.PAGE: html.write(content, figures)})
        write_json(folder / folders.REPORT, content)
    except OSError as error:
        raise _OutputError from error
    status, reason = _status(content)
    return Outcome(case.name, case.source, status, reason, content["timing_s"])


def _dicom(
    scan: scans.Scan, found: chain.Findings, content: Mapping[str, Any], settings: Settings
) -> dict[str, bytes]:
    """The DICOM objects of a series; none for a NIfTI file, which has nothing to refer to."""
    if scan.case.kind != "dicom":
        return {}
    from tools.screen.dicom import objects  # highdicom is loaded for DICOM input only

    return objects.write(scan, found.labels, content, settings.keep_identity)


def _views(found: chain.Findings) -> list[pictures.PatchView]:
    """Where the patches lie, for the pictures."""
    return [
        pictures.PatchView(
            name, np.asarray(patch.corners_mm), np.asarray(patch.centre_mm), patch.normal
        )
        for name, patch in found.patches.items()
    ]


def _status(content: Mapping[str, Any]) -> tuple[str, str | None]:
    """Done with at least one measured level or a judged fracture; else refused, with reasons."""
    levels = content["levels"].values()
    judged = content["ovf"] is not None and content["ovf"]["status"] == gate.MEASURED
    if judged or any(level["status"] == gate.MEASURED for level in levels):
        return DONE, None
    reasons = [code for level in levels for code in level["reasons"]]
    return REFUSED, ", ".join(dict.fromkeys(reasons))


def _reason(error: BaseException, case: scans.Case) -> str:
    """Say in one line why a case failed, without the input's path, which may name a patient."""
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error)
    cause: BaseException | None = error
    while cause is not None:
        # Such as a `CaseError`; a codec's error has a reason too, but none for a user.
        if isinstance(told := getattr(cause, "reason", None), str) and not isinstance(
            cause, UnicodeError
        ):
            return told
        cause = cause.__cause__
    if isinstance(error, MemoryError):
        return "out of memory; give a machine with more, or a coarser scan"
    if isinstance(error, OSError) and error.strerror:
        return f"a file cannot be read ({error.strerror}); give a copy that can"
    kind = f"unexpected {type(error).__name__}"
    first = (str(error).splitlines() or [""])[0]
    names = [path.name for path in case.paths]
    if os.sep in first or any(name in first for name in names):
        return f"{kind}; set {TRACEBACK_VARIABLE}=1 to see where"
    return f"{kind}: {first}"
