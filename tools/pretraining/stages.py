"""What each bundle is trained on, and in which stages its weights are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Patients:
    """The phantoms that a bundle is trained on, unless the user says otherwise.

    Attributes:
        recipe: Packaged recipe.
        cases: How many.
        scanner: Who scans them: A, or R, every scan of which comes from another machine.
    """

    recipe: str
    cases: int
    scanner: str = "A"


@dataclass(frozen=True)
class Stage:
    """A training that ends with a file of weights.

    Attributes:
        name: Its name in messages and among the times.
        configs: The bundle's config and overlays, in the order they are read.
        evaluation: Those that score the weights on the validation patients; empty for none.
        model: File of the weights.
        folder: Folder of its checkpoints within OUT; "" for OUT itself.
        start_id: Id of the config that takes the weights of the stage before; None for none.
        mean_image: Whether the training patients' mean image is made before, and taken off.
    """

    name: str
    configs: tuple[str, ...]
    evaluation: tuple[str, ...] = ()
    model: str = "model.pt"
    folder: str = ""
    start_id: str | None = None
    mean_image: bool = False

    @property
    def _ending(self) -> str:
        return self.model.removeprefix("model").removesuffix(".pt")

    @property
    def manifest(self) -> str:
        """File that says how the weights were made."""
        return f"manifest{self._ending}.json"

    @property
    def interval(self) -> str | None:
        """File of the interval of what the network reads; None where it reads no number."""
        return f"interval{self._ending}.json" if self.evaluation else None


PATIENTS: Mapping[str, Patients] = {
    "lumbar_segmentation": Patients("lumbar_pretraining", 480),
    "bmd_regression": Patients("bmd_pretraining", 1200, scanner="R"),
    "ovf_classification": Patients("ovf_pretraining", 1200, scanner="R"),
}
"""Bundle -> its patients."""

_OVF = ("train", "augment_more", "pretrain")

STAGES: Mapping[str, tuple[Stage, ...]] = {
    "lumbar_segmentation": (Stage("training", ("train", "pretrain")),),
    "bmd_regression": (
        Stage("training", ("train", "pretrain"), evaluation=("train", "evaluate")),
        Stage(
            "internal_calibration",
            ("train", "internal_calibration", "pretrain_internal_calibration"),
            evaluation=("train", "evaluate", "internal_calibration"),
            model="model_internal_calibration.pt",
            folder="internal_calibration",
            start_id="backbone_file",
        ),
    ),
    "ovf_classification": (
        Stage(
            "slices",
            (*_OVF, "stage1_slices", "evidence"),
            model="model_slices.pt",
            folder="slices",
            mean_image=True,
        ),
        Stage(
            "sequence",
            (*_OVF, "with_bodies", "stage2_sequence"),
            model="model_sequence.pt",
            folder="sequence",
            start_id="start_file",
        ),
        Stage(
            "finetune",
            (*_OVF, "with_bodies", "stage3_finetune"),
            folder="finetune",
            start_id="start_file",
        ),
    ),
}
"""Bundle -> its stages; the epochs of the command line are the first one's."""
