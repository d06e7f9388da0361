import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from eval.cli import main
from eval.domains import load_domain
from eval.prompts import Prompt

pytestmark = pytest.mark.slow

EDITORS = "deltaedit,styleclip-global,identity"


def run(domain_file, out, *options: str) -> int:
    command = ["run", "--domain", str(domain_file), "--methods", EDITORS, "--strengths", "default"]
    return main([*command, "--prompts", "red-hair", "--limit", "2", "--out", str(out), *options])


def test_a_run_goes_through_to_tables_and_figures(domain_file, tmp_path, capsys):
    out = tmp_path / "run"
    assert run(domain_file, out) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["domain"] == "people" and manifest["frechet_name"] == "fid"
    assert "images (seeds)" in manifest["fingerprints"] and "judge-clip" in manifest["fingerprints"]
    assert manifest["recipes"]["success"].startswith("zero-shot,100xcosine,one-text-a-value")
    assert "bilinear-299-no-antialias" in manifest["recipes"]["fid"] and "mtcnn" in manifest["recipes"]["identity"]
    # No face is found on pictures of random networks, so that nothing is said of identity.
    assert manifest["identity_floor"] is None and manifest["identity_ceiling"] is None

    with (out / "tables" / "main.csv").open() as file:
        rows = {row["editor"]: row for row in csv.DictReader(file)}
    assert {"deltaedit", "styleclip-global", "identity"} <= rows.keys()
    assert float(rows["identity"]["target_effect"] or 0) == 0
    assert all(row["identity"] in ("", "n/a") for name, row in rows.items() if name in EDITORS)
    assert all(row["counterfactual_psnr_db"] in ("", "n/a") for name, row in rows.items() if name in EDITORS)
    assert (out / "figures" / "grid.png").stat().st_size > 1000
    chunks = {path: path.stat().st_mtime_ns for path in (out / "chunks").iterdir()}
    assert run(domain_file, out, "--no-figures") == 0  # nothing is left to do
    assert {path: path.stat().st_mtime_ns for path in (out / "chunks").iterdir()} == chunks


def test_without_its_files_one_sentence_says_so(domain_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "cache"))
    for command in ("run", "calibrate"):
        assert main([command, "--domain", "ffhq", "--methods", "identity", "--out", str(tmp_path / "x")]) == 2
        text = capsys.readouterr().err.strip()
        assert "'stylegan2-ffhq-config-f.pt'" in text and "deltabench models --domain ffhq" in text
        assert "\n" not in text
    assert main(["prompts", "--domain", "ffhq"]) == 0  # texts need no weights


@pytest.mark.parametrize("name", ["avatars", "faces"])
def test_domains_with_images_of_their_own_take_no_photographs(name, tmp_path, capsys):
    assert main(["run", "--domain", name, "--methods", "identity", "--images-dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"'{name}' has its own images" in said
    assert ("deltabench edit --domain faces --image" in said) == (name == "faces")


def test_regions_are_the_boxes_of_the_description(domain_file):
    domain = load_domain(str(domain_file))
    eyes = domain.region("test", 1, Prompt("p", "face", "x", "eyeglasses", "eyeglasses"))
    assert eyes.shape == (32, 32) and np.array_equal(np.flatnonzero(eyes.all(1)), np.arange(8, 16))
    assert eyes.sum() == 8 * 32
    assert domain.region("test", 1, Prompt("p", "face", "x", "hair", "red")).all()


def test_nothing_exact_is_known(domain_file):
    domain = load_domain(str(domain_file))
    prompt = domain.prompts[0]
    assert domain.counterfactuals("test", 2, prompt) is None and domain.visible("test", 2, prompt) is None


def test_published_files_stand_in_and_other_settings_are_computed(domain_file):
    from deltaedit.editor import DeltaEdit

    editing = load_domain(str(domain_file)).editing
    published = DeltaEdit(relevance_statistics=50)
    published.prepare(editing)
    assert np.isnan(published.prepare_cost_s)  # nobody knows what the files cost
    trained = DeltaEdit(relevance_statistics=50, steps=2, batch=4)
    trained.prepare(editing)
    assert not (
        trained.mapper.state_dict()["fm_fine.mapping.0.weight"]
        == published.mapper.state_dict()["fm_fine.mapping.0.weight"]
    ).all()


def test_editors_and_judges_of_one_file_are_refused(domain_file, tmp_path, capsys):
    path = domain_file.with_name("same.toml")
    path.write_text(domain_file.read_text().replace('clip = "editing-clip.pt"', 'clip = "judge-clip.pt"'))
    assert run(path, tmp_path / "run") == 2
    assert "the same file" in capsys.readouterr().err


def test_every_file_is_looked_at_before_any_work_and_all_faults_are_told(photo_files, domain_file, tmp_path, capsys):
    folder, pictures = tmp_path / "domain", tmp_path / "pictures"
    folder.mkdir()
    pictures.mkdir()
    for path in photo_files.iterdir():
        (folder / path.name).symlink_to(path)
    for name, key in (("generator.pt", "g_ema"), ("judge-clip.pt", None)):
        payload = torch.load(photo_files / name, weights_only=True)
        state = payload[key] if key else payload
        first = next(name for name, tensor in state.items() if tensor.is_floating_point() and tensor.dim() > 1)
        state[first] = state[first] * np.nan
        (folder / name).unlink()
        torch.save(payload, folder / name)
    for number in range(6):
        Image.fromarray(np.full((32, 32, 3), 40 * number, np.uint8)).save(pictures / f"p{number}.png")
    (pictures / "p2.png").write_bytes(b"")  # of the test half
    (pictures / "p3.png").write_bytes((pictures / "p1.png").read_bytes()[:60])  # of the calibration half
    assert run(folder / "domain.toml", tmp_path / "run", "--images-dir", str(pictures)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("loading")]
    named = ("generator.pt", "judge-clip.pt", "p2.png", "p3.png")
    assert [name in line for name, line in zip(named, lines, strict=True)] == [True] * 4
    assert "NaN" in lines[0] and "NaN" in lines[1] and "empty" in lines[2]
    assert not (tmp_path / "run").exists()
    for name in ("generator.pt", "judge-clip.pt"):
        assert main(["models", "check", str(folder / name)]) == 2
        assert "NaN" in capsys.readouterr().err
