"""A run as experiments of a tracker: Weights & Biases in offline mode, MLflow in a local store. No network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from eval.runs.reader import Run
from reports.export.cells import export_files
from reports.writers.layout import Value

PROJECT = "deltabench"
KEYS = ("editor", "kind", "strength", "goal", "role")


class Summary(NamedTuple):
    """The numbers of one row of the main or of the matched table.

    Attributes:
        name: for example ``deltaedit, default`` or ``deltaedit, effect 1 σ``.
        parameters: editor, kind, strength or goal as text.
        numbers: column of the table -> value; intervals as ``<column>_low`` and ``_high``.
    """

    name: str
    parameters: dict[str, str]
    numbers: dict[str, float]


def summaries(rows: Sequence[Mapping[str, Value]]) -> list[Summary]:
    """Rows of the main and the matched table as experiments; what is no number is left out.

    >>> summaries([{"editor": "a", "kind": "given", "strength": "2", "error": 0.5, "error_low": "n/a"}])
    [Summary(name='a, given 2', parameters={'editor': 'a', 'kind': 'given', 'strength': '2'}, numbers={'error': 0.5})]
    """
    return [_summary(row) for row in rows]


def _summary(row: Mapping[str, Value]) -> Summary:
    goal = row.get("goal")
    kind = "matched" if goal is not None else str(row["kind"])
    setting = f"effect {goal:g}" if goal is not None else kind
    parameters = {"editor": str(row["editor"]), "kind": kind}
    if goal is not None:
        parameters["effect_goal"] = f"{goal:g}"
    elif row.get("strength"):
        parameters["strength"] = str(row["strength"])
        setting += f" {row['strength']}" if kind == "given" else ""
    return Summary(f"{row['editor']}, {setting}", parameters, _numbers(row))


def _numbers(row: Mapping[str, Value]) -> dict[str, float]:
    found = {}
    for column, value in row.items():
        if column not in KEYS and isinstance(value, int | float) and not isinstance(value, bool):
            found[column] = float(value)
    return {column: value for column, value in found.items() if math.isfinite(value)}


def pictures(run: Run) -> list[Path]:
    """The figures that the run folder has as png."""
    return sorted((run.folder / "figures").glob("*.png"))


def to_wandb(run: Run, rows: Sequence[Mapping[str, Value]], folder: Path) -> list[Path]:
    """Write an offline run: manifest as configuration, summaries, cells as a table, figures as images.

    Args:
        run: opened.
        rows: of the main and the matched table.
        folder: where the tracker's folder ``wandb`` goes.

    Returns:
        The folder of the offline run; ``wandb sync`` uploads it.
    """
    import wandb  # type: ignore[import-not-found]

    from reports.export.cells import wide_cells

    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(console="off", silent=True, x_disable_stats=True, x_disable_meta=True)
    tracked = wandb.init(
        project=PROJECT,
        name=run.folder.resolve().name,
        dir=str(folder),
        mode="offline",
        config=run.manifest,
        settings=settings,
    )
    found = summaries(rows)
    columns = sorted({column for summary in found for column in summary.numbers})
    lines = [[summary.name, *(summary.numbers.get(column) for column in columns)] for summary in found]
    tracked.log(
        {
            "settings": wandb.Table(columns=["setting", *columns], data=lines),
            "cells": wandb.Table(dataframe=wide_cells(run)),
            **{f"figures/{path.stem}": wandb.Image(str(path)) for path in pictures(run)},
        }
    )
    for summary in found:
        tracked.summary.update({f"{summary.name}/{column}": value for column, value in summary.numbers.items()})
    place = Path(tracked.dir).parent
    tracked.finish()
    wandb.teardown()  # only now is everything in the file
    return [place]


def to_mlflow(run: Run, rows: Sequence[Mapping[str, Value]], folder: Path) -> list[Path]:
    """Write one MLflow run for the run folder and below it one for each setting, with parameters and metrics.

    Args:
        run: opened.
        rows: of the main and the matched table.
        folder: of the store: a database ``mlflow.db`` and ``artifacts/``.

    Returns:
        The database.
    """
    from mlflow import MlflowClient  # type: ignore[import-not-found]

    folder.mkdir(parents=True, exist_ok=True)
    database = (folder / "mlflow.db").resolve()
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    found = client.get_experiment_by_name(PROJECT)
    experiment = found.experiment_id if found else _new_experiment(client, folder)
    name = run.folder.resolve().name
    parent = client.create_run(experiment, run_name=name).info.run_id
    for key, value in _parameters(run).items():
        client.log_param(parent, key, value)
    for path in [*export_files(run, folder / "exported", "parquet"), *pictures(run)]:
        client.log_artifact(parent, str(path))
    for summary in summaries(rows):
        child = client.create_run(experiment, run_name=summary.name, tags={"mlflow.parentRunId": parent})
        for key, value in summary.parameters.items():
            client.log_param(child.info.run_id, key, value)
        for column, number in summary.numbers.items():
            client.log_metric(child.info.run_id, column, number)
        client.set_terminated(child.info.run_id)
    client.set_terminated(parent)
    return [database]


def _new_experiment(client: Any, folder: Path) -> str:
    place = (folder / "artifacts").resolve()
    return str(client.create_experiment(PROJECT, artifact_location=place.as_uri()))


def _parameters(run: Run) -> dict[str, str]:
    """What determines the run, each at most as long as MLflow stores (500 letters in older versions)."""
    arguments = run.manifest.get("arguments", {})
    chosen = {"domain": run.manifest.get("domain"), "commit": run.manifest.get("commit"), **arguments}
    texts = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in chosen.items()}
    return {key: text[:500] for key, text in texts.items()}
