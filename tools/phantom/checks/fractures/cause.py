"""Whether a fracture itself makes the network say so: patients scanned with and without theirs.

    python -m tools.phantom.checks.fractures.cause scratch/cause --patients 100 --workers 2

Every patient is drawn twice, broken and whole, from the same random numbers. The network judges
both, once as they are, once with bodies and discs covered by a column of soft tissue of constant
width, once with whole vertebrae covered; of the broken one occlusion shows where it looks. Writes
`cause.csv`, a row per patient, `cause.md` with 95 % intervals, and `cause.png`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from tools.levels import LEVEL_NAMES
from tools.phantom import recipe as recipes
from tools.phantom.case import Case, simulate
from tools.phantom.checks.fractures import sheet
from tools.phantom.checks.fractures.reading import Reader, middles_mm
from tools.phantom.checks.scanning import each_patient, scanning_options, write_table
from tools.phantom.checks.shortcuts.cover import (
    COVER_BEHIND_MM,
    COVER_FRONT_MM,
    VERTEBRAE_BEHIND_MM,
    course,
)
from tools.statistics import Estimate, auc, share

BODIES = {label: name for label, name in LEVEL_NAMES.items() if name != "sacrum"}
"""Ids of a phantom's bodies -> names."""

#: Half width of the cover, mm: beyond the widest body.
COVER_SIDE_MM = 35.0
#: A peak counts as in a body if it is this close to it, mm: half a voxel of a 3 mm slice.
IN_MM = 2.0


class Row(NamedTuple):
    """One patient, broken and whole.

    Attributes:
        patient: Number.
        kinds: Of fractures that lie whole in the field, with level and grade; empty without any.
        broken: Probability with the fractures.
        whole: Without.
        broken_bodies: With the fractures, bodies and discs covered.
        whole_bodies: Without, likewise.
        broken_vertebrae: With the fractures, whole vertebrae covered.
        whole_vertebrae: Without, likewise.
        peak: Level nearest to the peak of the occlusion map.
        apart_mm: How far the peak lies from that body, mm; 0 inside.
        on_fracture: Whether the peak lies in a broken body.
        reasons: Why the bundle refuses one of the two.
    """

    patient: int
    kinds: str
    broken: float
    whole: float
    broken_bodies: float
    whole_bodies: float
    broken_vertebrae: float
    whole_vertebrae: float
    peak: str
    apart_mm: float
    on_fracture: bool
    reasons: str


class Cover:
    """A column about the spine's course; calling it tells which places it hides.

    Args:
        middles: Middles of the bodies, RAS+ mm [N, 3].
        behind_mm: How far it reaches behind them.
    """

    def __init__(self, middles: np.ndarray, behind_mm: float) -> None:
        self.middles, self.behind_mm = middles, behind_mm

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Tell which places are hidden.

        Args:
            places: RAS+ mm [N, 3].
        """
        heights, where = np.unique(places[:, 2], return_inverse=True)
        at = [course(self.middles[:, 2], self.middles[:, axis], heights)[where] for axis in (0, 1)]
        aside, forward = places[:, 0] - at[0], places[:, 1] - at[1]
        hidden: np.ndarray = (
            (np.abs(aside) < COVER_SIDE_MM)
            & (forward > -self.behind_mm)
            & (forward < COVER_FRONT_MM)
        )
        return hidden


def read_patient(
    recipe: dict[str, Any], seed: int, index: int, scanner: str, weights: str | None
) -> tuple[Row, sheet.Shown]:
    """Draw a patient broken and whole, and let the network judge both.

    Args:
        recipe: A loaded recipe.
        seed: Seed of the cohort.
        index: Number of the patient.
        scanner: Scanner name.
        weights: Weights; the shipped ones if None.
    """
    reader = Reader.of(weights)
    twins = [_twin(recipe, seed, index, scanner, fractured) for fractured in (1.0, 0.0)]
    seen = [reader.read(case.image, case.affine, "phantom") for case in twins]
    reasons = ";".join(sorted({reason for one in seen for reason in one.reasons}))
    bodies, vertebrae = (
        [
            reader.covered(one, Cover(_middles(case), behind))
            for case, one in zip(twins, seen, strict=True)
        ]
        for behind in (COVER_BEHIND_MM, VERTEBRAE_BEHIND_MM)
    )
    broken = {
        name: level["fracture"]
        for name, level in twins[0].truth["levels"].items()
        if level["fracture"] and level["complete"]
    }
    kinds = " ".join(f"{name}:{one['kind']}:{one['grade']}" for name, one in broken.items())
    found = reader.locate(seen[0], twins[0].labels, twins[0].affine, BODIES)
    row = Row(
        patient=index,
        kinds=kinds,
        broken=seen[0].probability,
        whole=seen[1].probability,
        broken_bodies=bodies[0],
        whole_bodies=bodies[1],
        broken_vertebrae=vertebrae[0],
        whole_vertebrae=vertebrae[1],
        peak=found.level,
        apart_mm=found.apart_mm,
        on_fracture=found.level in broken and found.apart_mm <= IN_MM,
        reasons=reasons,
    )
    title = f"{row.patient}: {kinds or 'none in field'}\n{row.broken:.2f}, peak {row.peak}"
    return row, found.shown(title)


def _twin(recipe: dict[str, Any], seed: int, index: int, scanner: str, fractured: float) -> Case:
    """The patient with fractures (1) or without any (0)."""
    given = deepcopy(recipe)
    given["pathology"]["fractured"] = fractured
    return simulate(given, seed, index, scanner)


def _middles(case: Case) -> np.ndarray:
    return np.array(list(middles_mm(case.labels, case.affine, BODIES).values()))


def table(rows: Sequence[Row]) -> str:
    """Sum up, Markdown; patients without a whole fracture in the field, or refused, are counted."""
    counted = [row for row in rows if row.kinds and not row.reasons]
    outside = sum(not row.kinds for row in rows)
    refused = sum(bool(row.reasons) for row in rows)
    rises = share([row.broken > row.whole for row in counted])
    decided = share([row.broken > 0.5 >= row.whole for row in counted])
    lines = [
        f"Phantom results, {len(rows)} patients: {outside} with no fracture whole in the field, "
        f"{refused} refused, {len(counted)} counted; 95 % intervals.",
        "",
        "| of patients with and without their fractures | share |",
        "|---|---|",
        f"| probability rises with the fracture | {_words(rises)} |",
        f"| positive with it and negative without | {_words(decided)} |",
        f"| peak of the occlusion map in a broken body | {_peaks(counted, IN_MM)} |",
        f"| within 10 mm of one | {_peaks(counted, 10.0)} |",
        "",
        "| what is covered | AUC, broken against whole |",
        "|---|---|",
    ]
    for words, ending in (
        ("nothing", ""),
        ("bodies and discs", "_bodies"),
        ("whole vertebrae", "_vertebrae"),
    ):
        scores = [
            getattr(row, f"{twin}{ending}") for twin in ("broken", "whole") for row in counted
        ]
        is_broken = [True] * len(counted) + [False] * len(counted)
        owners = [row.patient for row in counted] * 2
        found = auc(scores, is_broken, owners) if counted else Estimate(None, reason="no patients")
        lines.append(f"| {words} | {_words(found)} |")
    return "\n".join(lines) + "\n"


def _peaks(rows: Sequence[Row], within_mm: float) -> str:
    """Share of peaks near a broken body, of those that the network finds positive."""
    positive = [row for row in rows if row.broken > 0.5]
    hits = [
        row.peak in {kind.partition(":")[0] for kind in row.kinds.split()}
        and row.apart_mm <= within_mm
        for row in positive
    ]
    return f"{_words(share(hits))} of {len(positive)} positives"


def _words(found: Estimate) -> str:
    if found.value is None:
        return f"none ({found.reason})"
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def main(arguments: Sequence[str]) -> int:
    """Run the check."""
    parser = scanning_options(
        "tools.phantom.checks.fractures.cause", __doc__, patients=100, seed=303, recipe="ovf_test"
    )
    options = parser.parse_args(arguments)
    if options.patients < 1 or options.workers < 1:
        parser.error("--patients and --workers are at least 1")
    try:
        Reader.of(options.weights)
        recipe = recipes.load(options.recipe)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = list(each_patient(read_patient, recipe, options))
    rows, shown = [row for row, _ in found], [picture for _, picture in found]
    write_table(options.out / "cause.csv", Row._fields, rows)
    (options.out / "cause.md").write_text(table(rows), encoding="utf-8")
    sheet.draw(shown, options.out / "cause.png", "Phantoms; orange: evidence of the network")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
