import csv
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from scipy import linalg

from eval.runs.reader import Run
from reports.figures.ablation import ablation_figure
from reports.paper.ablations import find_ablations
from reports.paper.alignment import find_alignments
from reports.paper.comparison import comparison_part
from reports.paper.document import write_paper
from reports.studies.ablation_table import ArmResult, Curve, Difference, Mean, ablation_table
from reports.studies.alignment import alignment_tables
from reports.tables import build_tables
from reports.writers.style import house_style, new_figure, save

pytestmark = pytest.mark.slow

WORDS = ("clean_success", "success", "preservation", "ad_mean", "identity", "counterfactual_ssim", "target_effect")


def written(run_folder, out, **folders):
    run = Run(run_folder)
    return write_paper(run, build_tables(run), out, **folders)


@pytest.fixture(scope="module")
def ablation(tmp_path_factory):
    """A folder as `deltabench ablate` leaves it: arm raw differs from delta in kept, p after correction .01."""
    folder = tmp_path_factory.mktemp("runs") / "ablation-delta_or-raw-avatars-1234"
    means = {name: Mean(0.5, 0.4, 0.6) for name in WORDS}
    far = {name: Difference(-0.1, -0.2, -0.05, 0.5, 0.01 if name == "preservation" else 0.9, 12) for name in WORDS}
    curve = Curve((1.0,), (0.5,), (0.9,), (1.0,))
    arms = [
        ArmResult("delta", 6, 6, 1.0, 1.2, means, {}, curve),
        ArmResult("raw", 6, 5, 1.5, 0.8, means, far, curve),
    ]
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True)
    table = ablation_table("delta_or-raw", "Does the delta | matter?", 1.0, "delta", arms)
    table.write(folder / "tables")
    with house_style():
        save(ablation_figure(1.0, "delta", arms), folder / "figures", table.name)
    record = {"domain": "avatars", "ablation": {"seeds": [0, 1], "images": 9, "effect": 1.0}}
    (folder / "ablation.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def alignment(tmp_path_factory):
    """A folder as `deltabench align` leaves it: gaps .9, .1 and .05."""
    folder = tmp_path_factory.mktemp("runs") / "align-toy"
    folder.mkdir()
    rows = [
        {"arm": arm, "pairs": 30, "gap": gap, "gap_low": gap - 0.01, "gap_high": gap + 0.01, "cosine_paired": 2 * gap}
        for arm, gap in (("raw", 0.9), ("centred", 0.1), ("delta", 0.05))
    ]
    alignment_tables(rows, [])[0].write(folder)
    save(new_figure(3.0, 2.0), folder, "alignment")
    (folder / "alignment.json").write_text(json.dumps({"source": "toy_features", "seed": 0}))
    return folder


@pytest.fixture(scope="module")
def paper(matched_run, ablation, alignment, tmp_path_factory):
    out = tmp_path_factory.mktemp("paper") / "made" / "here"
    return out, written(matched_run, out, ablations=[ablation], alignments=[alignment])


def test_everything_is_placed_and_nothing_else_is_written(paper):
    out, paths = paper
    assert set(paths) == {path for path in out.rglob("*") if path.is_file()}
    text = (out / "paper.md").read_text()
    placed = set(re.findall(r"\((\w+/[\w.]+)\)", text))
    assert {path.relative_to(out).as_posix() for path in paths if path.suffix in (".csv", ".md", ".png", ".pdf")} == {
        *placed,
        "paper.md",
    }
    latex = (out / "paper.tex").read_text()
    inputs = set(re.findall(r"(?:input|includegraphics)\{(.*?)\}", latex))
    assert {path.relative_to(out).as_posix() for path in paths if path.suffix in (".pdf", ".tex")} == {
        *inputs,
        "paper.tex",
    }


def test_numbers_count_up_from_one_in_both_kinds(paper):
    text = (paper[0] / "paper.md").read_text()
    for kind in ("Table", "Figure"):
        found = [int(number) for number in re.findall(rf"^\*\*{kind} (\d+)\.\*\*", text, re.MULTILINE)]
        assert found == list(range(1, len(found) + 1)) and len(found) > 5


def test_the_comparison_holds_the_means_of_the_cells(paper, matched_run):
    with (paper[0] / "tables" / "comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["editor"], row["kind"]): row for row in csv.DictReader(file)}
    cells = Run(matched_run).rows
    own = cells[(cells["editor"] == "deltaedit") & (cells["kind"] == "default")]
    found = rows["deltaedit", "default"]
    assert float(found["identity"]) == pytest.approx(own["identity"].mean())
    assert float(found["success"]) == pytest.approx(own[own["eligible"]]["success"].mean())
    assert float(found["error"]) == pytest.approx(1000 * (10 ** (-own["counterfactual_psnr_db"] / 10)).mean())
    assert not {name for name in found if "published" in name}


def test_clean_success_comes_first(finished_run):
    run = Run(finished_run)
    run.rows = run.rows.assign(clean_success=run.rows["success"].astype(float))
    block = comparison_part(run, {table.name: table for table in build_tables(run)}).table.blocks[0]
    assert block.header[2:5] == ("clean success ↑", "success ↑", "preservation ↑")
    assert all(row[2].strip("*") == row[3].strip("*") != "" for row in block.rows if row[0] == "deltaedit")


def test_published_numbers_stand_beside_none_of_the_run(paper):
    tables = {path.stem: path.read_text() for path in (paper[0] / "tables").glob("*.md")}
    assert [name for name, text in tables.items() if "7.658" in text or "ublished" in text] == ["published"]


def test_captions_carry_what_was_computed(paper, matched_run):
    text = (paper[0] / "paper.md").read_text()
    assert "3 editors and 1 control, 3 prompts × 12 images, 36 cells" in text
    assert "found after correction: raw in preservation" in text
    assert "2 trainings of each arm, 3 prompts, 9 images at an effect of 1 σ; baseline delta" in text
    assert "gap is 0.900 raw, 0.100 after subtracting each modality's mean and 0.050 for deltas" in text
    assert "{}" not in text and "nan" not in text.lower().split()


def test_what_is_missing_is_said_with_the_command(finished_run, tmp_path):
    written(finished_run, tmp_path)
    text = (tmp_path / "paper.md").read_text()
    for command in ("ablate conditioning", "align --domain avatars", "--protocol matched"):
        assert command in text
    assert not (tmp_path / "figures" / "pareto.pdf").exists()


def test_the_same_run_gives_the_same_bytes(paper, matched_run, ablation, alignment, tmp_path):
    again = written(matched_run, tmp_path, ablations=[ablation], alignments=[alignment])
    for first, second in zip(paper[1], again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_without_counterfactuals_distances_to_the_originals_are_placed(without_counterfactuals, tmp_path):
    """Doing nothing and the floor, in the caption, by SciPy's matrix square root."""
    written(without_counterfactuals, tmp_path)
    text, latex = ((tmp_path / f"paper.{ending}").read_text() for ending in ("md", "tex"))
    assert "(tables/originals.csv)" in text and "input{tables/originals.tex}" in latex
    assert not (tmp_path / "tables" / "frechet.csv").exists()
    with np.load(without_counterfactuals / "sources.npz") as sources:
        originals, inverted = sources["frechet_originals"], sources["frechet"]
    same = by_scipy(np.tile(inverted, (3, 1)), np.tile(originals, (3, 1)))
    floor = by_scipy(np.tile(originals[::2], (3, 1)), np.tile(originals[1::2], (3, 1)))
    assert f"doing nothing scores {same:.1f}." in text and f"the originals themselves {floor:.1f}, the floor" in text


def by_scipy(first, second):
    """Fréchet distance as torchmetrics and pytorch-fid compute it."""
    covariances = [np.cov(features, rowvar=False) for features in (first, second)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    gap = np.square(first.mean(0) - second.mean(0)).sum()
    return gap + np.trace(covariances[0] + covariances[1] - 2 * root)


def test_a_run_of_an_older_schema_makes_a_paper(stored_run, tmp_path):
    written(stored_run, tmp_path)
    text = (tmp_path / "paper.md").read_text()
    assert "1 editor and 1 control, 2 prompts × 2 images" in text


def test_a_run_without_pictures_says_so(finished_run, tmp_path):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    for path in (folder / "chunks").glob("*.npz"):
        with np.load(path) as arrays:
            parts = dict(arrays)
        np.savez(path, **{**parts, "images": parts["images"][:0], "kept": parts["kept"][:0]})
    written(folder, tmp_path / "out")
    assert (tmp_path / "out" / "paper.md").read_text().count("kept no picture") == 2


def test_ablations_and_alignments_are_found_beside_the_run(ablation, alignment, matched_run, tmp_path):
    run = Run(matched_run)
    assert find_ablations(run, (ablation.parent, ablation.parent, tmp_path / "absent")) == (ablation,)
    assert find_alignments((alignment.parent, tmp_path)) == (alignment,)
    run.manifest["domain"] = "another"
    assert find_ablations(run, (ablation.parent,)) == ()


def test_a_folder_that_is_no_ablation_is_refused(matched_run, tmp_path):
    with pytest.raises(ValueError, match="not a finished ablation"):
        written(matched_run, tmp_path / "out", ablations=[tmp_path])
    with pytest.raises(ValueError, match="not an alignment"):
        written(matched_run, tmp_path / "out", alignments=[tmp_path])


def unbalanced(text):
    """Environments and braces that are opened and not closed, or closed in another order."""
    text = re.sub(r"(?<!\\)%.*", "", text)
    open_environments = []
    for verb, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if verb == "begin":
            open_environments.append(name)
        elif not open_environments or open_environments.pop() != name:
            return name
    braces = re.sub(r"\\[{}]", "", text)
    return open_environments or braces.count("{") - braces.count("}")


def test_every_tex_file_is_balanced_and_every_row_as_wide_as_its_table(paper):
    for path in paper[0].rglob("*.tex"):
        assert not unbalanced(path.read_text()), path.name
    for path in (paper[0] / "tables").glob("*.tex"):
        text = path.read_text()
        (columns,) = re.findall(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}", text)
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert rows and {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}, path.name


def test_pdflatex_compiles_it(paper, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    folder = shutil.copytree(paper[0], tmp_path / "paper")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=folder,
        capture_output=True,
        timeout=300,
    )
    log = done.stdout.decode("latin1")
    assert done.returncode == 0, log[-2000:]
    assert (folder / "paper.pdf").stat().st_size > 50_000
    assert "Float too large" not in log and "Missing character" not in log
