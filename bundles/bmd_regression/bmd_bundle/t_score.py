"""T-scores of areal density, with the reference that each one names.

A T-score is defined against young adults measured by DXA alone; none is made of volumetric density
(ISCD 2019). Two different references give two different T-scores of one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: At and below this T-score the WHO speaks of osteoporosis (Kanis 1994, J Bone Miner Res 9:1137).
OSTEOPOROSIS = -2.5
#: Lumbar levels that a T-score takes (ISCD 2019).
LEAST_LEVELS = 2


@dataclass(frozen=True)
class Reference:
    """Young adults that a person is compared with.

    Attributes:
        name: Who they are, where and by what measured, and the source.
        mean: Their areal density, L1 to L4, g/cm².
        sd: Its standard deviation, g/cm².

    Raises:
        ValueError: The numbers are no areal densities, or nobody is named.

    Examples:
        >>> round(Reference().t_score(0.76), 2), round(Reference().limit, 3)
        (-2.5, 0.76)
    """

    name: str = (
        "NHANES 2005-2014, non-Hispanic White women at peak, lumbar spine (Hologic DXA; Xue 2021, "
        "doi 10.1210/clinem/dgab180)"
    )
    mean: float = 1.065
    sd: float = 0.122

    def __post_init__(self) -> None:
        """Check name and numbers."""
        if not self.name or not 0 < self.sd < self.mean < 3:
            raise ValueError(f"{self}: give a name, and mean and SD of areal density in g/cm²")

    @property
    def limit(self) -> float:
        """Areal density at and below which the WHO speaks of osteoporosis, g/cm²."""
        return self.mean + OSTEOPOROSIS * self.sd

    def t_score(self, density: float) -> float:
        """T-score of an areal density, g/cm²."""
        return (density - self.mean) / self.sd

    def of_levels(self, densities: Sequence[float]) -> float | None:
        """T-score of the mean of levels, g/cm²; None of fewer than `LEAST_LEVELS`.

        Examples:
            >>> Reference().of_levels([0.7]), Reference().of_levels([1.065, 1.065])
            (None, 0.0)
        """
        if len(densities) < LEAST_LEVELS:
            return None
        return self.t_score(sum(densities) / len(densities))
