"""What `bench` counts and divides; never how long something takes."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.networks.nets import DynUNet

from tools.__main__ import COMMANDS, INTRO
from tools.bench import command, own, page, rate, reference
from tools.bench.clock import Watch, peak_mib
from tools.cli import main
from tools.demo import patient_recipe
from tools.phantom.case import simulate
from tools.volumes import save_nifti

CPU = torch.device("cpu")


def run(*words):
    return main(COMMANDS, INTRO, ["bench", *map(str, words)])


def watch(seconds, processor_s=0.0):
    made = Watch(CPU)
    made.seconds, made.processor_s = seconds, processor_s
    return made


def ours(seconds, networks):
    watched = {name: own.Watched(watch(each, each)) for name, each in networks.items()}
    stages = {"load": 0.1, "segmentation": seconds - 0.4, "bmd": 0.2, "write": 0.1}
    return own.Result(watch(seconds, 2 * seconds), stages, watched, "done", None)


@pytest.fixture
def content(tmp_path):
    """Made-up measurements: two rounds, the second on a machine of half the speed."""
    save_nifti(tmp_path / "ct.nii.gz", np.zeros((4, 5, 6), np.int16), np.diag([1, 2, 3, 1.0]))
    found = command.Measured(ours(8.0, {}), watch(3.0))
    found.rounds = [
        (
            watch(rate.gflop_of_product() / 100 * slow, rate.gflop_of_product() / 100),
            ours(4.0 * slow, {"lumbar_segmentation": 1.5 * slow, "bmd_regression": 0.5 * slow}),
            reference.Result(
                watch(20.0 * slow, 40.0), watch(16.0 * slow, 16.0), [(1, 1, 8, 8, 8)] * 3
            ),
        )
        for slow in (1, 2)
    ]
    found.peaks_mib = {"screen_cold": 800.0, "screen_warm": 900.0, "reference": None}
    found.operations = {
        "lumbar_segmentation": int(90e9), "bmd_regression": int(10e9), "reference": int(800e9)
    }  # fmt: skip
    found.parameters = 30_000_000
    return command._content(found, tmp_path / "ct.nii.gz", "small")


def test_ratios_are_taken_within_a_round(content):
    """The machine's halving moves seconds and rates, but no ratio of walls."""
    assert content["ratios"]["speed"] == {"median": 5.0, "min": 5.0, "max": 5.0}
    assert content["ratios"]["speed_of_networks"] == {"median": 8.0, "min": 8.0, "max": 8.0}
    assert content["ratios"]["speed_by_processor_time"]["max"] == 5.0
    assert content["ratios"]["speed_by_processor_time"]["min"] == 2.5
    screen = content["screen"]
    assert screen["warm_s"]["all"] == {"median": 6.0, "min": 4.0, "max": 8.0}
    assert screen["scans_per_hour"]["max"] == 900.0
    both = screen["networks_together"]
    assert both["gflop"] == 100.0
    assert both["gflops"] == {"median": 37.5, "min": 25.0, "max": 50.0}
    assert both["share_of_matrix_product"] == {"median": 0.5, "min": 0.5, "max": 0.5}
    # The second product took the processor no longer, the network twice as long.
    assert both["share_by_processor_time"] == {"median": 0.375, "min": 0.25, "max": 0.5}
    share = content["reference"]["network"]["share_of_matrix_product"]
    assert share["median"] == 0.5
    assert content["ct"] == {"drawn": "small", "shape": [4, 5, 6], "spacing_mm": [1.0, 2.0, 3.0]}
    json.dumps(content, allow_nan=False)


def test_the_page_names_what_counts(content):
    text = page.write(content)
    assert "- screen: 5 (5 to 5) times as fast as the reference network" in text
    assert "50 (50 to 50) % of the matrix-product rate" in text
    assert "| both | 100 | 3 (2 to 4) | 37.5 (25 to 50) | 50 (50 to 50) | 37.5 (25 to 50) |" in text
    assert "`screen` 800 cold, 900 warm; with the reference network unknown" in text
    assert "None" not in text


def test_operations_are_those_of_pencil_and_paper():
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 2, 1)
    )
    one = 2 * 10 * 12 * (3 * 8 * 9 + 8 * 2)
    assert rate.operations(layers, [(1, 3, 10, 12)]) == one
    assert rate.operations(layers, [(1, 3, 10, 12), (4, 3, 10, 12), (1, 3, 20, 12)]) == 7 * one


def test_the_median_product_counts(monkeypatch):
    class Counting(Watch):
        taken = iter([5.0, 1.0, 4.0, 2.0, 3.0])

        def __exit__(self, *error):
            self.seconds = next(self.taken)

    monkeypatch.setattr(rate, "Watch", Counting)
    monkeypatch.setattr(rate, "SIZE", 50)
    assert rate.matrix_product(CPU).seconds == 3.0
    assert rate.gflop_of_product() == 2 * 50**3 / 1e9


def test_the_reference_has_the_size_it_claims():
    """nnU-Net's rule, applied anew: halve what has 8 voxels or more, two convolutions a stage."""
    edges, strides = list(reference.PATCH), [(1, 1, 1)]
    while any(edge >= 8 for edge in edges):
        strides.append(tuple(2 if edge >= 8 else 1 for edge in edges))
        edges = [edge // step for edge, step in zip(edges, strides[-1], strict=True)]
    assert tuple(strides) == reference.STRIDES
    assert tuple(min(32 * 2**n, 320) for n in range(len(strides))) == reference.FEATURES
    network = reference.build(CPU)
    assert 30e6 < sum(weights.numel() for weights in network.parameters()) < 32e6
    encoder = 27 * sum(
        before * after + after * after
        for before, after in zip((1, *reference.FEATURES), reference.FEATURES, strict=False)
    )
    found = [network.input_block, *network.downsamples, network.bottleneck]
    assert encoder == sum(
        layer.weight.numel()
        for block in found
        for layer in block.modules()
        if isinstance(layer, torch.nn.Conv3d)
    )


def test_the_reference_gives_a_label_map_on_the_cts_grid(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "PATCH", (16, 16, 16))
    affine = np.diag([-2.0, 3.0, 1.5, 1.0])
    save_nifti(tmp_path / "ct.nii.gz", np.zeros((31, 20, 40), np.int16), affine)
    network = DynUNet(
        3, 1, 3, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 4, 4], norm_name="instance"
    ).eval()
    found = reference.run(network, tmp_path / "ct.nii.gz", tmp_path, CPU)
    written = nib.Nifti1Image.from_filename(tmp_path / "reference.nii.gz")
    assert written.shape == (31, 20, 40)
    np.testing.assert_allclose(written.affine, affine)
    # 21 x 20 x 20 voxels of 3 mm: two tiles of 16 along every axis, as they overlap by half.
    assert found.windows == [(1, 1, 16, 16, 16)] * 8
    assert 0 < found.network.seconds <= found.whole.seconds


def test_the_peak_of_memory_starts_anew():
    if peak_mib() is None:
        pytest.skip("the system does not count")
    block = np.ones(40_000_000)  # 305 MiB
    high = peak_mib()
    del block
    peak_mib()  # until now the block was there
    assert high - peak_mib() > 250


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--repeats=0"], "at least 1, not 0", id="no rounds"),
        pytest.param(["--image=scan.dcm"], "takes a NIfTI file", id="no NIfTI"),
        pytest.param(["--image=missing.nii.gz"], "does not exist", id="no file"),
        pytest.param(["--threads=0"], "at least 1, not 0", id="no threads"),
        pytest.param(["--size=large"], "one of standard, small", id="size"),
    ],
)
def test_unusable_requests_are_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("out", *words) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.slow
def test_a_bench_measures_every_stage(tmp_path, monkeypatch, capsys):
    """The real command on a small CT beside a small reference."""
    monkeypatch.setattr(reference, "FEATURES", (4,) * len(reference.STRIDES))
    monkeypatch.setattr(rate, "SIZE", 256)
    case = simulate(patient_recipe("small"), 1, 0)
    save_nifti(tmp_path / "ct.nii.gz", case.image, case.affine)
    out = tmp_path / "out"
    assert run(out, "--image", tmp_path / "ct.nii.gz", "--repeats", "2") == 0
    assert {path.name for path in out.iterdir()} == {"bench.json", "bench.md"}
    found = json.loads((out / "bench.json").read_text())
    warm = found["screen"]["warm_s"]
    assert sum(warm[stage]["min"] for stage in own.STAGES) <= warm["all"]["max"]
    assert all(warm[stage]["min"] > 0 for stage in own.STAGES)
    for one in found["screen"]["networks"].values():
        assert one["gflop"] > 0
        assert one["seconds"]["min"] > 0
    assert found["screen"]["peak_memory_mib"]["cold"] > 100
    assert "times as fast" in capsys.readouterr().out
