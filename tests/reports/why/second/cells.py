"""A number of a cell from the features and pictures that the folder keeps, by other code than the metrics'."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports.writers.layout import Value
from tests.reports.why.second.files import Files, Info

if TYPE_CHECKING:
    from pandas import Series


def second_cell_value(files: Files, info: Info, row: Series, name: str) -> tuple[Value, str]:
    """The number from the features and pictures that the folder keeps; how is '' where they do not suffice."""
    place, source = int(row["position"]), int(row["source"])
    prompt = next(entry for entry in files.prompts if entry["name"] == info["prompt"])
    if name in ("identity", "counterfactual_identity"):
        other = ("sources.npz", f"counterfactuals/{prompt['name']}.npz")[name != "identity"]
        embeddings = files.array(other, "identity")
        if embeddings.size:
            return _cosine(files.of_chunk(info, "identity")[place], embeddings[source]), "cosine of the embeddings"
    if name in ("success", "eligible", "preservation") or name.startswith("preservation."):
        return _from_logits(files, info, name, prompt, place, source)
    kept = files.of_chunk(info, "kept").tolist()
    if source in kept and name in ("edit_l1", "outside_l1", "outside_psnr_db", "counterfactual_psnr_db"):
        picture = files.of_chunk(info, "images")[kept.index(source)]
        return _from_pictures(files, name, prompt["name"], picture, source)
    if name == "inversion_psnr_db":
        pair = (files.array("sources.npz", key)[source] for key in ("reconstructions", "images"))
        return _psnr(*pair), "PSNR of the stored pictures"
    return None, ""


def _from_logits(
    files: Files, info: Info, name: str, prompt: dict[str, str], place: int, source: int
) -> tuple[Value, str]:
    """What the judge reads before and after, from the stored logits."""
    factors = files.factors
    before, after = files.array("sources.npz", "logits")[source], files.of_chunk(info, "logits")[place]
    visible = files.array(f"counterfactuals/{prompt['name']}.npz", "visible")
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
    if name == "success":
        return reads[1][target] == wanted, how
    if name == "eligible":
        return bool(seen[target]) and reads[0][target] != wanted, how
    if name == "preservation":
        return (sum(kept.values()) / len(kept) if kept else None), how
    factor = name.removeprefix("preservation.")
    return (float(kept[factor]) if factor in kept else None), how


def _from_pictures(files: Files, name: str, prompt: str, edit: np.ndarray, source: int) -> tuple[Value, str]:
    """Differences of the stored pictures."""
    how = "the stored pictures"
    if name == "counterfactual_psnr_db":
        counterfactuals = files.array(f"counterfactuals/{prompt}.npz", "images")
        return (_psnr(edit, counterfactuals[source]), how) if counterfactuals.size else (None, "")
    before = files.array("sources.npz", "reconstructions")[source]
    outside = ~files.array(f"counterfactuals/{prompt}.npz", "region").astype(bool)
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
