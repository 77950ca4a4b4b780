"""How the bones move when a body is squeezed: what lies above comes down as one piece.

The lower endplate stays. The upper one comes down, in front by one share of the body's height and
behind by another, and takes its disc and the body above with it, turned by what the squeezed body
has become wedged. The next discs turn the spine back upright, as a patient lying on a table does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import root
from scipy.spatial.transform import Rotation

from tools.phantom.squeeze.plates import Plane, Plates

#: So many discs share in turning the spine back upright (design).
UPRIGHT_DISCS = 3
#: Share of the loss in front, in the middle and behind that each kind takes (design after the
#: forms of Genant 1993); a biconcave body keeps its rims, and its neighbours their place.
RIM_SHARES = {"wedge": (1.0, 0.0), "crush": (1.0, 1.0), "biconcave": (0.0, 0.0)}


@dataclass(frozen=True)
class Rigid:
    """A rigid motion: x -> turn x + shift, RAS+ mm."""

    turn: np.ndarray
    shift: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Move points [..., 3]."""
        return points @ self.turn.T + self.shift

    def undo(self, points: np.ndarray) -> np.ndarray:
        """Where moved points [..., 3] came from."""
        return (points - self.shift) @ self.turn

    def plane(self, plane: Plane) -> Plane:
        """Move a plane."""
        return Plane(self(plane.point), self.turn @ plane.normal)

    def then(self, after: Rigid) -> Rigid:
        """This motion followed by another."""
        return Rigid(after.turn @ self.turn, after(self.shift))


STILL = Rigid(np.eye(3), np.zeros(3))


@dataclass(frozen=True)
class Passage:
    """Between two planes, as they lie after the squeeze, one motion passes into the next."""

    lower: Plane
    upper: Plane
    below: Rigid
    above: Rigid


def about(axis: np.ndarray, angle: float, pivot: np.ndarray) -> Rigid:
    """Rotation by an angle (radians) about an axis through a point."""
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
    return Rigid(turn, pivot - turn @ pivot)


def settle(plates: Plates, front: float, back: float) -> tuple[Rigid, float]:
    """Bring the upper endplate down, rigidly.

    Args:
        plates: The body.
        front: Share of its anterior height that it loses.
        back: And of its posterior height.

    Returns:
        The motion of all that lies above, and its rotation about the body's right, radians; under
        it both heights, as distances of the endplates' edges, come out as asked.
    """
    upper, lower, axes = plates.shape.upper, plates.shape.lower, plates.shape.frame.axes
    before = np.linalg.norm(upper - lower, axis=1)[[0, 2]]
    wanted = before * (1 - np.array([front, back]))

    def motion(unknown: np.ndarray) -> Rigid:
        down = Rigid(np.eye(3), axes[2] * unknown[1])
        return about(axes[0], float(unknown[0]), upper[2]).then(down)

    def missed(unknown: np.ndarray) -> np.ndarray:
        moved = motion(unknown)(upper)
        return np.linalg.norm(moved - lower, axis=1)[[0, 2]] - wanted

    depth = float(np.linalg.norm(upper[0] - upper[2]))
    drops = before - wanted
    start = np.array([-(drops[0] - drops[1]) / depth, -drops[1]])
    solved = root(missed, start).x
    return motion(solved), float(solved[0])


def stack(bodies: Mapping[str, Plates], level: str, loss: float, kind: str) -> list[Passage]:
    """The passages from the squeezed body to the head, foot to head.

    Args:
        bodies: Endplates by level, foot to head.
        level: The squeezed one.
        loss: Share of its height.
        kind: A key of `RIM_SHARES`.
    """
    squeezed = bodies[level]
    front, back = (share * loss for share in RIM_SHARES[kind])
    motion, turned = settle(squeezed, front, back)
    passages = [Passage(squeezed.lower, motion.plane(squeezed.upper), STILL, motion)]
    names = list(bodies)
    above = names[names.index(level) + 1 :]
    right = squeezed.shape.frame.axes[0]
    for name, over in pairwise(above[: UPRIGHT_DISCS + 1]):
        lower, upper = bodies[name].upper, bodies[over].lower
        middle = motion((lower.point + upper.point) / 2)
        following = motion.then(about(right, -turned / UPRIGHT_DISCS, middle))
        passages.append(Passage(motion.plane(lower), following.plane(upper), motion, following))
        motion = following
    return passages
