"""The source files that a result depends on, found by following imports.

sources.reached(["tools/screen/case.py"])
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def reached(starts: Iterable[str | Path], root: Path = REPOSITORY) -> set[Path]:
    """Return source files and all files of this repository that they import, at any depth.

    What a bundle's package holds is imported by its name at run time, and is not seen here.

    Args:
        starts: Paths relative to the repository.
        root: The repository.

    Returns:
        Paths relative to the repository.
    """
    found: set[Path] = set()
    waiting = [Path(start) for start in starts]
    while waiting:
        source = waiting.pop()
        if source in found or not (root / source).is_file():
            continue
        found.add(source)
        for module in _imported((root / source).read_bytes()):
            path = Path(*module.split("."))
            waiting += [path.with_suffix(".py"), path / "__init__.py"]
    return found


def _imported(source: bytes) -> Iterable[str]:
    """Yield every dotted name that a file may import."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
