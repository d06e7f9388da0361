import pandas as pd
import pytest

from eval.errors import UsageError
from eval.labelling.labels import Labels


def test_answers_are_in_the_file_at_once_in_the_order_of_numbers(tmp_path):
    path = tmp_path / "new" / "labels.csv"
    labels = Labels(path, "seed", ["hat", "beard"])
    labels.store("hat", {"10": True, "9": None})
    labels.store("beard", {"9": False})
    assert path.read_text() == "seed,hat,beard\n9,nan,0\n10,1,\n"
    assert list(path.parent.iterdir()) == [path]


def test_goes_on_with_a_file_and_keeps_its_other_columns(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("seed,beard\n3,1\n4,nan\n5,\n")
    labels = Labels(path, "seed", ["hat"])
    assert labels.questions == ("hat", "beard")
    assert labels["beard"] == {"3": True, "4": None} and labels["hat"] == {}
    labels.store("hat", {"3": False})
    assert path.read_text() == "seed,hat,beard\n3,0,1\n4,,nan\n5,,\n"


def test_other_readers_see_cannot_tell_as_missing(tmp_path):
    labels = Labels(tmp_path / "labels.csv", "seed", ["hat"])
    labels.store("hat", {"1": True, "2": None, "3": False})
    column = pd.read_csv(tmp_path / "labels.csv", index_col="seed")["hat"]
    assert column.isna().tolist() == [False, True, False] and column.dropna().tolist() == [1, 0]


def test_an_answer_can_be_taken_back(tmp_path):
    labels = Labels(tmp_path / "labels.csv", "seed", ["hat"])
    labels.store("hat", {"1": True})
    labels.store("hat", {"1": False})
    assert Labels(tmp_path / "labels.csv", "seed", ["hat"])["hat"] == {"1": False}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,hat\n", "its first line must be 'seed'"),
        ("seed,hat,hat\n", "its first line must be 'seed'"),
        ("seed,hat\n1,2\n", "line 2: a label is 1, 0, nan or blank, got '2'"),
        ("seed,hat\n1,1\n1,0\n", "line 3: '1' stands there a second time"),
        ("seed,hat\n1\n", "line 2: 2 cells are wanted, got 1"),
        ("seed,hat\n,1\n", "line 2: the seed is missing"),
    ],
)
def test_other_files_are_refused(tmp_path, text, told):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UsageError, match=told):
        Labels(tmp_path / "labels.csv", "seed", ["hat"])


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read as labels"):
        Labels(tmp_path / "labels.csv", "seed", ["hat"])


def test_names_of_attributes(tmp_path):
    with pytest.raises(UsageError, match=r"'a,b' is no name"):
        Labels(tmp_path / "labels.csv", "seed", ["a,b"])


def test_what_cannot_be_written_is_not_kept(tmp_path):
    labels = Labels(tmp_path / "folder" / "labels.csv", "seed", ["hat"])
    (tmp_path / "folder").write_text("a file in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        labels.store("hat", {"1": True})
    assert labels["hat"] == {}
