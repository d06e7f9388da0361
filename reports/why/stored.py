"""A number of a cell from the features and pictures that the run folder keeps, by the metrics' own functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.runs.reader import Run
from reports.writers.layout import Value

if TYPE_CHECKING:
    from pandas import Series
    from torch import Tensor

NOTHING: tuple[Value, str] = (None, "")
PICTURES = ("edit_l1", "outside_l1", "outside_psnr_db", "counterfactual_psnr_db")


def recomputed(run: Run, row: Series, name: str) -> tuple[Value, str]:
    """The number of a cell's column and how it was found; how is '' where what the folder keeps does not suffice.

    Args:
        run: opened.
        row: of ``Run.rows``.
        name: of the column.
    """
    if name in ("identity", "counterfactual_identity"):
        return _identity(run, row, name)
    if name in ("success", "eligible", "preservation") or name.startswith("preservation."):
        return _reading(run, row, name)
    if name in PICTURES:
        return _difference(run, row, name)
    if name == "inversion_psnr_db":
        from eval.metrics.counterfactual import psnr

        pair = (_image(run.sources(key)[row["source"]]) for key in ("reconstructions", "images"))
        return float(psnr(*pair)), "PSNR of the stored pictures"
    return NOTHING


def _identity(run: Run, row: Series, name: str) -> tuple[Value, str]:
    """Cosine of the stored embeddings of the edit and of the original or the counterfactual."""
    from torch import from_numpy

    from eval.metrics.identity import identity_similarity

    other = run.sources("identity") if name == "identity" else run.counterfactual(row["prompt"], "identity")
    if other is None or not other.size:
        return NOTHING
    place, source = int(row["position"]), int(row["source"])
    edit = run.chunk_array(row["chunk"], "identity")[place : place + 1]
    pair = (from_numpy(np.asarray(part, dtype=np.float32)) for part in (edit, other[source : source + 1]))
    return float(identity_similarity(*pair)), "cosine of the stored embeddings"


def _reading(run: Run, row: Series, name: str) -> tuple[Value, str]:
    """What the judge reads before and after, from the stored logits."""
    import torch

    from eval.metrics.attributes import attribute_change

    place, source = int(row["position"]), int(row["source"])
    visible = run.counterfactual(row["prompt"], "visible")
    after = run.chunk_array(row["chunk"], "logits")
    if visible is None or not visible.size or not after.size:
        return NOTHING
    about = next(prompt for prompt in run.prompts if prompt["name"] == row["prompt"])
    sizes = [len(values) for values in run.factors.values()]
    before, later = (
        dict(zip(run.factors, torch.from_numpy(logits[None]).split(sizes, 1), strict=True))
        for logits in (run.sources("logits")[source], after[place])
    )
    factor, value = about["attribute"], about["value"]
    target = list(run.factors).index(factor), run.factors[factor].index(value)
    sigma = {key: torch.ones(size) for key, size in zip(run.factors, sizes, strict=True)}  # no reading depends on it
    change = attribute_change(before, later, sigma, torch.from_numpy(visible[source : source + 1]), target)
    how = "the largest of the stored logits"
    if name in ("success", "eligible"):
        return bool(getattr(change, name)), how
    number = (
        change.preservation
        if name == "preservation"
        else change.preserved[:, list(run.factors).index(name[len("preservation.") :])]
    )
    return (None if number.isnan() else float(number)), how


def _difference(run: Run, row: Series, name: str) -> tuple[Value, str]:
    """Of the edit and the reconstruction, or the counterfactual, where the chunk keeps the edit's picture."""
    from torch import from_numpy

    from eval.metrics.counterfactual import psnr
    from eval.metrics.locality import outside_l1, outside_psnr

    source, how = int(row["source"]), "the stored pictures"
    stored = run.chunk_array(row["chunk"], "kept").tolist()
    if source not in stored:
        return NOTHING
    edit = _image(run.chunk_array(row["chunk"], "images")[stored.index(source)])
    if name == "counterfactual_psnr_db":
        counterfactuals = run.counterfactual(row["prompt"], "images")
        return (
            NOTHING
            if counterfactuals is None or not counterfactuals.size
            else (float(psnr(edit, _image(counterfactuals[source]))), how)
        )
    before = _image(run.sources("reconstructions")[source])
    if name == "edit_l1":
        return float((edit - before).abs().mean()), how
    region = run.counterfactual(row["prompt"], "region")
    if region is None:
        return NOTHING
    region = region if region.ndim == 2 else region[source]
    measure = outside_psnr if name == "outside_psnr_db" else outside_l1
    number = measure(before, edit, from_numpy(region.astype(bool)))
    return (None if number.isnan() else float(number)), how


def _image(pixels: np.ndarray) -> Tensor:
    """uint8 [H, W, 3] as float32 [1, 3, H, W] in [-1, 1]."""
    from torch import from_numpy

    return from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
