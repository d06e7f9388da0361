"""Labels in a CSV file: a row for each item, a column for each question; stored with every click."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

from deltaedit.tools.files import write_whole
from eval.errors import UsageError, shortened

Answer = bool | None  # yes, no, cannot tell
# What stands in the file. A blank is what nobody looked at; `nan` is read as missing by every reader of CSV, too.
WRITTEN: dict[Answer, str] = {True: "1", False: "0", None: "nan"}
READ: dict[str, Answer] = {written: answer for answer, written in WRITTEN.items()}
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


class Labels:
    """The answers to some questions about some items. Several threads may use it.

    Args:
        path: the CSV file; made with the first answer if it is not there.
        key: heading of its first column, which names the items.
        questions: names of the questions; those that the file has besides are kept.

    Raises:
        UsageError: the file cannot be read or holds anything else.
    """

    def __init__(self, path: Path, key: str, questions: Sequence[str]) -> None:
        self.path, self.key = path, key
        self._lock = Lock()
        self._answers: dict[str, dict[str, Answer]] = {}  # item -> question -> answer
        wrong = [name for name in questions if not NAME.fullmatch(name)]
        if wrong:
            raise UsageError(
                f"'{shortened(wrong[0])}' is no name of an attribute; use small letters, digits and _, 60 at most."
            )
        self.questions = tuple(dict.fromkeys([*questions, *self._read()]))

    @property
    def items(self) -> tuple[str, ...]:
        """Those that have a row."""
        return tuple(self._answers)

    def __getitem__(self, question: str) -> dict[str, Answer]:
        """The answers to a question so far: item -> answer."""
        with self._lock:
            return {item: row[question] for item, row in self._answers.items() if question in row}

    def store(self, question: str, answers: Mapping[str, Answer]) -> None:
        """Add answers to a question, in place of earlier ones, and write the file.

        Raises:
            UsageError: it cannot be written; the answers then are not kept here either.
        """
        with self._lock:
            changed = {item: {**self._answers.get(item, {}), question: answer} for item, answer in answers.items()}
            every = {**self._answers, **changed}
            self._write(every)
            self._answers = every

    def _read(self) -> list[str]:
        try:
            with self.path.open(newline="", encoding="utf-8") as file:
                heading, *rows = list(csv.reader(file)) or [[]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, csv.Error) as error:
            raise UsageError(f"{self.path} cannot be read as labels ({error}); choose another --out.") from None
        if heading[:1] != [self.key] or len(set(heading)) != len(heading):
            raise UsageError(f"{self.path} holds no labels: its first line must be '{self.key}' and attributes' names.")
        for number, row in enumerate(rows, 2):
            fault = self._fault(row, len(heading))
            if fault:
                raise UsageError(f"{self.path}, line {number}: {fault}.")
            named = zip(heading[1:], row[1:], strict=True)
            self._answers[row[0]] = {question: READ[text] for question, text in named if text}
        return heading[1:]

    def _fault(self, row: list[str], width: int) -> str | None:
        if len(row) != width:
            return f"{width} cells are wanted, got {len(row)}"
        if not row[0] or row[0] in self._answers:
            return f"'{row[0]}' stands there a second time" if row[0] else f"the {self.key} is missing"
        other = [text for text in row[1:] if text and text not in READ]
        return f"a label is 1, 0, nan or blank, got '{other[0]}'" if other else None

    def _write(self, answers: Mapping[str, Mapping[str, Answer]]) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([self.key, *self.questions])
        for item in sorted(answers, key=_numbers_first):
            row = answers[item]
            rows.writerow([item, *(WRITTEN[row[name]] if name in row else "" for name in self.questions)])
        try:
            write_whole(self.path, lambda file: file.write(text.getvalue().encode("utf-8")))
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"{self.path} cannot be written ({reason}); choose another --out.") from None


def _numbers_first(item: str) -> tuple[bool, int, str]:
    return (not item.isdecimal(), int(item) if item.isdecimal() else 0, item)
