"""Files of a run folder, read; what is missing or damaged is one sentence with the way to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eval.errors import shortened
from eval.runs.integrity.growth import text_sums
from eval.runs.integrity.seals import Damaged, check_label, first_line, read_sealed
from eval.runs.names import SCHEMA, with_current_names


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: it is missing, no JSON, or was changed; with what to do.
    """
    try:
        return read_sealed(path)
    except FileNotFoundError:
        raise ValueError(f"The run folder has no {path}; give the same `deltabench run` again.") from None
    except Damaged as error:
        raise ValueError(f"{path} is damaged ({error}); give the same `deltabench run` again.") from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run, under today's names.

    Raises:
        ValueError: there is none, it cannot be read, or its schema is newer than this code.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise ValueError(f"{folder} is not a run folder: it has no manifest.json; make one with `deltabench run`.")
    try:
        manifest = read_sealed(path)
    except Damaged as error:
        raise ValueError(f"{path} is damaged ({error}); put back the one that the run wrote.") from None
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ValueError(
            f"{path} must hold a schema number of 1 to {SCHEMA}, got {shortened(repr(schema))}; "
            "run again into another folder."
        )
    if schema > SCHEMA:
        raise ValueError(
            f"{path} has schema {shortened(schema)} and this deltabench reads up to {SCHEMA}; "
            "update it with `pip install --upgrade deltabench`."
        )
    return {**manifest, "recipes": with_current_names(manifest.get("recipes", {}))}


def read_prompts(path: Path, known: Mapping[str, str]) -> list[dict[str, str]]:
    """What ``prompts.json`` says.

    Args:
        path: the file.
        known: what the manifest knows of it, see ``text_sums``.

    Raises:
        ValueError: it cannot be read, or is not what the manifest knows.
    """
    prompts: list[dict[str, str]] = read_json(path)
    sums = text_sums(prompts)
    for name, digest in known.items():
        if sums.get(name) != digest:
            name = shortened(name)
            raise ValueError(f"{path} is damaged ('{name}' is another); give the same `deltabench run` again.")
    return prompts


def open_arrays(path: Path) -> Any:
    """An open ``.npz``.

    Raises:
        ValueError: it is missing or damaged; with what to do.
    """
    from zipfile import BadZipFile

    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"The run folder has no {path}; give the same `deltabench run` again.") from None
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be read ({first_line(error)}); give the same `deltabench run` again."
        ) from None


def read_array(path: Path, key: str) -> np.ndarray:
    """One array of an ``.npz``.

    Raises:
        ValueError: the file or the array is missing, or the file is damaged.
    """
    found = read_array_if_there(path, key)
    if found is None:
        with open_arrays(path) as arrays:
            raise ValueError(f"{path} has no array {key!r}; there are: {', '.join(arrays.files)}.")
    return found


def read_array_if_there(path: Path, key: str, about: Mapping[str, object] | None = None) -> np.ndarray | None:
    """One array of an ``.npz``; None where it has none of this name.

    Args:
        path: of the file.
        key: of the array.
        about: what the file is to be.

    Raises:
        ValueError: the file is missing, damaged, or another.
    """
    with open_arrays(path) as arrays:
        try:
            check_label(arrays, about or {})
            return np.asarray(arrays[key]) if key in arrays.files else None
        except Exception as error:  # a damaged archive raises nearly anything
            raise ValueError(
                f"{path} cannot be used ({first_line(error)}); give the same `deltabench run` again."
            ) from None
