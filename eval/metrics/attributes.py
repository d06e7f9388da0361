"""What the attribute judge saw change: the effect on the target and the collateral on every other factor.

The unit is σ: one standard deviation of a value's one-vs-rest log-odds over real images. Attribute Dependency is that
of StyleSpace (Wu et al. 2021, arXiv 2011.12799), whose code was never released: |Δlog-odds| / σ of the other factors,
mean and maximum, beside the effect on the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


def log_odds(logits: Tensor) -> Tensor:
    """One-vs-rest log-odds of each value: its logit minus the logsumexp of the others'.

    A factor of a single logit (present or not) is its own log-odds.

    Args:
        logits: float [N, V] of one factor.

    Returns:
        float [N, V].

    >>> log_odds(torch.tensor([[0.0, 1.0]])).tolist()
    [[-1.0, 1.0]]
    """
    values = logits.shape[1]
    if values == 1:
        return logits
    others = ~torch.eye(values, dtype=torch.bool, device=logits.device)
    rest = logits[:, None].expand(-1, values, -1).masked_fill(~others, -torch.inf).logsumexp(2)
    return logits - rest


def lacks(logits: Tensor, visible: Tensor, value: int) -> Tensor:
    """Which images an edit to a value may succeed on: those that do not show it yet, though it could be seen.

    Args:
        logits: float [N, V] of the factor, before the edit.
        visible: bool [N], of the factor.
        value: its number.

    >>> lacks(torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), torch.tensor([True, True, False]), 1).tolist()
    [False, True, False]
    """
    return (logits.argmax(1) != value) & visible


@dataclass(frozen=True)
class AttributeChange:
    """What a batch of edits did to the factors. F factors in the domain's order.

    Attributes:
        eligible: bool [N], the image did not have the value yet, and the target factor can be seen.
        success: bool [N], the judge now reads the value.
        target_effect: float [N], σ: change of the target value's log-odds.
        effects: float [N, F], σ: mean |change| over a factor's values; NaN where the factor cannot be seen.
        preserved: float [N, F], 1 or 0: the judge reads the same value as before; NaN for the target and the unseen.
        ad_mean: float [N], σ: mean of ``effects`` over the other visible factors; NaN if there are none.
        ad_max: float [N], σ: their maximum.
        preservation: float [N] in [0, 1]: mean of ``preserved``; NaN if there are none.
    """

    eligible: Tensor
    success: Tensor
    target_effect: Tensor
    effects: Tensor
    preserved: Tensor
    ad_mean: Tensor
    ad_max: Tensor
    preservation: Tensor


def attribute_change(
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    sigma: Mapping[str, Tensor],
    visible: Tensor,
    target: tuple[int, int],
) -> AttributeChange:
    """Compare the judge's logits of reconstructions and edits.

    Args:
        before: factor -> logits float [N, V] of the reconstructions.
        after: the same of the edits.
        sigma: factor -> standard deviation of the log-odds [V].
        visible: bool [N, F], factors in the order of ``before``.
        target: number of the asked factor, number of the asked value.
    """
    factor, value = target
    changes = [(log_odds(after[name]) - log_odds(before[name])) / sigma[name] for name in before]
    effects = torch.stack([change.abs().mean(1) for change in changes], 1)
    effects = effects.masked_fill(~visible, torch.nan)
    read_before = torch.stack([before[name].argmax(1) for name in before], 1)
    read_after = torch.stack([after[name].argmax(1) for name in before], 1)
    others = visible.clone()
    others[:, factor] = False
    preserved = (read_before == read_after).to(effects.dtype).masked_fill(~others, torch.nan)
    other_effects = effects.masked_fill(~others, torch.nan)
    largest = other_effects.nan_to_num(nan=-torch.inf).amax(1)
    return AttributeChange(
        eligible=lacks(before[list(before)[factor]], visible[:, factor], value),
        success=read_after[:, factor] == value,
        target_effect=changes[factor][:, value],
        effects=effects,
        preserved=preserved,
        ad_mean=other_effects.nanmean(1),
        ad_max=largest.masked_fill(largest.isneginf(), torch.nan),  # no other factor is seen, or none has a σ
        preservation=preserved.nanmean(1),
    )
