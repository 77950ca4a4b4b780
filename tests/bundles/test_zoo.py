"""Every bundle keeps the rules of MONAI's model zoo: layout, metadata, ids, weights, model card."""

import ast
import json
import re
import shutil
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import torch
from monai.bundle import verify_metadata, verify_net_in_out

from tests.bundles.entry import Entry, entry_of
from tests.bundles.workflows import PACKAGES, config_files, read

SCHEMA = Path(__file__).parent / "meta_schema_20240725.json"
LARGEST_FILE_BYTES = 25_000_000
INFERENCE_IDS = [
    *("bundle_root", "device", "network_def", "inferer", "output_dir"),
    *("preprocessing", "postprocessing"),
]
#: Bundle, one of its weights files, and the overlays that this belongs to.
WEIGHTS = [
    (bundle, file, overlays)
    for bundle in PACKAGES
    for file, overlays in entry_of(bundle).weights.items()
]
SWAPS = [(bundle, name) for bundle in PACKAGES for name in entry_of(bundle).swaps]
CARD_SECTIONS = [
    *("Data", "Performance", "System configuration", "Usage", "Limitations", "References"),
]


@pytest.fixture
def package(bundle: Path) -> Path:
    """Folder of its package."""
    return PACKAGES[bundle.name]


@pytest.fixture
def metadata(bundle: Path) -> dict:
    """The bundle's metadata."""
    return json.loads((bundle / "configs" / "metadata.json").read_text())


@pytest.mark.parametrize(
    "name",
    [
        *("LICENSE", "configs/metadata.json", "configs/logging.conf", "configs/train.yaml"),
        *("configs/inference.yaml", "configs/evaluate.yaml", "configs/paper.yaml"),
        *("docs/README.md", "docs/data_license.txt"),
    ],
)
def test_the_file_is_there(name: str, bundle: Path) -> None:
    assert (bundle / name).is_file()


def test_no_file_is_larger_than_the_zoo_takes(bundle: Path) -> None:
    shipped = [p for p in bundle.rglob("*") if p.is_file() and p.suffix in (".py", ".yaml", ".pt")]
    assert [p.name for p in shipped if p.stat().st_size > LARGEST_FILE_BYTES] == []


def test_the_licence_is_that_of_the_repository(bundle: Path, repository: Path) -> None:
    assert (bundle / "LICENSE").read_bytes() == (repository / "LICENSE").read_bytes()


def test_metadata_follow_the_schema_without_a_network(bundle: Path, tmp_path: Path) -> None:
    schema = shutil.copy(SCHEMA, tmp_path)
    verify_metadata(str(bundle / "configs" / "metadata.json"), filepath=schema)
    broken = tmp_path / "metadata.json"
    broken.write_text('{"schema": "http://localhost", "version": 1}')
    with pytest.raises(ValueError, match="Failed validating"):
        verify_metadata(str(broken), filepath=schema)


def test_the_version_is_in_the_changelog(metadata: dict) -> None:
    assert metadata["version"] in metadata["changelog"]


def test_versions_can_be_installed_and_are_those_of_the_repository(
    metadata: dict, repository: Path
) -> None:
    pins = dict(
        line.split("==")
        for line in (repository / "requirements.txt").read_text().splitlines()
        if "==" in line
    )
    stated = {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
        **metadata["required_packages_version"],
    }
    assert {name: pins.get(name) for name in stated} == stated


def imported(folder: Path) -> set[str]:
    """Top-level names of everything the code in a folder imports."""
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path.name}: relative import"
                names.add(str(node.module).partition(".")[0])
    return names


def test_all_that_is_imported_is_required(package: Path, metadata: dict) -> None:
    required = {"monai", "torch", "numpy", *map(str.lower, metadata["required_packages_version"])}
    packages = packages_distributions()
    others = imported(package) - sys.stdlib_module_names - {package.name}
    assert others >= {"monai", "torch", "numpy"}
    assert {
        name
        for name in others
        if not required & {package.lower() for package in [name, *packages.get(name, [])]}
    } == set()


def test_the_bundle_imports_nothing_of_the_repository(package: Path) -> None:
    assert not imported(package) & {"tools", "tests", "bundles"}


def test_the_ids_of_inference_are_there(bundle: Path, entry: Entry) -> None:
    parser = read(bundle, "inference")
    wanted = [*INFERENCE_IDS, *entry.inputs, *entry.more_inputs]
    assert [name for name in wanted if name not in parser] == []


@pytest.mark.parametrize("name", ["train", "inference"])
@pytest.mark.parametrize("n", [1, 3])
def test_the_network_takes_and_gives_what_the_metadata_say(name: str, n: int, bundle: Path) -> None:
    files = config_files(bundle, name)
    meta = str(bundle / "configs" / "metadata.json")
    verify_net_in_out("network_def", meta_file=meta, config_file=files, n=n, device="cpu")
    wrong = {"_meta_::network_data_format::outputs::pred::num_channels": 5}
    with pytest.raises(ValueError, match="doesn't match"):
        verify_net_in_out("network_def", meta_file=meta, config_file=files, **wrong)


@pytest.mark.parametrize(("bundle", "name"), SWAPS, indirect=["bundle"])
def test_a_swapped_network_takes_and_gives_what_its_metadata_would_say(
    name: str, bundle: Path, entry: Entry
) -> None:
    _, channels, *space = entry.swaps[name][0]
    inputs = "_meta_::network_data_format::inputs::image::"
    said = {f"{inputs}num_channels": channels, f"{inputs}spatial_shape": list(space)}
    meta = str(bundle / "configs" / "metadata.json")
    for config in ("train", "inference"):
        files = config_files(bundle, config, name)
        verify_net_in_out("network_def", meta_file=meta, config_file=files, device="cpu", **said)


def test_all_weights_are_looked_at(bundle: Path, entry: Entry) -> None:
    """A bundle whose training has not been run yet says so in its model card, and ships none."""
    assert (
        "model.pt" in entry.weights
        or "No weights are shipped yet" in (bundle / "docs" / "README.md").read_text()
    )
    assert {path.name for path in (bundle / "models").glob("*.pt")} == set(entry.weights)


@pytest.mark.parametrize(("bundle", "file", "overlays"), WEIGHTS, indirect=["bundle"])
def test_the_shipped_weights_are_a_plain_half_precision_state(
    bundle: Path, file: str, overlays: list[str]
) -> None:
    path = bundle / "models" / file
    assert path.stat().st_size <= LARGEST_FILE_BYTES
    state = torch.load(path, map_location="cpu", weights_only=True)
    floating = {value.dtype for value in state.values() if value.is_floating_point()}
    assert floating == {torch.float16}
    assert all(torch.isfinite(value).all() for value in state.values())
    for config in ("train", "inference"):
        network = read(bundle, config, *overlays).get_parsed_content("network_def")
        network.load_state_dict(state)  # strict


def test_logging_takes_standard_classes_and_literals(bundle: Path) -> None:
    text = (bundle / "configs" / "logging.conf").read_text()
    assert re.findall(r"^class=(.*)$", text, flags=re.MULTILINE) == ["StreamHandler"]
    assert re.findall(r"^args=(.*)$", text, flags=re.MULTILINE) == ["(sys.stdout,)"]


@pytest.mark.parametrize("section", CARD_SECTIONS)
def test_the_model_card_has_the_section(section: str, bundle: Path) -> None:
    card = (bundle / "docs" / "README.md").read_text()
    assert card.startswith("# ")
    assert re.search(rf"^## {section}", card, flags=re.MULTILINE)
