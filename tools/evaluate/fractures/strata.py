"""Strata of a phantom cohort: which cases count in the main result, and groups with a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.evaluate.fractures.findings import Findings
from tools.evaluate.matching import Case
from tools.evaluate.published import CATEGORIES

MAIN, EVERYONE = "main", "all cases"
"""Without cases near a limit and without those whose deepest fracture is of grade 1; and all."""

BROKEN = ("pathologic", "burst")
"""Mimics that lose height: not osteoporotic, but broken."""

POSITIVES, NEGATIVES, BOTH = "positives", "negatives", "both"

OUT = "left out"
NEAR = "near a limit of the grades"
LUMBAR, ELSEWHERE = "in L1–L4", "above or below L1–L4 alone"
KINDS = ("wedge", "biconcave", "crush")
MIMICS = ("without any", "with any", "with one that breaks a body")


@dataclass(frozen=True)
class Stratum:
    """A group of cases with a row of its own.

    Attributes:
        title: What the group is called among: "kind of fracture".
        name: Its own name.
        side: Whether it is one of positives, of negatives or of both.
        cases: Its cases.
    """

    title: str
    name: str
    side: str
    cases: Sequence[Case]

    @property
    def key(self) -> str:
        """Its name among the numbers."""
        return f"{self.title}: {self.name}"


def main(cases: Sequence[Case]) -> list[Case]:
    """Keep the cases of the main result; of a datalist without truth, all."""
    return [
        case for case in cases if case.reference.findings is None or case.reference.findings.main
    ]


def left_out(cases: Sequence[Case]) -> dict[str, int]:
    """Count the cases outside the main result, by reason."""
    return {one.name: len(one.cases) for one in of(cases) if one.title == OUT}


def of(cases: Sequence[Case]) -> list[Stratum]:
    """Divide the cases of a phantom cohort; of a datalist without truth, none.

    The first title holds what is left out of the main result; all others divide the main result. A
    case with mimics of two kinds is in the row of each.
    """
    known = [(case, own) for case in cases if (own := case.reference.findings) is not None]
    kept = [(case, own) for case, own in known if own.main]
    ill = [(case, own) for case, own in kept if case.reference.label]
    well = [(case, own) for case, own in kept if not case.reference.label]
    return [
        *_divide(OUT, BOTH, known, lambda case, own: [NEAR] if own.near_limit else []),
        *_divide(OUT, POSITIVES, known, _mild),
        *_divide("kind", POSITIVES, ill, lambda case, own: [str(own.kind)], KINDS),
        *_divide("grade", POSITIVES, ill, lambda case, own: [f"grade {own.grade}"]),
        *_divide("deepest place", POSITIVES, ill, _place),
        *_divide("level", POSITIVES, ill, lambda case, own: [LUMBAR if own.lumbar else ELSEWHERE]),
        *_divide("generator", POSITIVES, ill, lambda case, own: [own.generator or "none"]),
        *_divide("mimics", NEGATIVES, well, _mimics, MIMICS),
        *_divide("mimic", NEGATIVES, well, lambda case, own: own.mimics),
        *_divide(
            "field", NEGATIVES, well, lambda case, own: ["cuts a fracture"] if own.cut else []
        ),
        *_divide("implants", BOTH, kept, lambda case, own: ["with any"] if own.implants else []),
        *_divide("density", BOTH, kept, _density, CATEGORIES),
    ]


def _mild(case: Case, own: Findings) -> Sequence[str]:
    return [f"grade {own.grade}"] if own.mild and not own.near_limit else []


def _place(case: Case, own: Findings) -> Sequence[str]:
    if own.beside is None:
        return []
    return ["beside the mid-plane" if own.beside else "in the mid-plane"]


def _mimics(case: Case, own: Findings) -> Sequence[str]:
    broken = any(kind in BROKEN for kind in own.mimics)
    return MIMICS[1 : 3 if broken else 2] if own.mimics else MIMICS[:1]


def _density(case: Case, own: Findings) -> Sequence[str]:
    return [case.true_category() or "of fewer than two levels"]


def _divide(
    title: str,
    side: str,
    known: Sequence[tuple[Case, Findings]],
    groups: Callable[[Case, Findings], Sequence[str]],
    order: Sequence[str] = (),
) -> list[Stratum]:
    """Group cases by what they are called; the names in `order` come first."""
    found: dict[str, list[Case]] = {name: [] for name in order}
    for case, own in known:
        for name in groups(case, own):
            found.setdefault(name, []).append(case)
    names = [*order, *sorted(name for name in found if name not in order)]
    return [Stratum(title, name, side, found[name]) for name in names if found[name]]
