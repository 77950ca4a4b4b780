"""Patients with and without fractures that nobody scanned, and what was said of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.tools.evaluate import made_up
from tools.report import rows as screen_rows

KINDS = ("wedge", "biconcave", "crush")
LEVELS = ("T12", "L1", "L2", "L3", "L4")

COLUMNS = (
    "case", "patient_id", "scanner", "status", "reason", "label", "slices", "aggregator",
    "probability", "decision", "probability_max", "probability_mean", "probability_vote", "seconds",
)  # fmt: skip


def fracture(kind: str, grade: int, **said: Any) -> dict[str, Any]:
    """A level's fracture, as truth.json holds it."""
    loss = (0.18, 0.22, 0.31, 0.48)[grade]
    return {"kind": kind, "grade": grade, "loss": loss, "side_mm": 0.5, "impaction": True,
            "swelling": False, "threshold": False, "generator": "warp"} | said  # fmt: skip


def patient(truth: dict[str, Any], found: Mapping[str, Any], **said: Any) -> None:
    """Give a made-up patient fractures, by the phantom's own rule of who is fractured."""
    levels = truth["levels"]
    levels["T12"] = {"complete": True, "implants": [], "fracture": None}
    for level, one in found.items():
        levels[level]["fracture"] = one
    real = [level for level, one in found.items() if one["grade"] > 0]
    truth |= {
        "fractured": any(levels[level]["complete"] for level in real),
        "threshold": any(one["threshold"] for one in found.values()),
        "fracture_at_border": any(not levels[level]["complete"] for level in real),
        "mimics": [],
    } | said


def cohort(patients: int, seed: int = 5, scanners: str = "AB") -> dict[str, Any]:
    """Content of a truth.json: every second patient is fractured, one kind after the other."""
    content = made_up.cohort(patients, scanners=scanners)
    rng = np.random.default_rng(seed)
    for number, truth in enumerate(content["cases"].values()):
        found, mimics = {}, []
        if number % 2:
            turn = number // 2
            level = LEVELS[turn % len(LEVELS)]
            side_mm = 9.0 if turn % 4 == 2 else float(rng.uniform(-1, 1))
            found[level] = fracture(
                KINDS[turn % 3], (2, 3, 2, 1)[turn % 4], side_mm=side_mm,
                generator="collapse" if turn % 5 == 4 else "warp",
            )  # fmt: skip
        if number % 3 == 0:
            mimics = [("schmorl", "burst", "wedge")[number // 3 % 3]]
        patient(truth, found, mimics=mimics)
    return content


def datalist(truth: Mapping[str, Any]) -> dict[str, Any]:
    """The ovf_classification datalist of a cohort: one list per scanner."""
    lists: dict[str, Any] = {"name": "ovf_classification", "modality": {"0": "CT"}}
    for case in truth["cases"].values():
        lists.setdefault(made_up.LIST[case["scanner"]], []).append(
            {"image": f"images/{case['case']}.nii.gz", "label": int(case["fractured"]),
             "patient_id": case["patient_id"], "scanner": case["scanner"], "age": 70, "sex": "F"}
        )  # fmt: skip
    return lists


def predicted(
    truth: Mapping[str, Any], aggregator: str = "lstm", seed: int = 2, apart: float = 1.5
) -> list[dict[str, Any]]:
    """Rows of a predictions.csv of ovf_classification, every case judged."""
    rng = np.random.default_rng(seed)
    found = []
    for case in truth["cases"].values():
        middle = apart * (case["fractured"] - 0.5)
        slices = 1 / (1 + np.exp(-(middle + rng.normal(0, 1.2, 7))))
        own = float(1 / (1 + np.exp(-(1.6 * middle + rng.normal(0, 1)))))
        row = dict(zip(COLUMNS, (
            case["case"], case["patient_id"], case["scanner"], "measured", None,
            int(case["fractured"]), 7, aggregator, own, None, float(slices.max()),
            float(slices.mean()), float((slices > 0.5).mean()), 0.4,
        ), strict=True))  # fmt: skip
        if aggregator in ("max", "mean", "vote"):
            row["probability"] = row[f"probability_{aggregator}"]
        row["decision"] = "positive" if row["probability"] > 0.5 else "negative"
        found.append(row)
    return found


def unmeasured(row: Mapping[str, Any], status: str, reason: str) -> dict[str, Any]:
    """A row of a case that was not judged."""
    kept = ("case", "patient_id", "scanner", "label", "aggregator")
    return dict.fromkeys(COLUMNS) | {key: row[key] for key in kept} | {
        "status": status, "reason": reason,
    }  # fmt: skip


def losses(truth: Mapping[str, Any], seed: int = 3) -> dict[str, dict[str, float] | None]:
    """Case -> L1 to L4's largest loss as a segmentation would read it; None where it found none."""
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, float] | None] = {}
    for number, (name, case) in enumerate(truth["cases"].items()):
        read = {}
        for level in made_up.LEVELS:
            true = (case["levels"][level]["fracture"] or {"loss": 0.03})["loss"]
            read[level] = float(true + rng.normal(0, 0.05))
        found[name] = None if number % 11 == 10 else read
    return found


def screened(found: Mapping[str, dict[str, float] | None]) -> list[dict[str, Any]]:
    """Rows of results.csv with heights; a case without any is refused."""
    rows = []
    for case, read in found.items():
        for level in made_up.LEVELS:
            known = {} if read is None else {"height_loss_anterior": read[level],
                                             "height_loss_middle": read[level] - 0.1,
                                             "height_loss_posterior": -0.02}  # fmt: skip
            rows.append(
                dict.fromkeys(screen_rows.COLUMNS)
                | {"case": case, "input": f"{case}.nii.gz", "level": level,
                   "status": "done" if read else "refused", "reason": None if read else "no_anchor",
                   "level_status": "measured" if read else "refused",
                   "reasons": None if read else "no_anchor"}
                | known
            )  # fmt: skip
    return rows


def read_by(truth: Mapping[str, Any], seed: int, wrong: float = 0.1) -> dict[str, int]:
    """A reader's answers, wrong now and then."""
    rng = np.random.default_rng(seed)
    return {
        name: int(case["fractured"]) ^ int(rng.random() < wrong)
        for name, case in truth["cases"].items()
    }
