"""What a screening run was asked to do, and the fingerprint of what a case's results depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tools import __version__, areal, bundles, density, fractures, segmentation, sources
from tools.screen.header import Header
from tools.screen.places import real
from tools.screen.scan import Case

MEASURING = "bmd_regression"
"""The bundle whose package cuts patches and turns HU into density."""

CASE_SOURCE = "tools/screen/case.py"
"""From here on imports are followed: what is not reached cannot change a case's results."""

REPORT_DATA = (".css", ".json")
"""Endings of what the report reads beside its code."""


@dataclass(frozen=True)
class Settings:
    """Options of a run that change its results.

    Attributes:
        device: "auto", "cpu" or "cuda".
        kvp: Tube voltage of scans that do not say it, kV; None: 120 is assumed.
        allow_contrast: Whether contrast-enhanced scans get a density.
        calibration: Text of the calibration's file; None for the physical reference.
        keep_identity: Whether DICOM objects hold optional attributes of the patient too.
        bmd_variant: "dxa" for areal density beside the volumetric one; None for none.
        bmd_weights: File of the variant's weights.
        bmd_weights_sha256: Their checksum.
    """

    device: str = "auto"
    kvp: float | None = None
    allow_contrast: bool = False
    calibration: str | None = None
    keep_identity: bool = False
    bmd_variant: str | None = None
    bmd_weights: str | None = None
    bmd_weights_sha256: str | None = None

    def read_calibration(self) -> Any:
        """The calibration that the file holds; None for none."""
        if self.calibration is None:
            return None
        return bundles.module(MEASURING, "bmd_bundle.calibration_file").loads(self.calibration)

    def voltage(self, header: Header) -> float | None:
        """Tube voltage that a scan is read at, kV: its header's, or that of the options."""
        if header.beam_problem:  # a beam of no one voltage gets none by hand either
            return header.kvp
        return header.kvp or self.kvp

    def segmentation(self) -> bundles.Bundle:
        """The segmentation bundle, initialised once in each process.

        Raises:
            ValueError: If the weights are missing or damaged.
        """
        return segmentation.load(self.device)

    def network(self) -> density.Shipped:
        """The density network that reads.

        On a scanner that is not known the scan's own tissues make up for part of its error; where
        its line is known, that error is out already and would be taken out twice.
        """
        given = self.read_calibration()
        known = given is not None and not hasattr(given, "reading")
        return density.PLAIN if known else density.INTERNAL

    def fractures(self) -> bundles.Bundle | None:
        """The fracture bundle, initialised once in each process.

        Returns:
            None where the bundle has no weights.

        Raises:
            ValueError: If its weights are damaged.
        """
        if not (bundles.FOLDER / fractures.NAME / bundles.WEIGHTS).is_file():
            return None
        return fractures.load(self.device)

    def areal(self) -> bundles.Bundle | None:
        """The variant that reads areal density, initialised once in each process.

        Returns:
            None where it was not asked for.

        Raises:
            ValueError: If its weights are damaged or another network's.
        """
        return areal.load(Path(self.bmd_weights), self.device) if self.bmd_weights else None

    def density(self) -> bundles.Bundle | None:
        """The density bundle with the calibration, initialised once in each process.

        Returns:
            None where a site corrects HU-linear density: that is the reading to count then, and the
            correction is none of the network's.

        Raises:
            ValueError: If weights or their interval are missing or damaged.
        """
        given = self.read_calibration()
        if getattr(given, "reading", "cnn") != "cnn":
            return None
        shipped = self.network()
        loaded = density.load(self.device, calibration=given, shipped=shipped)
        path = loaded.root / shipped.interval
        intervals = bundles.module(MEASURING, "bmd_bundle.interval")
        if not path.is_file() or intervals.load(path, loaded.weights_sha256) is None:
            raise ValueError(
                f"{path}: missing, or made with other weights; restore both with `git checkout`"
            )
        return loaded


def read_variant(variant: str | None, weights: Path | None) -> dict[str, str]:
    """Say which variant of the density bundle reads, and with which weights.

    Args:
        variant: "dxa", or None for none.
        weights: File of its weights; None for those that the bundle ships.

    Returns:
        The settings of `Settings` that begin with `bmd_`; empty without a variant.

    Raises:
        ValueError: There are no such weights, or weights without a variant; one line.
    """
    if variant is None:
        if weights is not None:
            raise ValueError("--bmd-weights are those of a variant: give --bmd-variant dxa, too")
        return {}
    path = weights or areal.shipped()
    if path is None:
        raise ValueError(
            f"--bmd-variant {variant}: no weights are shipped for it; give --bmd-weights a file "
            "that a training with pretrain_reference_dxa.yaml wrote"
        )
    whole = Path(path).expanduser().absolute()
    return {
        "bmd_variant": variant,
        "bmd_weights": str(whole),
        "bmd_weights_sha256": bundles.checksum(whole),
    }


def read_calibration(path: Path) -> str:
    """Read a calibration's file and write it anew, so that only its content counts.

    Raises:
        ValueError: If it is no calibration, or corrects what other weights read; one line.
    """
    files = bundles.module(MEASURING, "bmd_bundle.calibration_file")
    found = files.load(path)
    if getattr(found, "reading", None) == "cnn":
        weights = bundles.checksum(bundles.FOLDER / MEASURING / density.INTERNAL.weights)
        try:
            bundles.module(MEASURING, "bmd_bundle.in_use").check_weights(found, weights)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    text: str = files.dump(found)
    return text


def fingerprint(case: Case, settings: Settings) -> str:
    """SHA-256 of all that a case's results depend on.

    The input counts by path, size and time of change, as it is too large to be read for this.

    Args:
        case: The input.
        settings: The run's options.
    """
    files = []
    for path in case.paths:
        whole = str(real(path))  # however the command spelt it
        try:
            state = path.stat()
            files.append([whole, state.st_size, state.st_mtime_ns])
        except OSError:  # gone or unreadable: the case will fail, and be tried again
            files.append([whole, None, None])
    content = [case.name, case.kind, case.left_out, files, asdict(settings), software()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def software() -> Mapping[str, str]:
    """The version, and a checksum of weights, configs and code that results depend on."""
    digest = hashlib.sha256()
    for path in deciding():
        digest.update(path.as_posix().encode() + b"\0")
        digest.update((sources.REPOSITORY / path).read_bytes() + b"\0")
    return {"version": __version__, "sources_sha256": digest.hexdigest()}


def deciding() -> list[Path]:
    """Files that decide a case's results, relative to the repository, in order.

    The code of one case with all it imports, what the report lays beside its code, and the three
    bundles: packages, configs of inference, weights, interval.
    """
    found = set(sources.reached([CASE_SOURCE]))
    report = sources.REPOSITORY / "tools" / "report"
    data = [path for ending in REPORT_DATA for path in report.glob(f"*{ending}")]
    used = {
        segmentation.NAME: [Path("configs/inference.yaml"), Path(bundles.WEIGHTS)],
        MEASURING: [*density.PLAIN.files(), *density.INTERNAL.files(), *areal.FILES],
        fractures.NAME: list(fractures.FILES),
    }
    for name, files in used.items():
        root = bundles.FOLDER / name
        data += [*root.glob("*_bundle/**/*.py"), *(root / file for file in files)]
    found |= {path.relative_to(sources.REPOSITORY) for path in data if path.is_file()}
    return sorted(found)
