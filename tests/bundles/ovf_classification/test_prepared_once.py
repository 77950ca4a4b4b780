"""A CT's slices are prepared once for the mean image and all three stages of `tools pretrain`."""

import json
from pathlib import Path

from tests.bundles.ovf_classification.cohort import draw
from tests.bundles.workflows import read
from tools.pretraining.stages import STAGES

SMALL = {"pixels": 32, "source_pixels": 64, "cache_workers": 0}
DATASETS = {"slices": ["_centred", "train::dataset"], "sequence": ["_scans"]}


def test_mean_image_and_stages_share_what_is_prepared(bundle: Path, tmp_path: Path) -> None:
    draw(tmp_path)
    datalist = tmp_path / "ovf_classification.json"
    content = json.loads(datalist.read_text())
    for record in content["training"]:
        record |= {"bodies": record["image"], "broken_ids": []}
    datalist.write_text(json.dumps(content))
    prepared = set()
    for stage in STAGES["ovf_classification"]:
        for name in DATASETS.get(stage.name, ["train::dataset"]):
            parser = read(bundle, *stage.configs)
            own = {"training_lists": ["training"], "output_dir": str(tmp_path / "out")}
            parser.update({**SMALL, **own, "dataset_dir": str(tmp_path)})
            parser.get_parsed_content(name)
            prepared |= {path.name for path in (tmp_path / "out" / "cache").glob("*.pt")}
    assert len(prepared) == len(content["training"])
