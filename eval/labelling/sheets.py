"""Which items are shown next: in their order, or those that a classifier of the labels so far proposes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.labelling.labels import Answer, Labels
from eval.statistics.logistic import logistic_regression

# Where the most is learnt: nearest to the decision boundary; those that most surely show it; or do not.
PROPOSALS: dict[str, Callable[[float], float]] = {"boundary": abs, "yes": lambda odds: -odds, "no": lambda odds: odds}
LEAST = 5  # labels of either value before anything is proposed


@dataclass(frozen=True)
class Item:
    """What one looks at.

    Attributes:
        id: names it in the file of labels.
        questions: names of the questions that are put to it.
        picture: makes its picture, the bytes of a PNG file.
    """

    id: str
    questions: tuple[str, ...]
    picture: Callable[[], bytes]


class Sheets:
    """Items, their labels, and the order in which they are shown.

    Args:
        items: all of them, in the order that holds without proposals.
        labels: where the answers are kept.
        propose: one of ``PROPOSALS``, or '' for the items' own order.
        features: ids of items -> float [N, D], what the classifier that proposes sees of them; also of items that have
            labels and are not shown. Needed where something is proposed.
    """

    def __init__(
        self,
        items: Sequence[Item],
        labels: Labels,
        propose: str = "",
        features: Callable[[Sequence[str]], np.ndarray] | None = None,
    ) -> None:
        self.items = {item.id: item for item in items}
        self.labels = labels
        self._rank = PROPOSALS[propose] if propose else None
        self._features = features

    def upcoming(self, question: str) -> tuple[list[str], bool]:
        """Items without an answer to a question, the next one first, and whether a classifier ordered them."""
        answers = self.labels[question]
        left = [item.id for item in self.items.values() if question in item.questions and item.id not in answers]
        classifier = self._classifier(answers) if left else None
        if classifier is None or self._rank is None or self._features is None:
            return left, False
        weight, bias = classifier
        ranks = [self._rank(float(odds)) for odds in self._features(left) @ weight + bias]
        return [left[row] for row in np.argsort(ranks, kind="stable")], True

    def counts(self, question: str) -> dict[str, int]:
        """How many items of the file are ``yes``, ``no`` and ``unsure``, and how many are ``left`` to look at."""
        answers = self.labels[question]
        values = list(answers.values())
        left = sum(question in item.questions and item.id not in answers for item in self.items.values())
        return {"yes": values.count(True), "no": values.count(False), "unsure": values.count(None), "left": left}

    def _classifier(self, answers: Mapping[str, Answer]) -> tuple[np.ndarray, float] | None:
        """Weight and bias of the log-odds; None where nothing is proposed or the labels are too few."""
        known = {item: answer for item, answer in answers.items() if answer is not None}
        truth = np.array(list(known.values()), dtype=bool)
        if self._features is None or self._rank is None or min(truth.sum(), (~truth).sum()) < LEAST:
            return None
        return logistic_regression(self._features(list(known)), truth)
