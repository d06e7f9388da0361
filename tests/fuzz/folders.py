"""Run folders whose files were damaged or changed: what is whole is counted, what is not is told in one sentence."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas
import pytest

from eval.domains import DOMAINS
from eval.prompts import Prompt
from eval.runs.integrity.growth import grown
from eval.runs.integrity.seals import CHECKSUM, SUMS, arrays_fault, sealed
from eval.runs.plan import Arguments, strength_of
from eval.runs.reader import Run
from eval.runs.request import RunRequest, execute, plan_run
from eval.runs.store import Store
from tests.conftest import build_tiny_domain
from tests.fuzz.damage import damaged, odd
from tests.fuzz.trial import Refused, check_sentences, read

Contents = dict[str, bytes]
SMALL = ("prompts.json", "factors.json", "costs/", "strengths/", "sources.npz", "counterfactuals/")
FIELDS = ("name", "source", "target", "attribute", "value")


@cache
def whole_run() -> Contents:
    """The files of a run of one editor, one prompt and two images, each a chunk: name -> bytes."""
    with TemporaryDirectory(prefix="deltabench-fuzz-") as name, pytest.MonkeyPatch.context() as patch:
        domain = build_tiny_domain(Path(name, "artefacts"))
        patch.setitem(DOMAINS, "tiny", lambda *_: domain)
        folder = Path(name, "run")
        execute(
            plan_run(RunRequest(["random-direction"], "tiny", ["smile"], 2, batch=1, out=folder)),
            quiet=True,
            say=lambda _: None,
        )
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


class RunFolder:
    """See ``Trial``; a folder one of whose files is changed in each input.

    Args:
        folder: to work in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "run"
        self.write()
        self.right = contents(Run(self.folder))

    def files(self) -> list[str]:
        """Names of the files that are changed."""
        raise NotImplementedError

    def change(self, name: str, draw: Random) -> bool:
        """Change a file; whether its checksums fit afterwards, so that nobody can see that it was changed."""
        content = whole_run()[name]
        if not name.endswith(".json") or draw.random() < 0.3:
            (self.folder / name).write_bytes(damaged(content, draw))
            return name.endswith(".npz") and not name.startswith("chunks/") and not arrays_fault(self.folder / name, {})
        value = json.loads(content)
        changed = odd(value, draw)
        if isinstance(changed, dict) and draw.random() < 0.8:
            changed = {key: inside for key, inside in changed.items() if key != CHECKSUM}
            if fits := draw.random() < 0.7:
                changed = sealed(changed)
        else:
            fits = False
        (self.folder / name).write_text(json.dumps(changed), encoding="utf-8")
        return fits or not isinstance(changed, dict) or CHECKSUM not in changed

    def restore(self) -> None:
        """Put back every file."""
        shutil.rmtree(self.folder)
        self.write()

    def write(self) -> None:
        """Every file of the run."""
        for name, content in whole_run().items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)

    def __call__(self, draw: Random) -> bool:
        name = draw.choice(self.files())
        unseen = self.change(name, draw)
        try:
            found = contents(Run(self.folder))
        except ValueError as error:
            check_sentences(error, self.folder)
            assert str(self.folder) in str(error), f"of {name}: {error}"
            assert str(error).endswith("."), error
            return False
        finally:
            (self.folder / name).write_bytes(whole_run()[name])
        assert unseen or found == self.right or found["damaged"], f"{name} is another, and nobody says so"
        return found == self.right


class ManifestFile(RunFolder):
    """The manifest and the other files of a run that are no chunks; they are also read by a run that goes on."""

    def files(self) -> list[str]:
        return ["manifest.json"] * 8 + [name for name in whole_run() if name.startswith(SMALL)]

    def __call__(self, draw: Random) -> bool:
        was_right = super().__call__(draw)
        name = draw.choice(self.files())
        self.change(name, draw)
        with suppress(Refused):
            read(self.go_on, self.folder)
        self.restore()
        return was_right

    def go_on(self) -> None:
        """What the same command does first."""
        here = json.loads(whole_run()["manifest.json"])
        prompts = tuple(Prompt(**each) for each in json.loads(whole_run()["prompts.json"]))
        asked = here["arguments"]
        strengths = tuple(map(strength_of, asked["strengths"]))
        methods = tuple(asked["methods"])
        grown(
            self.folder, Arguments("tiny", methods, prompts, asked["images"], strengths, asked["seed"], asked["batch"])
        )
        factors = json.loads(whole_run()["factors.json"])
        plain = {key: value for key, value in here.items() if key != CHECKSUM}
        Store(self.folder).claim(plain, [asdict(each) for each in prompts], factors)


class ChunkFiles(RunFolder):
    """The three files of a chunk."""

    def files(self) -> list[str]:
        return [name for name in whole_run() if name.startswith("chunks/")]

    def change(self, name: str, draw: Random) -> bool:
        if not name.endswith(".parquet") or draw.random() < 0.5:
            return super().change(name, draw)
        table = pandas.read_parquet(io.BytesIO(whole_run()[name]))
        (self.folder / name).write_bytes(odd_table(table, draw))
        about = self.folder / f"{name.removesuffix('.parquet')}.json"
        plain = json.loads(whole_run()[f"{name.removesuffix('.parquet')}.json"])
        del plain[SUMS]
        about.write_text(json.dumps(sealed(plain)), encoding="utf-8")  # as of an earlier version: without sums
        return True

    def __call__(self, draw: Random) -> bool:
        try:
            return super().__call__(draw)
        finally:
            self.restore()


def odd_table(table: pandas.DataFrame, draw: Random) -> bytes:
    """A table with a column or a row that is missing, of another type, or doubled."""
    column = draw.choice(list(table.columns))
    change = draw.choice(("missing", "texts", "nan", "more", "fewer", "none", "renamed", "lists"))
    if change == "missing":
        table = table.drop(columns=column)
    elif change == "renamed":
        table = table.rename(columns={column: "x"})
    elif change == "more":
        table = pandas.concat([table, table])
    elif change == "fewer":
        table = table.iloc[:-1]
    else:
        values: dict[str, Any] = {"texts": "x", "nan": np.nan, "none": None, "lists": [1]}
        table = table.assign(**{column: [values[change]] * len(table)})
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def contents(run: Run) -> dict[str, Any]:
    """All that reports read of a run, apart from seconds."""
    every = run.every_row
    return {
        "damaged": list(run.damaged),
        "rows": every.to_csv(),
        "settings": [(each.label, each.rows.tolist()) for each in (*run.settings, *run.matched, *run.headlines)],
        "prompts": [[prompt[name] for name in FIELDS] for prompt in run.prompts],
        "factors": run.factors,
        "missing": (run.unfinished, len(run.rows), len(run.oracle), len(run.failures)),
        "sweeps": [(each["editor"], each["prompt"], each["sweep"], each["chosen"]) for each in run.sweeps],
        "costs": {editor: sorted(cost.get("fit_s", {})) for editor, cost in run.costs.items()},
        "names": run.names,
        "pictures": run.sources("images").tobytes(),
        "regions": [array_of(run.counterfactual(prompt["name"], "region")) for prompt in run.prompts],
        "features": run.features(every.index.to_numpy()[: len(run.rows)], "identity").tobytes() if len(every) else b"",
    }


def array_of(array: np.ndarray | None) -> bytes:
    """The bytes of an array, if there is one."""
    return b"" if array is None else array.tobytes()
