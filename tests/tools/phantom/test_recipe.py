"""Recipes: defaults, the published schema, and one-line errors that help."""

import json

import jsonschema
import pytest
import yaml

from tools.phantom import recipe


def key_paths(node, prefix=""):
    for key, child in node.get("properties", {}).items():
        yield f"{prefix}{key}", child
        yield from key_paths(child, f"{prefix}{key}.")


@pytest.fixture
def write(tmp_path):
    def write_text(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def test_schema_is_valid_and_explains_every_key():
    jsonschema.Draft202012Validator.check_schema(recipe.schema())
    for path, node in key_paths(recipe.schema()):
        assert node["description"].endswith("."), path
        assert "properties" in node or node["unit"], path
        if "properties" in node:
            assert node["additionalProperties"] is False, path


def test_standard_gives_a_value_to_every_key():
    content = yaml.safe_load((recipe.RECIPE_FOLDER / "standard.yaml").read_text(encoding="utf-8"))
    for path, _ in key_paths(recipe.schema()):
        value = content
        for part in path.split("."):
            value = value[part]


@pytest.mark.parametrize("name", recipe.names())
def test_packaged_recipes_load_under_their_own_name(name):
    loaded = recipe.load(name)
    jsonschema.validate(loaded, recipe.schema())
    assert loaded["name"] == name
    assert len(loaded["description"]) > 20


def test_recipe_takes_what_it_leaves_out_from_standard_but_not_its_name(write):
    loaded = recipe.load(write("scan: {field: lumbar, kvp: [100]}\npopulation: {women: 1}\n"))
    standard = recipe.load("standard")
    assert loaded["name"] == "mine"
    assert loaded["description"] == ""
    assert loaded["scan"] == standard["scan"] | {"field": "lumbar", "kvp": [100]}
    assert loaded["population"] == standard["population"] | {"women": 1}


def test_loading_twice_shares_nothing():
    first = recipe.load("standard")
    first["scan"]["kvp"].append(80)
    assert recipe.load("standard")["scan"]["kvp"] == [120]


def test_docs_name_every_key_with_unit_and_default():
    page = (recipe.SCHEMA_FILE.parent / "docs" / "recipes.md").read_text(encoding="utf-8")
    standard = recipe.load("standard")
    for path, node in key_paths(recipe.schema()):
        if "properties" in node or path in ("name", "description"):
            continue
        value = standard
        for part in path.split("."):
            value = value[part]
        shown = json.dumps(value).replace('"', "")
        row = next((row for row in page.splitlines() if row.startswith(f"| `{path}` |")), "")
        assert f"| {node['unit']} | `{shown}` |" in row, f"{path}: {node['unit']}, {shown}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scan: {kvpp: [120]}", ["scan.kvpp", "did you mean 'kvp'"]),
        ("kvp: [120]", ["unknown key 'kvp'", "did you mean 'scan.kvp'"]),
        ("population: {age: {mean: 50}}", ["population.age", "age_years"]),
        ("1: 2", ["unknown key '1'"]),
        ("scan: {kvp: [120, 160]}", ["scan.kvp[1]", "160", "80 to 140 kV"]),
        ("scan: {thickness_mm: [0.3]}", ["scan.thickness_mm[0]", "0.4 to 10 mm"]),
        ("scan: {pixel_mm: [0.4, 2.1]}", ["scan.pixel_mm[1]", "0.4 to 2.0 mm"]),
        ("scan: {interval_ratio: [0.5, 1.5]}", ["scan.interval_ratio[1]", "0.25 to 1.0"]),
        ("scan: {oral_contrast: -0.1}", ["scan.oral_contrast", "0 to 1"]),
        ("scan: {tilt_deg: .nan}", ["scan.tilt_deg", "not a finite number"]),
        ("scan: {noise_scale: [0, .inf]}", ["scan.noise_scale[1]", "not a finite number"]),
        ("scan: {kvp: 120}", ["scan.kvp", "list"]),
        ("scan: {kernel: soft}", ["scan.kernel", "write [soft]"]),
        ("fractured: 0.5", ["'given_map.fractured' or 'pathology.fractured'"]),
        # These were tracebacks.
        ("pathology: {grades: [4]}", ["pathology.grades[0]", "'4' is not one of 1, 2, 3"]),
        ("pathology: {grades: ['2']}", ["pathology.grades[0]", "'2'"]),
        ("pathology: {grades: [1.5]}", ["pathology.grades[0]", "1.5"]),
        ("given_map: {fractured: [L1]}", ["given_map.fractured", "there is no map"]),
        ("scan: {kvp: []}", ["scan.kvp", "at least one value"]),
        ("scan: {pixel_mm: [0.9]}", ["scan.pixel_mm", "[low, high]"]),
        ("scan: {pixel_mm: [0.9, 0.5]}", ["scan.pixel_mm", "0.9 is above high 0.5"]),
        ("scan: {tilt_deg: true}", ["scan.tilt_deg", "number"]),
        ("scan: {tilt_deg: '3'}", ["scan.tilt_deg", "'3' is not of type number"]),
        ("scan: {tilt_deg: 1e-3}", ["scan.tilt_deg", "YAML reads 1e-3 as text", "1.0e-3"]),
        ("scan: {orientation: [LRS]}", ["scan.orientation[0]", "'LRS'", "I/S"]),
        ("scan: {orientation: [lps]}", ["scan.orientation[0]", "'lps'"]),
        ("scan: {orientation: [LPSS]}", ["scan.orientation[0]", "'LPSS'"]),
        ("scan: {field: abdomn}", ["scan.field", "did you mean 'abdomen'"]),
        ("scan: {kernel: [soft, shap]}", ["scan.kernel[1]", "did you mean 'sharp'"]),
        ("scan: 3", ["scan: 3", "mapping"]),
        ("scan:", ["scan: None", "mapping"]),
        ("population: {age_years: {min: 80}}", ["population.age_years", "rising order"]),
        (
            "anatomy: {sacralised_l5: 0.7, lumbarised_s1: 0.6}",
            ["anatomy.sacralised_l5 and anatomy.lumbarised_s1 sum to 1.3", "at most 1"],
        ),
        ("anatomy: {scoliosis: 1.2}", ["anatomy.scoliosis", "0 to 1"]),
        (
            "scan: {reformat: sagittal, truncate: [none, circle]}",
            ["scan.truncate", "leave out circle"],
        ),
        (
            "given_map: {path: map.nii.gz}\nanatomy: {scoliosis: 0.1}",
            ["anatomy.scoliosis", "given map"],
        ),
        ("given_map: {path: map.nii.gz}\nscan: {field: chest}", ["scan.field", "drawn spine"]),
        ("population: {density: {mode: share}}", ["population.density.mode", "'shares'"]),
        (
            "population: {density: {shares: {osteoporosis: 0, osteopenia: 0, normal: 0}}}",
            ["population.density.shares", "all are 0"],
        ),
        ("population: {marrow_fat: {range: [0.5, 0.3]}}", ["marrow_fat.range", "0.5 is above"]),
        ("scan: {contrast: [venous]}", ["scan.contrast[0]", "none, arterial, portal"]),
        ("scanners: {X: {}}", ["unknown scanner 'X'", "known: A, B, C"]),
        ("scanners: {B: 3}", ["scanners.B", "mapping"]),
        ("scanners: 3", ["scanners: 3", "mapping"]),
        ("scanners: {B: {scan: {kpv: [120]}}}", ["scanners.B.scan.kpv", "did you mean"]),
        ("scanners: {B: {name: b}}", ["scanners.B.name", "known here: population, scan"]),
        ("scanners: {B: {population: {women: 2}}}", ["scanners.B.population.women", "0 to 1"]),
        (
            "scanners: {C: {population: {age_years: {min: 80}}}}",
            ["scanners.C.population.age_years", "rising order"],
        ),
        ("name: ''", ["name: is empty"]),
        ("name: 3", ["name: 3", "text"]),
        ("scan: {field: lumbar}\nscan: {field: abdomen}", ["line 2", "'scan' stands twice"]),
        ("scan: &a [*a]", ["line 1", "alias '*a'"]),
        ("scan:\n  <<: {kvp: [100]}\n", ["line 2", "merge key '<<' is not allowed"]),
        ("<<: [{name: a}, {name: b}]", ["line 1", "merge key '<<' is not allowed"]),
        ("scan: {thickness_mm: [012]}", ["line 1", "YAML reads 012 as 10", "leading zero"]),
        ("population:\n  age_years: {mean: 060}", ["line 2", "YAML reads 060 as 48"]),
        ("scan: {kvp: [1:40]}", ["line 1", "YAML reads 1:40 as 100", "decimal"]),
        ("scan: {kvp: [0x64]}", ["line 1", "YAML reads 0x64 as 100", "decimal"]),
        ("scan: [", ["line 1"]),
        ("scan: !!python/object:os.system {}", ["line 1", "constructor"]),
        ("a: 1\n---\nb: 2", ["line 2", "another document"]),
        ("scan: {tilt_deg: 2020-99-99}", ["not a YAML text file"]),
        ("\x00", ["not a YAML text file"]),
        ("- 1", ["not a mapping"]),
        ("", ["not a mapping"]),
    ],
)
def test_wrong_recipe_gives_one_line_with_file_key_and_help(write, text, words):
    with pytest.raises(ValueError, match=r"mine\.yaml") as caught:
        recipe.load(write(text))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("standrad", ["unknown recipe 'standrad'", "did you mean 'standard'", "sagittal_slab"]),
        ("no/such.yaml", ["no/such.yaml: no such file"]),
        ("", ["no such file"]),
        (".", ["recipe .: is a folder", "YAML file"]),
        (str(recipe.RECIPE_FOLDER), ["recipes: is a folder", "YAML file"]),
        ("x" * 5000 + "/y.yaml", ["no such file"]),
    ],
)
def test_unknown_recipe_gives_one_line(name, words):
    with pytest.raises(ValueError, match="recipe") as caught:
        recipe.load(name)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_binary_file_is_no_recipe(tmp_path):
    path = tmp_path / "image.yaml"
    path.write_bytes(b"\x1f\x8b\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a YAML text file"):
        recipe.load(path)


@pytest.mark.parametrize(
    "text",
    [
        "password: hunter2\n" + "private: text\n",
        "name: ['hunter2', 'private']\n".replace("name", "x" * 5000),
        "scan: |\n" + "  a private line\n" * 500 + "  hunter2\n",
        "scan: {field: " + "private " * 500 + "hunter2}",
        "scan: {orientation: [" + "private " * 500 + "hunter2]}",
        "- private\n- hunter2",
        "private = [1]\nhunter2 = [2]\n",
        "private: %hunter2",
        "? |\n" + "  private\n" * 500 + "  hunter2\n: 1",
    ],
)
def test_another_file_is_refused_without_showing_what_it_holds(write, text):
    with pytest.raises(ValueError, match=r"mine\.yaml") as caught:
        recipe.load(write(text))
    message = str(caught.value)
    assert "\n" not in message
    assert "hunter2" not in message
    assert len(message) < 400


@pytest.mark.parametrize("number", ["0", "-0", "7", "1_0", "+9"])
def test_decimal_numbers_are_read_as_they_are(write, number):
    loaded = recipe.load(write(f"population: {{age_years: {{sd: {number}}}}}"))
    assert loaded["population"]["age_years"]["sd"] == int(number)


def test_a_scanner_has_its_own_keys_over_the_common_ones(write):
    loaded = recipe.load(
        write("population: {women: 0.7}\nscanners: {B: {population: {age_years: {mean: 60}}}}\n")
    )
    for scanner, mean in (("A", 54), ("B", 60), ("C", 54)):
        population = recipe.for_scanner(loaded, scanner)["population"]
        assert (population["women"], population["age_years"]["mean"]) == (0.7, mean)
    assert loaded["population"]["age_years"]["mean"] == 54


@pytest.mark.parametrize(
    ("own", "refused"),
    [
        ("population: {women: 0.4}", True),
        ("scan: {oral_contrast: 0.0}", True),
        ("scan: {contrast: [portal]}", True),
        ("scan: {thickness_mm: [5.0]}", False),
    ],
)
def test_patients_that_differ_by_scanner_cannot_be_paired(write, own, refused):
    loaded = recipe.load(write(f"scanners: {{B: {{{own}}}}}"))
    if not refused:
        recipe.refuse_paired(loaded)
        return
    with pytest.raises(ValueError, match=r"scanner B has patients of its own"):
        recipe.refuse_paired(loaded)
