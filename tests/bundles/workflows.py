"""Drives the configs of any bundle in process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow

from tools import bundles

#: Bundle -> folder of its package.
PACKAGES = {
    path.parent.parent.name: path.parent for path in sorted(bundles.FOLDER.glob("*/*/__init__.py"))
}


def config_files(bundle: Path, *names: str) -> list[str]:
    """Paths of some configs by name."""
    return [str(bundle / "configs" / f"{name}.yaml") for name in names]


def read(bundle: Path, *names: str) -> ConfigParser:
    """Parse configs by name."""
    parser = ConfigParser()
    parser.read_config(config_files(bundle, *names))
    return parser


def prepared(
    files: Sequence[str], workflow_type: str | None, run_id: str = "run", **overrides: Any
) -> ConfigWorkflow:
    """Make a workflow and initialise it; logging stays as pytest has it."""
    workflow = ConfigWorkflow(
        config_file=list(files),
        workflow_type=workflow_type,
        run_id=run_id,
        logging_file=False,
        **overrides,
    )
    workflow.initialize()
    return workflow
