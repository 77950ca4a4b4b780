"""Bundles are run from one place: a small bundle of our own, its weights good and bad."""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from tools import bundles

METADATA = {"version": "0.1.0", "changelog": {"0.1.0": "first"}}

TRANSFORMS = '''
from monai.transforms import MapTransform


class TooSmallError(ValueError):
    """The image has too few voxels."""


class CheckSized(MapTransform):
    """Refuse images of fewer than 8 voxels."""

    def __call__(self, data):
        for key in self.keys:
            if data[key].numel() < 8:
                raise TooSmallError("image.nii: has too few voxels; give a larger one")
            if data[key].max() > 1e6:
                raise ZeroDivisionError("a mistake in the code")
        return data
'''

INFERENCE = """
bundle_root: .
image: $@bundle_root + '/nowhere'
output_dir: $@bundle_root + '/eval'
offset: 0.0
device: $torch.device('cpu')
imports: [$import torch]
initialize:
  - {_target_: os.stat, path: '@image'}
network_def: {_target_: torch.nn.Conv3d, in_channels: 1, out_channels: 1, kernel_size: 1}
preprocessing:
  _target_: Compose
  transforms:
    - {_target_: LoadImaged, keys: image, ensure_channel_first: true}
    - {_target_: small_bundle.transforms.CheckSized, keys: image}
inferer: {_target_: SimpleInferer}
postprocessing:
  _target_: Compose
  transforms:
    - {_target_: ShiftIntensityd, keys: pred, offset: '@offset'}
dataset: {_target_: Dataset, data: "$[{'image': @image}]", transform: '@preprocessing'}
evaluator:
  _target_: SupervisedEvaluator
  device: '@device'
  val_data_loader: {_target_: DataLoader, dataset: '@dataset', batch_size: 1}
  network: '@network_def'
  inferer: '@inferer'
  postprocessing: '@postprocessing'
inferring: ['$@evaluator.run()']
"""

STATE = {"weight": torch.full((1, 1, 1, 1, 1), 2.0), "bias": torch.tensor([0.5])}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of bundles that holds one, `small`."""
    root = tmp_path / "bundles" / "small"
    (root / "configs").mkdir(parents=True)
    (root / "small_bundle").mkdir()
    (root / "models").mkdir()
    (root / "configs" / "metadata.json").write_text(json.dumps(METADATA))
    (root / "configs" / "inference.yaml").write_text(INFERENCE)
    (root / "configs" / "shifted.yaml").write_text("offset: 10.0\n")
    (root / "small_bundle" / "__init__.py").write_text("")
    (root / "small_bundle" / "transforms.py").write_text(TRANSFORMS)
    torch.save({key: value.half() for key, value in STATE.items()}, root / "models" / "model.pt")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield root.parent
    for name in [name for name in sys.modules if name.partition(".")[0] == "small_bundle"]:
        del sys.modules[name]


@pytest.fixture
def image(tmp_path):
    """A file of 60 voxels, 0 to 59."""
    path = tmp_path / "image.nii"
    affine = np.diag([-1.0, 2.0, 3.0, 1.0])
    nib.save(nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), affine), path)
    return path


def load(folder, *words, **options):
    return bundles.load("small", *words, folder=folder, **options)


def test_a_case_goes_through_the_bundles_own_steps(folder, image):
    result = load(folder).run(image)
    expected = 2 * np.arange(60).reshape(1, 3, 4, 5) + 0.5
    np.testing.assert_allclose(result["pred"].numpy(), expected)
    np.testing.assert_allclose(result["pred"].affine.numpy(), np.diag([-1.0, 2.0, 3.0, 1.0]))
    assert not result["pred"].requires_grad


def test_the_stock_runner_gives_the_same(folder, image):
    from monai.bundle import ConfigWorkflow

    mine = load(folder, ["inference", "shifted"]).run({"image": str(image)})
    root = folder / "small"
    files = [str(root / "configs" / f"{name}.yaml") for name in ("inference", "shifted")]
    workflow = ConfigWorkflow(files, bundle_root=str(root), image=str(image), logging_file=False)
    workflow.initialize()
    workflow.network_def.load_state_dict(STATE)
    workflow.parser.get_parsed_content("evaluator").run()
    stock = workflow.parser.get_parsed_content("evaluator").state.output[0]["pred"]
    torch.testing.assert_close(mine["pred"].as_tensor(), stock.as_tensor())
    assert float(mine["pred"].max()) == 128.5


def test_half_precision_weights_fill_a_network_of_full_precision(folder):
    bundle = load(folder)
    assert {tensor.dtype for tensor in bundle.network.state_dict().values()} == {torch.float32}
    assert float(bundle.network.weight.detach()) == 2.0
    assert not bundle.network.training
    assert len(bundle.weights_sha256) == 64


def test_the_workflow_is_set_up_in_silence(folder, caplog):
    load(folder)
    assert [record for record in caplog.records if record.name.startswith("monai.bundle")] == []


def test_a_bundle_is_initialised_once_for_each_choice(folder):
    assert load(folder) is load(folder)
    assert load(folder) is not load(folder, overrides={"offset": 1.0})
    assert sys.path.count(str(folder / "small")) == 1


def test_overrides_and_other_weights_are_used(folder, image, tmp_path):
    torch.save({key: value * 3 for key, value in STATE.items()}, tmp_path / "mine.pt")
    bundle = load(folder, overrides={"offset": 5.0}, weights=tmp_path / "mine.pt")
    assert float(bundle.run(str(image))["pred"].max()) == 59 * 6 + 1.5 + 5


def test_the_bundles_refusal_is_one_line_and_a_mistake_is_not_hidden(folder, tmp_path):
    for name, value in (("small", np.zeros((1, 2, 3))), ("bad", np.full((3, 3, 3), 2e6))):
        nib.save(nib.Nifti1Image(value.astype(np.float32), np.eye(4)), tmp_path / f"{name}.nii")
    bundle = load(folder)
    with pytest.raises(ValueError, match=r"^image\.nii: has too few voxels; give a larger one$"):
        bundle.run(tmp_path / "small.nii")
    with pytest.raises(RuntimeError):
        bundle.run(tmp_path / "bad.nii")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-200])


def replace(state):
    return lambda path: torch.save(state, path)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        pytest.param(Path.unlink, "No such file", id="missing"),
        pytest.param(cut_short, "damaged, or no weights", id="cut short"),
        pytest.param(lambda p: p.write_bytes(b""), "damaged, or no weights", id="empty"),
        pytest.param(lambda p: p.write_text("version https://git-lfs"), "damaged", id="pointer"),
        pytest.param(replace({"model": STATE}), "not a plain state dict", id="checkpoint"),
        pytest.param(replace([1, 2]), "not a plain state dict", id="list"),
        pytest.param(replace({}), "not a plain state dict", id="nothing"),
        pytest.param(replace({"bias": STATE["bias"]}), "weight is missing", id="key missing"),
        pytest.param(
            replace({**STATE, "bias": torch.zeros(2)}), "bias is [2], not [1]", id="shape"
        ),
        pytest.param(
            replace({**STATE, "more": torch.zeros(2)}), "more is unknown", id="unknown key"
        ),
        pytest.param(
            replace({**STATE, "bias": torch.tensor([float("nan")])}), "not finite", id="nan"
        ),
    ],
)
def test_bad_weights_are_one_line_with_file_and_mend(folder, harm, words):
    path = folder / "small" / "models" / "model.pt"
    harm(path)
    with pytest.raises(ValueError, match=r"model\.pt: ") as caught:
        load(folder)
    message = str(caught.value)
    assert str(path) in message
    assert words in message
    assert "pretrain" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("smal", {}, ["no bundle 'smal'", "did you mean 'small'"]),
        ("..", {}, ["no bundle '..'"]),
        ("small", {"config": "inferrence"}, ["inferrence.yaml", "did you mean 'inference'"]),
        ("small", {"overrides": {"ofset": 3}}, ["no id 'ofset'", "did you mean 'offset'"]),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest(folder, name, options, words):
    with pytest.raises(ValueError, match=r"did you mean|no bundle") as caught:
        bundles.load(name, folder=folder, **options)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)
