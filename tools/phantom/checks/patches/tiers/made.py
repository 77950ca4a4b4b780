"""How a bench was made, and whether its patches are those that a network reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.phantom.checks.patches import store

SHARED = ("size_mm", "pixels", "margin_mm")
"""Settings of the patch in which bench and network must not differ."""


def settings(bench: Path) -> dict[str, Any]:
    """Read how a bench was made.

    Raises:
        ValueError: The folder holds no bench, or its file is damaged; one line.
    """
    path = bench / store.SETTINGS_FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in SHARED:
            float(found["patch"][name])
    except OSError:
        raise ValueError(f"{bench} holds no bench of patches") from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged; draw the bench again") from None
    return found


def refuse_other_patches(bench: Path, drawn: Mapping[str, Any], used: Mapping[str, Any]) -> None:
    """Refuse patches that the network does not read.

    Args:
        bench: Folder of the bench.
        drawn: From `settings`.
        used: Settings of the network's patches by name.

    Raises:
        ValueError: They differ; one line.
    """
    for name in SHARED:
        if drawn["patch"][name] != used[name]:
            raise ValueError(
                f"{bench}: patches were cut with {name} {drawn['patch'][name]:g}, the network "
                f"reads {used[name]:g}; draw the bench with --{name} {used[name]:g}"
            )
