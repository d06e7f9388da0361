import numpy as np
import pytest

from eval.labelling.labels import Labels
from eval.labelling.sheets import Item, Sheets


def sheets(folder, propose="", count=40):
    """Items whose only feature is their number; hats from 15 on."""
    labels = Labels(folder / "labels.csv", "seed", ["hat", "beard"])
    items = [Item(str(number), ("hat",), lambda: b"") for number in range(count)]
    return Sheets(items, labels, propose, lambda ids: np.array([[float(name)] for name in ids])), labels


def test_without_proposals_items_come_in_their_order(tmp_path):
    made, labels = sheets(tmp_path, count=4)
    labels.store("hat", {"1": True, "3": None})
    assert made.upcoming("hat") == (["0", "2"], False)
    assert made.counts("hat") == {"yes": 1, "no": 0, "unsure": 1, "left": 2}


def test_items_that_a_question_is_not_put_to_do_not_come(tmp_path):
    made, _ = sheets(tmp_path)
    assert made.upcoming("beard") == ([], False) and made.counts("beard")["left"] == 0


@pytest.mark.parametrize(("propose", "first"), [("boundary", {"14", "15"}), ("yes", {"39", "38"}), ("no", {"0", "1"})])
def test_proposals(tmp_path, propose, first):
    made, labels = sheets(tmp_path, propose)
    labels.store("hat", {str(number): number >= 15 for number in (*range(5, 12), *range(18, 25))})
    upcoming, proposed = made.upcoming("hat")
    assert proposed and set(upcoming[:2]) == first and len(upcoming) == 40 - 14


def test_too_few_labels_propose_nothing(tmp_path):
    made, labels = sheets(tmp_path, "yes")
    labels.store("hat", {str(number): number >= 36 for number in range(30, 40)})  # 4 with a hat, 6 without
    assert made.upcoming("hat")[1] is False
    labels.store("hat", {"29": True, "28": None})
    assert made.upcoming("hat")[1] is True


def test_labels_of_items_that_are_not_shown_count_for_the_classifier(tmp_path):
    made, labels = sheets(tmp_path, "yes")
    labels.store("hat", {str(number): number >= 115 for number in range(110, 120)})
    upcoming, proposed = made.upcoming("hat")
    assert proposed and upcoming[0] == "39" and len(upcoming) == 40
