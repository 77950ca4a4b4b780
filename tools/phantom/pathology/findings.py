"""What a patient's spine has: the record that drawing, painting and truth share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tools.phantom.anatomy.spine import Spine
from tools.phantom.pathology.fracture import Fracture
from tools.phantom.pathology.implants import Cement, Fragment, Screws


@dataclass(frozen=True)
class Swelling:
    """Swollen soft tissue around a body.

    Attributes:
        level: Which body.
        thickness: Greatest, mm.
        lopsided: Relative surplus on the right; negative on the left.
    """

    level: str
    thickness: float
    lopsided: float


@dataclass(frozen=True)
class Pathology:
    """Findings of one patient, foot to head.

    Attributes:
        fractures: By level.
        mimics: Kind by level.
        sclerosis: Levels with a dense band that is no fracture's.
        swellings: Paravertebral swellings.
        bridges: Levels that are fused with the body below.
        cement: Filled bodies.
        screws: A screw-and-rod construct, or None.
        fragments: Small separate pieces of bone.
        sunk_mm: By level, how far its middle came down with the broken bodies, mm.
    """

    fractures: dict[str, Fracture] = field(default_factory=dict)
    mimics: dict[str, str] = field(default_factory=dict)
    sclerosis: tuple[str, ...] = ()
    swellings: tuple[Swelling, ...] = ()
    bridges: tuple[str, ...] = ()
    cement: tuple[Cement, ...] = ()
    screws: Screws | None = None
    fragments: tuple[Fragment, ...] = ()
    sunk_mm: dict[str, float] = field(default_factory=dict)

    def implants(self, level: str) -> list[str]:
        """Names of the implants in a level."""
        names = ["cement"] if any(part.level == level for part in self.cement) else []
        return names + (["screws"] if self.screws and level in self.screws.levels else [])


#: Deforms a spine and says what was done.
Alter = Callable[[Spine], tuple[Spine, Pathology]]
