"""The second attribute judge: other pictures than the first one's, and more than a third of them spoiled.

Cross-entropy over the factors whose label is known, with one class more a factor: no valid value. The tower is frozen,
so that its tokens are computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eval.domains.avatars import datasets
from eval.domains.avatars.factors import FACTOR_NAMES
from eval.domains.avatars.networks import to_float
from eval.domains.avatars.recipes.attributes import augment
from eval.domains.avatars.recipes.spoiled import NONE, UNKNOWN, Networks, inversions, moved_codes, spoiled_pixels
from eval.domains.avatars.second_judge import PatchReader, SecondJudge, patch_tokens
from eval.domains.recipes.training import Report, print_report, schedule, train
from eval.pixels import round_to_8_bit, to_levels

NAME = "second-judge"


@dataclass(frozen=True)
class SecondJudgeRecipe:
    """What the training needs: how many pictures of each kind, and the steps."""

    split: str = NAME
    seed: int = 501
    width: int = 128
    renders: int = 6_000
    inverted: int = 3_000
    moved: int = 4_800
    spoiled: int = 2_400
    steps: int = 1_600
    batch: int = 64
    learning_rate: float = 2e-3
    accepted: float = 0.97  # share of unseen inversions that are accepted as what they show


RECIPE = SecondJudgeRecipe()
CHECK_PICTURES = 640  # of moved codes, of other persons, that the card's last rows are measured on
UNSEEN = 2_000  # inversions: on the first half the slack is chosen, on the other it is measured
AT_ONCE = 100


@torch.no_grad()
def examples(networks: Networks, recipe: SecondJudgeRecipe, report: Report) -> tuple[Tensor, Tensor]:
    """All pictures of the training, uint8 [N, 3, 64, 64], and their labels, int64 [N, F]."""
    rng = np.random.default_rng(recipe.seed)
    people, renders = datasets.portraits(recipe.split), datasets.renders(recipe.split, progress=_told(report))
    known = np.where(people.visible(), people.values, UNKNOWN)
    inverted = inversions(networks, renders[: recipe.inverted], recipe.split)
    moved, moved_labels = moved_codes(networks, recipe.moved, recipe.seed)
    plain = slice(len(renders) - recipe.renders, None)
    kinds = [(renders[plain], known[plain]), (inverted, known[: recipe.inverted]), (moved, moved_labels)]
    pictures, labels = [], [part for _, part in kinds]
    for images, _ in kinds:
        blocks = range(0, len(images), AT_ONCE)
        pictures += [augment(to_float(images[start : start + AT_ONCE]), rng) for start in blocks]
    for start in range(0, recipe.spoiled, AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        spoiled, none = spoiled_pixels(renders[rows], people.values[rows], rng)
        pictures.append(spoiled)
        labels.append(none)
    return torch.cat([to_levels(part) for part in pictures]), torch.from_numpy(np.concatenate(labels))


def known_cross_entropy(logits: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Mean over factors of the cross-entropy over the pictures whose label is known; labels int64 [N, F]."""
    losses = [F.cross_entropy(logits[name], labels[:, i], ignore_index=UNKNOWN) for i, name in enumerate(FACTOR_NAMES)]
    return torch.stack(losses).mean()


def train_second_judge(
    tower: nn.Module, networks: Networks, report: Report = print_report, recipe: SecondJudgeRecipe = RECIPE
) -> tuple[SecondJudge, float]:
    """Train it; returns the judge in eval mode and the seconds that the steps took.

    Args:
        tower: the image tower of the judge CLIP.
        networks: what spoiled and inverted pictures are made with.
        report: where progress goes.
        recipe: how much of what.
    """
    torch.manual_seed(recipe.seed)
    reader = PatchReader(recipe.width)
    adam = torch.optim.AdamW(reader.parameters(), lr=recipe.learning_rate, weight_decay=0.05)
    pictures, labels = examples(networks, recipe, report)
    tokens = _tokens(tower, pictures, report)

    def step(number: int, rng: np.random.Generator) -> dict[str, float]:
        adam.param_groups[0]["lr"] = schedule(number, recipe.steps, recipe.learning_rate, warmup=100)
        rows = torch.from_numpy(rng.integers(0, len(pictures), recipe.batch))
        loss = known_cross_entropy(reader(tokens[rows].float(), _float(pictures[rows])), labels[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
        return {"loss": float(loss.detach())}

    seconds = train(NAME, {"network": reader}, {"adam": adam}, step, recipe.steps, recipe.seed, report)
    judge = SecondJudge(tower, reader, torch.zeros(len(FACTOR_NAMES))).eval()
    judge.slack = _slack(judge, networks, recipe)
    return judge, seconds


@torch.no_grad()
def _slack(judge: SecondJudge, networks: Networks, recipe: SecondJudgeRecipe) -> Tensor:
    """For each factor what lets the wanted share of the first half of unseen inversions pass: float32 [F]."""
    pictures, values, visible = _unseen(networks, recipe, slice(0, UNSEEN // 2))
    logits = [judge(block) for block in to_float(pictures).split(256)]
    found = []
    for i, name in enumerate(FACTOR_NAMES):
        answers = torch.cat([block[name] for block in logits])
        behind = answers.amax(1) - answers[torch.arange(len(answers)), torch.from_numpy(values[:, i])]
        found.append(float(np.quantile(behind[torch.from_numpy(visible[:, i])], recipe.accepted)))
    return torch.tensor(found)


def _unseen(networks: Networks, recipe: SecondJudgeRecipe, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inversions that nothing was trained on, what they show, and what can be seen of it."""
    split = f"{recipe.split}-check"
    people = datasets.portraits(split, UNSEEN)[rows]
    return inversions(networks, datasets.renders(split)[:UNSEEN], split)[rows], people.values, people.visible()


@torch.no_grad()
def _tokens(tower: nn.Module, pictures: Tensor, report: Report) -> Tensor:
    """Of all pictures, float16 [N, 64, T]."""
    parts = []
    for start in range(0, len(pictures), AT_ONCE):
        parts.append(patch_tokens(tower, _float(pictures[start : start + AT_ONCE])).half())
        report("tokens", min(start + AT_ONCE, len(pictures)), len(pictures), {})
    return torch.cat(parts)


def _float(levels: Tensor) -> Tensor:
    return levels.float() / 127.5 - 1


def _told(report: Report) -> Callable[[int, int], None]:
    return lambda done, count: report("renders", done, count, {})


@torch.no_grad()
def measured(judge: SecondJudge, networks: Networks, recipe: SecondJudgeRecipe = RECIPE) -> dict[str, float]:
    """Accuracy on held-out renders by factor, and what it says of held-out moved codes and of spoiled pixels."""
    people = datasets.portraits(f"{recipe.split}-check")
    pictures, visible = datasets.renders(f"{recipe.split}-check"), people.visible()
    right = _read(judge, to_float(pictures)) == people.values
    shares = [float(right[visible[:, i], i].mean()) for i in range(len(FACTOR_NAMES))]
    found = {"accuracy on visible factors: mean": float(np.mean(shares))}
    found |= {f"accuracy on visible factors: {name}": share for name, share in zip(FACTOR_NAMES, shares, strict=True)}
    inverted, values, visible = _unseen(networks, recipe, slice(UNSEEN // 2, UNSEEN))
    accepted = _accepted(judge, to_float(inverted), values)
    for i, name in enumerate(FACTOR_NAMES):
        found[f"inversions accepted as what they show: {name}"] = float(accepted[visible[:, i], i].mean())
    moved, labels = moved_codes(networks, CHECK_PICTURES, recipe.seed + 1)
    rows, factors = np.nonzero(labels == NONE)
    claims = np.stack([logits.numpy().sum(1) > 0 for logits in judge.accepts(to_float(moved)).values()], 1)
    found["moved codes of no valid value: some value is accepted"] = float(claims[rows, factors].mean())
    spoiled, labels = spoiled_pixels(pictures, people.values, np.random.default_rng(recipe.seed))
    accepted = _accepted(judge, round_to_8_bit(spoiled), people.values)
    found["spoiled pixels: the portrait's own value is accepted"] = float(accepted[labels == NONE].mean())
    return found


def _accepted(judge: SecondJudge, images: Tensor, values: np.ndarray) -> np.ndarray:
    """Whether values int64 [N, F] are accepted: bool [N, F]."""
    parts = []
    for block, wanted in zip(images.split(256), torch.from_numpy(values).split(256), strict=True):
        answers = judge.accepts(block).values()
        parts.append(torch.stack([a.gather(1, wanted[:, i : i + 1])[:, 0] for i, a in enumerate(answers)], 1))
    accepted: np.ndarray = torch.cat(parts).numpy()
    return accepted


def _read(judge: SecondJudge, images: Tensor) -> np.ndarray:
    parts = [torch.stack([logits.argmax(1) for logits in judge(block).values()], 1) for block in images.split(256)]
    read: np.ndarray = torch.cat(parts).numpy()
    return read
