"""What the joint tests know of a bundle; each states its own in `<bundle>/entry.py`.

A bundle joins `test_zoo.py`, `test_contract_train.py` and the others by that one file, which holds
`ENTRY`.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch

Shape = tuple[int, ...]


class Entry(NamedTuple):
    """What differs from bundle to bundle.

    Attributes:
        draw: Draws a cohort small enough to train a step on into an empty folder; see
            `cohorts.py`. Its case A0004 is the one to infer.
        inputs: Keys of a case's files, ids of `inference.yaml` likewise.
        more_inputs: Further ids of what `inference.yaml` reads.
        batch_id: Id of the number of patients per step.
        small_training: Overrides of `train.yaml` that make one small step of an epoch.
        small_network: Overrides that make the shipped network take no time.
        small_overlays, small_options: Configs and options by which a command has a small network;
            it refuses ids that its configs do not state.
        overlays: All configs that overlay `train.yaml`, but `evaluate`.
        network_overlays: Configs that swap the network.
        check_network: Asserts what a network, evaluating, gives.
        key_metric: Name of what validation tells the best weights by.
        worst_metric: Its largest possible or sensible value; the smallest is zero.
        encoder, decoder: How names of the parameters begin that finetuning may freeze, and of some
            that it never does.
        finetuning_moves_norms: Whether finetuning takes the new data's batch statistics.
        shared: Ids that mean the same in `train.yaml` and `inference.yaml`.
        own: Ids whose values are a matter of each file, although both have them.
        check_inferred: Asserts what `inferring` has written of A0004 into a folder.
        weights: Shipped weights, relative to `models`, and the overlays that each belongs to.
        export_shapes: Inputs of the exported network; the second is that of the export.
        export_axes: Axes of them whose length is free, by name.
        reasons: Why the bundle refuses, as its model card lists them.
        swaps: Overlay that swaps task and network -> inputs of the exported network, as
            `export_shapes`.
    """

    draw: Callable[[Path], None]
    inputs: Sequence[str]
    more_inputs: Sequence[str]
    batch_id: str
    small_training: Mapping[str, Any]
    small_network: Mapping[str, Any]
    small_overlays: Sequence[str]
    small_options: Mapping[str, Any]
    overlays: set[str]
    network_overlays: Sequence[str]
    check_network: Callable[[torch.nn.Module], None]
    key_metric: str
    worst_metric: float
    encoder: str
    decoder: str
    finetuning_moves_norms: bool
    shared: Sequence[str]
    own: set[str]
    check_inferred: Callable[[Path], None]
    weights: Mapping[str, Sequence[str]]
    export_shapes: Sequence[Shape]
    export_axes: Mapping[int, str]
    reasons: set[str]
    swaps: Mapping[str, Sequence[Shape]] = MappingProxyType({})


def entry_of(bundle: str) -> Entry:
    """The entry of a bundle by its folder's name."""
    entry: Entry = importlib.import_module(f"tests.bundles.{bundle}.entry").ENTRY
    return entry
