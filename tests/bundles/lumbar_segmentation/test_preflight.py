"""Misspelt settings are refused before anything runs, in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from lumbar_bundle.preflight import SettingError, check

RUNNER = "/site-packages/monai/bundle/__main__.py"


@pytest.fixture
def train(bundle: Path) -> list[str]:
    """Command line of a training."""
    return [RUNNER, "run", "training", "--config_file", str(bundle / "configs" / "train.yaml")]


def refusal(argv: list[str], **more) -> str:
    """The line a command line is refused with."""
    with pytest.raises(SystemExit) as caught:
        check(argv=argv, **more)
    message = str(caught.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="nothing"),
        pytest.param(["--epochs", "7"], id="plain"),
        pytest.param(["--epochs=7"], id="equals sign"),
        pytest.param(["--train::trainer::max_epochs", "3"], id="nested"),
        pytest.param(["--train#trainer#max_epochs", "3"], id="nested with #"),
        pytest.param(["--train::handlers::0::seed", "3"], id="place in a list"),
        pytest.param(["--slabs-per-batch", "3"], id="hyphens, which fire reads as underscores"),
        pytest.param(["--noresume"], id="fire's off"),
        pytest.param(["--learning_rate", "-1"], id="negative number"),
        pytest.param(["--_note", "x", "--network_def::_mode_", "default"], id="private"),
        pytest.param(["--+train::handlers", "[]"], id="added"),
        pytest.param(["--tracking", "mlflow", "--run_name", "first"], id="tracking"),
        pytest.param(["--", "--trace"], id="fire's own options"),
        pytest.param(["--network_def", "{'_target_': 'UNet', 'any': 1}"], id="whole component"),
    ],
)
def test_known_settings_pass(train, words):
    check(argv=train + words)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        pytest.param(["--epoch", "7"], "epochs", id="one letter short"),
        pytest.param(["--max_epochs", "7"], "train::trainer::max_epochs", id="last part alone"),
        pytest.param(["--train::trainer::max_epoch", "7"], "train::trainer::max_epochs", id="::"),
        pytest.param(["--train#trainer#max_epoch", "7"], "train::trainer::max_epochs", id="#"),
        pytest.param(["--train.trainer.max_epochs", "7"], "train::trainer::max_epochs", id="dots"),
        pytest.param(["--Learning_rate=1"], "learning_rate", id="capital"),
        pytest.param(["--nosume"], "", id="fire's off, misspelt"),
        pytest.param(["--config_files", "x"], "", id="the runner's own argument"),
        pytest.param(["--zzzzz", "1"], "", id="like nothing"),
    ],
)
def test_misspelt_ids_are_refused_with_the_nearest(train, words, meant):
    message = refusal(train + words)
    assert "unknown id" in message
    assert (f"did you mean '{meant}'?" in message) if meant else True


def test_every_misspelt_id_is_named(train):
    message = refusal([*train, "--epoch", "7", "--sed", "1"])
    assert "'epoch'" in message
    assert "'sed'" in message


def test_an_id_of_another_config_is_not_read(train):
    assert "'image' is not read by train.yaml" in refusal([*train, "--image", __file__])


@pytest.mark.parametrize("word", ["trainig", "inferring"])
def test_a_run_id_the_configs_lack_is_refused(train, word):
    train[2] = word
    assert f"run_id '{word}' is in none of the run's configs" in refusal(train)


def test_no_run_id_means_run(train):
    check(argv=[train[0], train[1], *train[3:]])


@pytest.mark.parametrize("name", ["dataset_dir", "datalist", "bundle_root", "meta_file"])
def test_a_path_that_does_not_exist_is_refused(train, name):
    assert f"{name}: /no/such/place does not exist" in refusal(
        [*train, f"--{name}", "/no/such/place"]
    )


def test_paths_given_by_the_config_are_looked_for(train, tmp_path):
    (tmp_path / "a.nii.gz").touch()
    check(argv=train, paths={"image": str(tmp_path / "*.nii.gz")})
    assert "image: " in refusal(train, paths={"image": [str(tmp_path / "b.nii.gz")]})
    check(argv=["pytest"], paths={"image": str(tmp_path / "b.nii.gz")})


def overlay(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("joined", [True, False])
def test_a_user_s_overlay_is_checked_too(train, tmp_path, joined):
    def command(text):
        files = [train[4], overlay(tmp_path, text)]
        return [*train[:4], ",".join(files) if joined else str(files)]

    check(argv=command("epochs: 3\n+train::handlers: []\n_mine: 1\n"))
    assert "mine.yaml: unknown id 'epoch'" in refusal(command("epoch: 3\n"))
    assert "mine.yaml: unknown id 'train::trainr'" in refusal(command("train::trainr: 3\n"))
    assert "dataset_dir: /none does not exist" in refusal(command("dataset_dir: /none\n"))


def test_a_complete_config_of_the_user_s_own_knows_its_ids(train, tmp_path):
    mine = overlay(tmp_path, Path(train[4]).read_text() + "\nmy_own: 1\n")
    check(argv=[*train[:4], mine, "--my_own", "2"])
    assert "'my_ow'" in refusal([*train[:4], mine, "--my_ow", "2"])


def test_arguments_from_a_file_are_checked(train, tmp_path):
    arguments = overlay(tmp_path, f"config_file: {train[4]}\nrun_id: training\nepoch: 3\n")
    assert "unknown id 'epoch'" in refusal([*train[:2], "--args_file", arguments])


def test_an_unreadable_overlay_is_refused_in_one_line(train, tmp_path):
    files = [train[4], overlay(tmp_path, "epochs: [1,\n")]
    assert "mine.yaml" in refusal([*train[:4], str(files)])


@pytest.mark.parametrize(
    "argv",
    [
        None,
        [],
        ["pytest", "--epoch", "3"],
        ["monailabel", "start_server", "--conf", "models", "x"],
        ["tools", "run", "--epoch", "3"],
    ],
    ids=str,
)
def test_another_program_s_command_line_is_not_judged(argv):
    check(argv=argv)


def test_overrides_are_checked(tmp_path):
    check(overrides={"epochs": 3, "network_def#width": 8, "+imports": [], "_x": 1})
    with pytest.raises(SettingError, match="did you mean 'epochs'"):
        check(overrides={"epoch": 3})
    with pytest.raises(SettingError, match=r"dataset_dir: .* does not exist"):
        check(overrides={"dataset_dir": str(tmp_path / "none")})


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(SettingError, match="holds no configs: give --bundle_root"):
        check(overrides={"a": 1}, bundle_root=tmp_path)


def test_the_runner_ends_with_the_one_line(bundle: Path, repository: Path):
    """The whole way through the stock runner; nothing else than this line follows its log."""
    config = "bundles/lumbar_segmentation/configs/train.yaml"
    words = ["-m", "monai.bundle", "run", "training", "--config_file", config]
    root = ["--bundle_root", "bundles/lumbar_segmentation", "--epoch", "7"]
    done = subprocess.run(
        [sys.executable, *words, *root], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: command line: unknown id 'epoch', did you mean 'epochs'?; ")
    assert last.endswith("data/lumbar_segmentation.json does not exist")  # as no cohort is given
    assert "Traceback" not in done.stderr
