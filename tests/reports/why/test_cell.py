import shutil

import numpy as np
import pandas as pd
import pytest

from eval.runs.reader import Run
from reports.why.cell import explain_cell, find_cell
from tests.reports.why.second.cells import second_cell_value
from tests.reports.why.second.files import Files


def explained(folder, text):
    """What `why` says of a cell's number, which is what a second implementation gives, too."""
    run = Run(folder)
    cell = find_cell(run, text)
    found = explain_cell(run, cell)
    files = Files(folder)
    info = next(info for info in files.infos if info["id"] == cell.row["chunk"])
    second, how = second_cell_value(files, info, cell.row, cell.column)
    value = found["recomputed"]["value"]
    assert (value is None) == (not how)
    assert value == second if second is None else value == pytest.approx(second, rel=1e-6, abs=1e-6)
    return found


@pytest.fixture
def folder(finished_run, tmp_path):
    return shutil.copytree(finished_run, tmp_path / "run")


def test_a_cell_is_found_by_its_labels_in_any_order(folder):
    for text in (
        "deltaedit/glasses/default/test-0003/identity",
        "deltaedit/glasses/test-0003/default/1/identity",
        "deltaedit/glasses/test-0003/identity/default",
    ):
        assert find_cell(Run(folder), text).name == "deltaedit/glasses/default/1/test-0003/identity"
    cells = pd.read_parquet(folder / "chunks" / "deltaedit--glasses--default-1--00000.parquet").set_index("image")
    found = explained(folder, "deltaedit/glasses/default/test-0003/identity")
    assert float(found["value"]["text"]) == cells.loc["test-0003", "identity"]
    assert found["files"] == ["chunks/deltaedit--glasses--default-1--00000.parquet"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deltaedit/glasses/test-0003/identity", "fits 2 values: deltaedit/glasses/.*; add what tells them apart"),
        ("deltaedt/glasses/test-0003/identity", "There is no editor 'deltaedt'; did you mean 'deltaedit'"),
        ("deltaedit/glases/test-0003/identity", "There is no prompt 'glases'; did you mean 'glasses'"),
        ("deltaedit/glasses/test-3/identity", "There is no image 'test-3'"),
        ("deltaedit/glasses/test-0003/identty", "There is no column of a cell 'identty'; did you mean 'identity'"),
        ("deltaedit/glasses/test-0003/default/7/identity", "fits none"),
    ],
)
def test_what_does_not_fit_is_one_sentence(folder, text, said):
    with pytest.raises(ValueError, match=said) as caught:
        find_cell(Run(folder), text)
    assert "\n" not in str(caught.value)


def test_identity_is_the_cosine_of_the_stored_embeddings(folder):
    chunk, place = "deltaedit--glasses--default-1--00008", 2  # image 10
    path = folder / "chunks" / f"{chunk}.npz"
    arrays = dict(np.load(path))
    arrays["identity"] = np.zeros_like(arrays["identity"])
    arrays["identity"][place] = [3, 4, 0, 0, 0, 0, 0, 0]
    np.savez(path, **arrays)
    sources = dict(np.load(folder / "sources.npz"))
    sources["identity"][10] = [1, 0, 0, 0, 0, 0, 0, 0]
    np.savez(folder / "sources.npz", **sources)
    rows = folder / "chunks" / f"{chunk}.parquet"
    pd.read_parquet(rows).assign(identity=0.6).to_parquet(rows)
    found = explained(folder, "deltaedit/glasses/default/test-0010/identity")["recomputed"]
    assert found["value"] == pytest.approx(0.6)
    assert found["agrees"]
    pd.read_parquet(rows).assign(identity=0.61).to_parquet(rows)
    assert explained(folder, "deltaedit/glasses/default/test-0010/identity")["recomputed"]["agrees"] is False


def test_what_the_judge_reads_is_found_in_the_logits(folder):
    chunk = "deltaedit--glasses--default-1--00000"
    arrays = dict(np.load(folder / "chunks" / f"{chunk}.npz"))
    # accessories stands behind skin (2), hair colour (3), top (3) and facial hair (2)
    arrays["logits"][1] = 0
    arrays["logits"][1, 10:12] = [-1, 2]  # none, glasses
    np.savez(folder / "chunks" / f"{chunk}.npz", **arrays)
    found = explained(folder, "deltaedit/glasses/default/test-0001/success")["recomputed"]
    assert found["value"] is True
    arrays["logits"][1, 10:12] = [2, -1]
    np.savez(folder / "chunks" / f"{chunk}.npz", **arrays)
    assert explained(folder, "deltaedit/glasses/default/test-0001/success")["recomputed"]["value"] is False


def test_a_psnr_is_found_in_the_stored_pictures(folder):
    path = folder / "chunks" / "deltaedit--glasses--default-1--00000.npz"
    arrays = dict(np.load(path))
    counterfactuals = np.load(folder / "counterfactuals" / "glasses.npz")["images"]
    arrays["images"][0] = counterfactuals[0]
    arrays["images"][0, 0, 0, 0] = counterfactuals[0, 0, 0, 0] ^ 32
    np.savez(path, **arrays)
    found = explained(folder, "deltaedit/glasses/default/test-0000/counterfactual_psnr_db")["recomputed"]
    error = (32 / 127.5) ** 2 / (64 * 64 * 3)
    assert found["value"] == pytest.approx(10 * np.log10(4 / error))


def test_what_the_folder_does_not_keep_is_not_computed(folder):
    found = explained(folder, "deltaedit/glasses/default/test-0000/clip_score_judge")["recomputed"]
    assert found["agrees"] is None
    assert "it takes the network" in found["how"]
