"""`screen` on one case, its networks watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tools import bundles
from tools.bench.clock import Watch
from tools.screen import scan as scans
from tools.screen.case import screen_case
from tools.screen.settings import Settings

STAGES = ("load", "segmentation", "bmd", "write")


@dataclass
class Watched:
    """What a network did.

    Attributes:
        watch: The time it took.
        shapes: Of the inputs it was given.
    """

    watch: Watch
    shapes: list[tuple[int, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """One run of `screen` on a case.

    Attributes:
        whole: From the file to the finished folder.
        stages: Stage -> seconds, of those that the report names.
        networks: Bundle -> what its network did.
        status: "done", "refused" or "failed".
        reason: Why it is not done.
    """

    whole: Watch
    stages: Mapping[str, float]
    networks: Mapping[str, Watched]
    status: str
    reason: str | None


def run(case: scans.Case, out: Path, settings: Settings) -> Result:
    """Screen a case.

    Args:
        case: The case.
        out: Folder for its folder.
        settings: The options.
    """
    used = [one for one in (settings.segmentation(), settings.density()) if one is not None]
    device = used[0].device
    watched = {bundle.name: Watched(Watch(device)) for bundle in used}
    with ExitStack() as hooks:
        for bundle in used:
            hooks.enter_context(_watching(bundle, watched[bundle.name]))
        with Watch(device) as whole:
            outcome = screen_case(case, out / case.name, settings, "bench")
    stages = {stage: float(outcome.timing_s.get(stage) or 0.0) for stage in STAGES}
    return Result(whole, stages, watched, outcome.status, outcome.reason)


@contextmanager
def _watching(bundle: bundles.Bundle, watched: Watched) -> Iterator[None]:
    """Take the time of every call of a bundle's network."""

    def before(_: torch.nn.Module, given: tuple[Any, ...]) -> None:
        watched.shapes.append(tuple(given[0].shape))
        watched.watch.__enter__()

    def after(*_: Any) -> None:
        watched.watch.__exit__()

    hooks = [
        bundle.network.register_forward_pre_hook(before),
        bundle.network.register_forward_hook(after),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
