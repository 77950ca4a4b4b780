"""The part of an evaluation's page that is about S3: its table, fold by fold below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools import page
from tools.evaluate.numbers import Number, Numbers
from tools.evaluate.published import TABLE as PUBLISHED
from tools.evaluate.screening import published
from tools.evaluate.screening.compute import ALL_FOLDS, TABLE
from tools.evaluate.screening.panel import NAMES, Panel
from tools.evaluate.words import counted, number, why

USE = (
    "Reduced density is a range, that called osteopenia or osteoporosis by ACR, and no diagnosis; "
    "confirm with DXA or QCT."
)

METHODS = (
    "Reduced density is a K2HPO4-equivalent of the patient's mean of at most 120 mg/cm³, over at "
    "least two levels that are not fractured; the true one is that of the reference's own mean. "
    "The classifier says a probability per level; a patient's is by the mean of their log-odds, "
    "and above 0.5 is called reduced. CNN and HU-linear read a density: the lower, the likelier.",
    "Proportions have exact intervals (Clopper and Pearson), each with its own denominator; F1, "
    "MAE and RMSE are bootstrapped over patients; MAE and RMSE are of the patients' means in "
    "mg/cm³ HA. Train and independent hold a scan once for every fold that learnt from it or read "
    "it: intervals are then those of resampled patients, and of proportions those of the "
    "effective sample size. The AUC is the mean over the folds, as S3 prints it, bootstrapped over "
    "patients; of a single fold it has DeLong's interval. Intervals say how patients differ, not "
    "how another training would.",
    "Of all scans, one that was refused or failed, or has fewer than two levels, is neither found "
    "nor cleared: it counts against recall, specificity and accuracy.",
    "S3's rows are what that study prints of patients (199 in five folds, 42 of other scanners), "
    "and stand here for orientation.",
)

DIGITS, UNIT = 3, "mg/cm³"


def describe(panel: Panel) -> dict[str, Any]:
    """Say what was compared, as evaluation.json and the page hold it."""
    groups: dict[str, int] = {}
    for method in panel.methods:
        groups |= {name: len(own) for name, own in panel.groups(method).items()}
    return {"folds": list(panel.folds), "groups": groups, "files": list(panel.files)}


def parts(about: Mapping[str, Any], numbers: Numbers) -> Iterator[str]:
    """Yield the sections of the page, HTML."""
    own, methods = about["screening"], about["methods"]
    yield page.heading("S3’s table")
    if own["folds"]:
        yield page.paragraph(
            f"{len(own['folds'])} folds by patient: train, who a fold learnt from; test, who it "
            "left out; independent, scanners that no fold knows."
        )
    if own["files"][1:]:
        yield page.paragraph(f"Beside: {', '.join(own['files'][1:])}.")
    yield from _tables(numbers, list(own["groups"]), methods)
    if own["folds"]:
        yield page.heading("Fold by fold")
        yield _folds(numbers, own["folds"], list(own["groups"]), methods)


def _tables(numbers: Numbers, groups: Sequence[str], methods: Sequence[str]) -> Iterator[str]:
    """S3's table: of the scans judged, with S3 below; then of all scans."""
    used: list[Number] = []
    judged, everyone = [], []
    for group in groups:
        for method in methods:
            found = {
                key: numbers.get(TABLE, group, key, method, ALL_FOLDS)
                for key in ("auc", "f1_measured", "sensitivity_measured", "precision_measured",
                            "specificity_measured", "accuracy_measured", "mae", "rmse")
            }  # fmt: skip
            errors = [found.pop("mae"), found.pop("rmse")]
            area, f1, *shares = found.values()
            used += found.values()
            cells = [number(area, DIGITS), number(f1, DIGITS)]
            cells += [counted(one, DIGITS) for one in shares]
            judged.append([group, NAMES[method], *cells, *(number(one, 2) for one in errors)])
            of_all = [
                numbers.get(TABLE, group, key, method, ALL_FOLDS)
                for key in ("measured", "sensitivity_all", "specificity_all", "accuracy_all")
            ]
            used += of_all
            everyone.append([group, NAMES[method], *(counted(one, DIGITS) for one in of_all)])
    for part in published.ERRORS:
        name = f"{published.S3} {part}"
        asked = ("auc", *published.RATES)
        cells = [number(numbers.get(PUBLISHED, name, key, published.S3), DIGITS) for key in asked]
        errors_ = [
            number(numbers.get(PUBLISHED, name, key, published.S3), 2) for key in ("mae", "rmse")
        ]
        judged.append([name, published.S3, *cells, *errors_])
    head = ["scans", "method", "AUC", "F1", "recall", "precision", "specificity", "accuracy",
            f"MAE, {UNIT}", f"RMSE, {UNIT}"]  # fmt: skip
    yield page.table(head, judged, "Reduced density or not, of the scans judged; S3 itself below")
    head = ["scans", "method", "judged", "recall", "specificity", "accuracy"]
    yield page.table(head, everyone, "Of all scans, refused and failed ones wrong")
    if said := why(used):
        yield page.paragraph(said, "soft")


def _folds(
    numbers: Numbers, folds: Sequence[int], groups: Sequence[str], methods: Sequence[str]
) -> str:
    """AUC of every fold."""
    rows = [
        [group, NAMES[method],
         *(number(numbers.get(TABLE, group, "auc", method, f"fold {fold}"), DIGITS)
           for fold in folds)]
        for group in groups
        for method in methods
    ]  # fmt: skip
    head = ["scans", "method", *(f"fold {fold}" for fold in folds)]
    return page.table(head, rows, "AUC for reduced density, each fold's own network")
