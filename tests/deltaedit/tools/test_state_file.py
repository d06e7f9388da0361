import pytest
import torch

from deltaedit.tools.state_file import StateFile, best_file, forget_training

CPU = torch.device("cpu")


def test_what_is_stored_comes_back_and_goes(tmp_path):
    path = tmp_path / "below" / "state.pt"
    stored = StateFile(path, {"steps": 3})
    assert stored.load(CPU) == {}
    stored.save_best({"w": torch.tensor([1.5])})
    stored.save(step=2, curve=[(2, 0.5, 0.25)])
    fresh = StateFile(path, {"steps": 3})
    state = fresh.load(CPU)
    assert (state["step"], [tuple(row) for row in state["curve"]]) == (2, [(2, 0.5, 0.25)])
    assert fresh.load_best()["w"].tolist() == [1.5]
    with pytest.raises(ValueError, match="other settings; delete it"):
        StateFile(path, {"steps": 4}).load(CPU)
    forget_training(path)
    assert not path.exists()
    assert not best_file(path).exists()


@pytest.mark.parametrize("folder", [None, "a file stands there"])
def test_best_weights_are_copied_to_memory_where_there_is_no_file(tmp_path, folder):
    (tmp_path / "file").write_text("")
    stored = StateFile(None if folder is None else tmp_path / "file" / "state.pt", {})
    weights = {"w": torch.tensor([1.0])}
    stored.save_best(weights)
    weights["w"] += 1
    stored.save(step=1)
    assert stored.load_best()["w"].tolist() == [1.0]
    assert stored.load(CPU) == {}
