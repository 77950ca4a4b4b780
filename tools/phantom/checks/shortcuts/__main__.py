"""Look for shortcuts in a phantom cohort: does anything but the broken bone tell fractures?

    python -m tools phantom scratch/fractures --cases 400 --recipe fractures --workers 2
    python -m tools.phantom.checks.shortcuts scratch/fractures scratch/shortcuts

Scores classifiers on what is known of a scan without looking at it, and a small network on pictures
whose vertebrae are covered: both should guess (AUC 0.5). Scored apart is what counting levels and
measuring angles tells, and what the network sees with the bodies alone covered: arches and
processes ride on the bodies, and move when these break. The same network has to find fractures in
plain sight, or its guesses mean nothing; told only who is fractured, not where, it finds next to
nothing, which is the weaker test. Writes `shortcuts.json` with 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.stats import rankdata
from tqdm import tqdm

from tools.files import write_json
from tools.phantom.checks.shortcuts import cover, metadata, network
from tools.volumes import reorient

RESAMPLES = 2000


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; an unusable one ends the program with status 2."""
    parser = argparse.ArgumentParser(
        "python -m tools.phantom.checks.shortcuts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("cohort", type=Path, help="folder of a finished phantom cohort, NIfTI")
    parser.add_argument("out", type=Path, help="folder for the result")
    parser.add_argument("--folds", type=int, default=5, help="networks per question (5)")
    parser.add_argument("--seed", type=int, default=0, help="seed of folds and networks (0)")
    parser.add_argument("--metadata_only", action="store_true", help="train no networks")
    options = parser.parse_args(arguments)
    if not (options.cohort / "truth.json").is_file():
        parser.error(f"{options.cohort} holds no finished cohort (truth.json)")
    if options.folds < 2:
        parser.error(f"--folds must be at least 2, got {options.folds}")
    if not 0 <= options.seed < 2**32:
        parser.error(f"--seed must be 0 to {2**32 - 1}, got {options.seed}")
    if options.out.exists() and not options.out.is_dir():
        parser.error(f"OUT names a file, not a folder: {options.out}")
    return options


def read_truths(cohort: Path) -> dict[str, Any]:
    """Read the truth of every case.

    Raises:
        ValueError: The file is damaged, or the cohort is not NIfTI; one line.
    """
    path = cohort / "truth.json"
    try:
        truths: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["cases"]
        [truth["fractured"] for truth in truths.values()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged; draw the cohort again") from error
    for name in truths:
        if not (cohort / "images" / f"{name}.nii.gz").is_file():
            raise ValueError(f"{cohort}: no images/{name}.nii.gz; draw the cohort as NIfTI")
    return truths


def auc(labels: np.ndarray, scores: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Area under the ROC curve with its 95 % bootstrap interval over cases."""
    rng = np.random.default_rng(seed)
    drawn: list[float] = []
    while len(drawn) < RESAMPLES:
        chosen = rng.integers(len(labels), size=len(labels))
        if 0 < labels[chosen].sum() < len(chosen):
            drawn.append(_area(labels[chosen], scores[chosen]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"auc": _area(labels, scores), "ci95": [float(low), float(high)]}


def _area(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of pairs in order, from ranks: thirty times as fast as building the curve."""
    positive = int(labels.sum())
    above = rankdata(scores)[labels == 1].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (len(labels) - positive)))


def examine(cohort: Path, folds: int, seed: int, metadata_only: bool) -> dict[str, Any]:
    """Answer all questions about a cohort.

    Returns:
        Number of cases and of fractured ones, and the AUC of each question.

    Raises:
        ValueError: If there are fewer than `folds` cases of either kind.
    """
    truths = read_truths(cohort)
    labels = np.array([int(truth["fractured"]) for truth in truths.values()])
    if min(labels.sum(), len(labels) - labels.sum()) < max(folds, metadata.FOLDS):
        raise ValueError(
            f"{cohort}: {labels.sum()} of {len(labels)} cases are fractured; at least "
            f"{max(folds, metadata.FOLDS)} fractured and as many others are needed"
        )
    table: list[dict[str, float]] = []
    looks: list[cover.Look] = []
    kinds: list[set[str]] = []
    for name, truth in tqdm(truths.items(), desc="cases", unit="scan"):
        image, mask, affine = _load(cohort, name)
        extent = np.array(image.shape) * np.linalg.norm(affine[:3, :3], axis=0)
        table.append(metadata.features(truth, extent.tolist()))
        if not metadata_only:
            broken = {k: v["fracture"] for k, v in truth["levels"].items() if v.get("fracture")}
            kinds.append({fracture["kind"] for fracture in broken.values()})
            try:
                looks.append(cover.look(image, mask, affine, broken))
            except ValueError as error:
                raise ValueError(f"{cohort}: {name}: {error}") from error
    found = {
        question: auc(labels, scores)
        for question, scores in metadata.answers(table, labels, seed).items()
    }
    if looks:
        rows = np.stack([look.rows for look in looks])
        everywhere = np.broadcast_to(labels[:, None] > 0, rows.shape).copy()
        covered = np.stack([look.covered for look in looks])
        scores = network.scores(covered, everywhere, labels, folds, seed)
        found["network told who alone, bodies covered"] = auc(labels, scores)
        for question, pictures in (
            ("vertebrae covered", [look.without for look in looks]),
            ("bodies covered", [look.covered for look in looks]),
            ("bodies in sight", [look.sight for look in looks]),
        ):
            scores = network.scores(np.stack(pictures), rows, labels, folds, seed)
            found[f"network, {question}"] = auc(labels, scores)
            for kind in sorted(set().union(*kinds)):
                chosen = np.array([not each or each == {kind} for each in kinds])
                if 0 < labels[chosen].sum() < chosen.sum():
                    found[f"network, {question}, {kind} alone"] = auc(
                        labels[chosen], scores[chosen]
                    )
    return {"cases": len(labels), "fractured": int(labels.sum()), "questions": found}


def _load(cohort: Path, case: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CT and label map of a case in RAS order, and their matrix."""
    (image, affine), (labels, _) = (
        reorient(np.asarray(file.dataobj), file.affine, "RAS")
        for folder in ("images", "labels")
        if (file := nib.Nifti1Image.from_filename(cohort / folder / f"{case}.nii.gz"))
    )
    return image, labels, affine


def in_words(found: Mapping[str, Any]) -> str:
    """One line per question."""
    lines = [f"{found['cases']} phantoms, {found['fractured']} fractured"]
    for question, answer in found["questions"].items():
        low, high = answer["ci95"]
        lines.append(f"{question}: AUC {answer['auc']:.3f} ({low:.3f} to {high:.3f})")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the check."""
    options = parse(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)  # before hours of work
        found = examine(options.cohort, options.folds, options.seed, options.metadata_only)
        write_json(options.out / "shortcuts.json", found)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(in_words(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
