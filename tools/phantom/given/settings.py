"""The recipe's section `given_map`: which label map, and what its reader says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tools.phantom.given.person import PLACES, Given, load


def from_recipe(recipe: Mapping[str, Any]) -> dict[str, Given] | None:
    """The vertebrae a recipe gives, foot to head, or None where all are drawn.

    Raises:
        ValueError: If the map is no spine, or lacks a level that is said to be fractured.
    """
    section = recipe.get("given_map") or {}
    if not section.get("path"):
        return None
    bodies = load(section["path"], section["ids"])
    broken = section["fractured"]
    for level in broken:
        if level not in bodies:
            raise ValueError(f"given_map.fractured: {level} is not whole in the map")
    return {
        level: replace(body, solid=replace(body.solid, losses=_losses(bodies, level, broken)))
        if level in broken
        else body
        for level, body in bodies.items()
    }


def truth_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What the truth of a scan says of a given map; nothing without one."""
    bodies = from_recipe(recipe)
    if bodies is None:
        return {}
    return {
        "given_map": {
            "sha256": sha256(
                Path(recipe["given_map"]["path"]).expanduser().read_bytes()
            ).hexdigest(),
            "levels": list(reversed(bodies)),
        }
    }


def _losses(bodies: Mapping[str, Given], level: str, broken: list[str]) -> dict[str, float]:
    """Heights that a body has lost against the nearest sound bodies above and below it."""
    names = list(bodies)
    place = names.index(level)
    sound = [
        next((name for name in side if name not in broken), None)
        for side in (names[place + 1 :], names[:place][::-1])
    ]
    near = [bodies[name].solid.heights for name in sound if name]
    own = bodies[level].solid.heights
    if not near:
        raise ValueError(
            f"given_map.fractured: no body beside {level} is sound, so its loss of height cannot "
            "be told; leave out one of its neighbours"
        )
    return {
        place: max(0.0, 1 - own[place] * len(near) / sum(heights[place] for heights in near))
        for place in PLACES
    }
