"""The finished chunks of a run folder, as readers count them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.runs.integrity.seals import chunk_fault, first_line, read_sealed
from eval.runs.names import current_name

if TYPE_CHECKING:
    from pandas import DataFrame

TEXT_COLUMNS = ("editor", "prompt", "kind", "image")
REPAIR = "give the same `deltabench run` again, which makes it anew"


def finished_chunks(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """What the ``.json`` of every finished chunk says; and one sentence for each chunk that cannot be counted.

    Args:
        folder: of the run.
    """
    chunks, faults = [], []
    for path in sorted((folder / "chunks").glob("*.json")):
        name = path.name.removesuffix(".json")
        if name.endswith(".error"):
            continue
        fault = chunk_fault(folder / "chunks", name)
        if fault:
            faults.append(f"The chunk {name} of {folder} is not counted: {fault}; {REPAIR}.")
        else:
            chunks.append(dict(read_sealed(path)))
    return chunks, faults


def cells_of(folder: Path, chunks: Iterable[dict[str, Any]]) -> DataFrame:
    """The cells of some chunks, see ``Run.every_row``.

    Raises:
        ValueError: a file cannot be read, has another number of cells, or columns of other types than the others.
    """
    import pandas
    import pyarrow

    chunks = list(chunks)
    if not chunks:
        return pandas.DataFrame({"editor": [], "kind": []})
    # One conversion for all of them: a few rows take pandas longer to make than their file takes to be read.
    tables = [chunk_table(folder, chunk) for chunk in chunks]
    try:
        joined = pyarrow.concat_tables(tables, promote_options="permissive")
    except pyarrow.ArrowTypeError as error:
        raise ValueError(
            f"The chunks of {folder} do not fit together ({first_line(error)}); make their cells anew with "
            "`deltabench run … --refresh all`."
        ) from None
    del tables
    rows: DataFrame = joined.to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True)
    del joined
    if "effect_goal" not in rows:
        rows = rows.assign(effect_goal=np.nan)
    counts = [chunk["count"] for chunk in chunks]
    position = np.concatenate([np.arange(count, dtype=np.int64) for count in counts])
    first = np.repeat(np.array([chunk["first"] for chunk in chunks], dtype=np.int64), counts)
    names = np.repeat(np.array([chunk["id"] for chunk in chunks], dtype=object), counts)
    return rows.assign(chunk=names, position=position, source=first + position)


def chunk_table(folder: Path, chunk: dict[str, Any]) -> Any:
    """The Arrow table of a chunk's cells.

    Raises:
        ValueError: the file cannot be read, or has another number of cells.
    """
    from pyarrow.parquet import ParquetFile

    path = folder / "chunks" / f"{chunk['id']}.parquet"
    try:
        with ParquetFile(path) as file:
            table = file.read(use_threads=False)  # of few rows: starting threads takes longer than the reading
            table = table.rename_columns([*map(current_name, table.column_names)])
        _check_columns(table, chunk)
    except (OSError, ValueError) as error:  # also those of pyarrow
        raise ValueError(f"{path} cannot be read ({first_line(error)}); {_repair(chunk)}.") from None
    if len(table) != chunk["count"]:
        raise ValueError(f"{path} must hold {chunk['count']} rows, got {len(table)}; {_repair(chunk)}.")
    return table


def _check_columns(table: Any, chunk: dict[str, Any]) -> None:
    """Refuse the cells of another chunk, and columns that are neither texts nor numbers.

    Raises:
        ValueError: it names the column.
    """
    from pyarrow import types

    if "image" not in table.column_names:
        raise ValueError("its column 'image' is missing")
    plain = (types.is_floating, types.is_integer, types.is_boolean, types.is_null)
    for column in table.schema:
        texts = types.is_string(column.type) or types.is_large_string(column.type)
        if not (texts if column.name in TEXT_COLUMNS else any(kind(column.type) for kind in plain)):
            raise ValueError(f"its column '{column.name}' holds {column.type}")
    for name in ("editor", "prompt", "kind", "strength"):
        if name not in table.column_names or set(table[name].unique().to_pylist()) - {chunk[name]}:
            raise ValueError(f"its column '{name}' is missing or not {chunk[name]} throughout")


def _repair(chunk: dict[str, Any]) -> str:
    return f"delete {chunk['id']}.json beside it and give the same `deltabench run` again"
