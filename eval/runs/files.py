"""Files of a run folder, read; what is missing or damaged is one sentence with the way to mend it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def first_line(error: Exception) -> str:
    """An error's first line, without its full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: it is missing or no JSON; with what to do.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"The run folder has no {path}; give the same `deltabench run` again.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not valid JSON ({error}); delete it and give the same `deltabench run` again."
        ) from None


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
    except (OSError, ValueError, BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be read ({first_line(error)}); delete it and give the same `deltabench run` again."
        ) from None


def read_array(path: Path, key: str) -> np.ndarray:
    """One array of an ``.npz``.

    Raises:
        ValueError: the file or the array is missing, or the file is damaged.
    """
    with open_arrays(path) as arrays:
        if key not in arrays.files:
            raise ValueError(f"{path} has no array {key!r}; there are: {', '.join(arrays.files)}.")
        array: np.ndarray = arrays[key]
    return array
