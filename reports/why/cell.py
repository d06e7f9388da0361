"""One number of one cell: ``deltaedit/glasses/test-0003/identity``, found and explained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reports.why.again import agrees
from reports.why.explain import code, costs, determinism, editor, networks, strengths
from reports.why.files import Files, Info
from reports.why.measures import measure_of
from reports.why.value import listed, no_such
from reports.writers.layout import Value

if TYPE_CHECKING:
    from pandas import Series

TOLERANCE = 1e-5  # relative: the numbers of a cell are computed in float32
LABELS = ("editor", "prompt", "strength", "kind", "effect_goal", "image")


class Cell(NamedTuple):
    """A number of a cell.

    Attributes:
        row: of the chunk's parquet file.
        info: what the chunk's ``.json`` says.
        column: name.
    """

    row: Series
    info: Info
    column: str

    @property
    def name(self) -> str:
        """How to ask for it."""
        goal = self.info.get("effect_goal")
        kind = f"{self.info['kind']}/{self.info['strength'] if goal is None else goal:g}"
        return f"{self.info['editor']}/{self.info['prompt']}/{kind}/{self.row['image']}/{self.column}"


def find_cell(folder: Path, text: str) -> Cell:
    """The number of a cell that a text names.

    Raises:
        ValueError: nothing or more than one number fits; the sentence names the nearest ones.
    """
    files = Files(folder)
    words = [word.strip() for word in text.split("/") if word.strip()]
    infos = files.infos
    for key in ("editor", "prompt"):
        allowed = list(dict.fromkeys(info[key] for info in infos))
        word = next((word for word in words if word in allowed), None)
        if word is None:
            raise ValueError(no_such(key, words[0] if words else "", allowed, FORM))
        infos = [info for info in infos if info[key] == word]
        words.remove(word)
    image = next((word for word in words if word in files.names), None)
    if image is None:
        raise ValueError(no_such("image", words[0] if words else "", files.names, FORM))
    words.remove(image)
    return _one(files, infos, image, words, text)


FORM = "a cell is written editor/prompt/image/column, for example deltaedit/glasses/test-0003/identity"


def _one(files: Files, infos: list[Info], image: str, words: list[str], text: str) -> Cell:
    """The cell of an image in one of some chunks, by the words that are left: a column, a kind, a strength or goal."""
    number = files.names.index(image)
    infos = [info for info in infos if info["first"] <= number < info["first"] + info["count"]]
    if not infos:
        raise ValueError(f"No finished chunk has {image} for {text}; give the same `deltabench run` again.")
    columns = [name for name in files.cells(infos[:1]).columns if measure_of(str(name)) and name not in LABELS]
    column = next((word for word in words if word in columns), None)
    if column is None:
        wrong = next((word for word in words if not any(_is(info, word) for info in infos)), "")
        raise ValueError(no_such("column of a cell", wrong, columns, FORM))
    others = [word for word in words if word != column]
    fitting = [info for info in infos if all(_is(info, word) for word in others)]
    found = [Cell(_row(files, info, image), info, column) for info in fitting]
    if len(found) == 1:
        return found[0]
    names = [Cell(_row(files, info, image), info, column).name for info in fitting or infos]
    what = f"fits {len(names)} values" if found else "fits none"
    raise ValueError(f"{text} {what}: {listed(names)}; add what tells them apart.")


def _is(info: Info, word: str) -> bool:
    """Whether a word is the chunk's kind, its goal, or without a goal its strength."""
    if word == info["kind"]:
        return True
    try:
        goal = info.get("effect_goal")
        return float(word.removesuffix("σ")) == float(info["strength"] if goal is None else goal)
    except ValueError:
        return False


def _row(files: Files, info: Info, image: str) -> Series:
    rows = files.cells([info])
    return rows[rows["image"] == image].iloc[0]


def explain_cell(folder: Path, cell: Cell) -> dict[str, Any]:
    """How a number of a cell came to be; the same parts as ``reports.why.explain.explain``."""
    files = Files(folder)
    measure = measure_of(cell.column)
    if measure is None:
        raise ValueError(f"The column {cell.column} has no explanation.")
    metrics = (measure.recipe,) if measure.recipe else ()
    value = _plain(cell.row[cell.column])
    again, how = cell_again(files, cell)
    same, difference = agrees(_text(value), again, TOLERANCE) if how else (None, 0.0)
    return {
        "value": {"name": cell.name, "text": _text(value), "eligible": bool(cell.row["eligible"])},
        "formula": {"text": measure.formula, "source": measure.source},
        "recipe": {metric: files.manifest.get("recipes", {}).get(metric, "") for metric in metrics},
        "cells": {},
        "networks": networks(files.manifest, metrics),
        "editor": editor(files.manifest, cell.info["editor"]),
        "strengths": strengths(files, [cell.info]),
        "seeds": {"editors": files.manifest.get("arguments", {}).get("seed")},
        "costs": costs(files, cell.info["editor"]),
        "determinism": determinism(files, cell.info["editor"]),
        "code": code(files.manifest),
        "files": [f"chunks/{cell.info['id']}.parquet"],
        "recomputed": {
            "value": again,
            "how": how or "not computed again: it takes the network, or what the folder does not keep",
            "agrees": same,
            "difference": None if difference != difference else difference,
        },
    }


def cell_again(files: Files, cell: Cell) -> tuple[Value, str]:
    """The number from the features and pictures that the folder keeps; how is '' where they do not suffice."""
    place, source = int(cell.row["position"]), int(cell.row["source"])
    prompt = next(entry for entry in files.prompts if entry["name"] == cell.info["prompt"])
    name = cell.column
    if name in ("identity", "counterfactual_identity"):
        other = ("sources.npz", f"references/{prompt['name']}.npz")[name != "identity"]
        embeddings = files.array(other, "identity")
        if embeddings.size:
            return _cosine(files.of_chunk(cell.info, "identity")[place], embeddings[source]), "cosine of the embeddings"
    if name in ("success", "eligible", "kept") or name.startswith("kept."):
        return _from_logits(files, cell, prompt, place, source)
    kept = files.of_chunk(cell.info, "kept").tolist()
    if source in kept and name in ("edit_l1", "outside_l1", "outside_psnr_db", "counterfactual_psnr_db"):
        picture = files.of_chunk(cell.info, "images")[kept.index(source)]
        return _from_pictures(files, name, prompt["name"], picture, source)
    if name == "inversion_psnr_db":
        pair = (files.array("sources.npz", key)[source] for key in ("reconstructions", "images"))
        return _psnr(*pair), "PSNR of the stored pictures"
    return None, ""


def _from_logits(files: Files, cell: Cell, prompt: dict[str, str], place: int, source: int) -> tuple[Value, str]:
    """What the judge reads before and after, from the stored logits."""
    factors = files.factors
    before, after = files.array("sources.npz", "logits")[source], files.of_chunk(cell.info, "logits")[place]
    visible = files.array(f"references/{prompt['name']}.npz", "visible")
    if not after.size or not visible.size:
        return None, ""
    ends = np.cumsum([len(values) for values in factors.values()])[:-1]
    reads = [
        {name: int(part.argmax()) for name, part in zip(factors, np.split(logits, ends), strict=True)}
        for logits in (before, after)
    ]
    seen = dict(zip(factors, visible[source], strict=True))
    target, wanted = prompt["attribute"], factors[prompt["attribute"]].index(prompt["value"])
    kept = {name: reads[0][name] == reads[1][name] for name in factors if seen[name] and name != target}
    how = "the largest of the stored logits"
    if cell.column == "success":
        return reads[1][target] == wanted, how
    if cell.column == "eligible":
        return bool(seen[target]) and reads[0][target] != wanted, how
    if cell.column == "kept":
        return (sum(kept.values()) / len(kept) if kept else None), how
    factor = cell.column.removeprefix("kept.")
    return (float(kept[factor]) if factor in kept else None), how


def _from_pictures(files: Files, name: str, prompt: str, edit: np.ndarray, source: int) -> tuple[Value, str]:
    """Differences of the stored pictures."""
    how = "the stored pictures"
    if name == "counterfactual_psnr_db":
        answers = files.array(f"references/{prompt}.npz", "images")
        return (_psnr(edit, answers[source]), how) if answers.size else (None, "")
    before = files.array("sources.npz", "reconstructions")[source]
    outside = ~files.array(f"references/{prompt}.npz", "region").astype(bool)
    if name == "edit_l1":
        outside = np.ones_like(outside)
    if not outside.any():
        return None, how
    if name == "outside_psnr_db":
        return _psnr(edit[outside], before[outside]), how
    return float(np.abs(edit[outside].astype(float) - before[outside]).mean() / 127.5), how


def _psnr(first: np.ndarray, second: np.ndarray) -> float:
    """PSNR in dB of uint8 pictures as images in [-1, 1], at most that of rounding to 8 bits."""
    error = np.square((first.astype(float) - second) / 127.5).mean()
    return min(float(10 * np.log10(4 / error)), CEILING_DB) if error else CEILING_DB


CEILING_DB = float(10 * np.log10(12 * 255**2))


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    one, other = first.astype(float), second.astype(float)
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def _plain(value: Any) -> bool | float:
    return bool(value) if isinstance(value, (bool, np.bool_)) else float(value)


def _text(value: bool | float) -> str:
    return str(value) if isinstance(value, bool) else "" if value != value else repr(value)
