"""What the judges saw of one chunk: everything that a metric of a cell may be computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from eval.metrics.nearest import shown

if TYPE_CHECKING:
    from torch import Tensor

    from eval.metrics.attributes import AttributeChange
    from eval.metrics.clip_score import PromptFeatures


REAL = 1.0  # the largest distance of a real picture, in the unit of ``Judges.realism``


@dataclass(frozen=True)
class ClipView:
    """The pictures of a chunk and its prompt as one CLIP sees them.

    Attributes:
        before: unit features [n, E] of the reconstructions.
        after: unit features [n, E] of the edits.
        text: the prompt's texts.
    """

    before: Tensor
    after: Tensor
    text: PromptFeatures


@dataclass(frozen=True)
class JudgedChunk:
    """The n cells of one chunk. All tensors are float32 on the domain's device unless said otherwise.

    Attributes:
        originals: [n, 3, H, W] in [-1, 1], of 8-bit values, like all pictures here.
        reconstructions: the same through encoder and generator: the edit of strength 0.
        edits: what the editor made.
        counterfactuals: the exactly right pictures; None where the domain knows none.
        alternatives: [n, V, 3, H, W], the counterfactuals of every value of the target factor; None likewise.
        asked: number of the value asked for among these.
        region: bool [H, W], the pixels that the prompt may change; [n, H, W] where each image has its own.
        attributes: what the attribute judge saw change from reconstruction to edit.
        identity_originals: unit embeddings [n, E] by the identity judge.
        identity_edits: likewise.
        identity_counterfactuals: likewise; None where there are no counterfactuals.
        editing_clip: the CLIP that editors use.
        judge_clip: the judge CLIP.
        inversion_psnr_db: [n], reconstruction against original.
        inversion_ssim: [n], likewise.
        same_person: cosine of identity from which two pictures show one person; None where the domain states none.
        second: bool [n], the second attribute judge accepts the value asked for; None where there is no such judge.
        second_counts: success needs its yes.
        counterfactual_counts: success needs the counterfactual's yes, in place of realism's.
        realism: [n], distance from real pictures, at most 1 for a real one; None where the domain has no such judge.
    """

    originals: Tensor
    reconstructions: Tensor
    edits: Tensor
    counterfactuals: Tensor | None
    alternatives: Tensor | None
    asked: int
    region: Tensor
    attributes: AttributeChange
    identity_originals: Tensor
    identity_edits: Tensor
    identity_counterfactuals: Tensor | None
    editing_clip: ClipView
    judge_clip: ClipView
    inversion_psnr_db: Tensor
    inversion_ssim: Tensor
    same_person: float | None = None
    second: Tensor | None = None
    second_counts: bool = False
    counterfactual_counts: bool = False
    realism: Tensor | None = None

    @cached_property
    def shown(self) -> Tensor | None:
        """Float [n], 1 or 0, whether the edit shows the value by its counterfactual; NaN where the factor is hidden."""
        if self.alternatives is None:
            return None
        return shown(self.edits, self.alternatives, self.asked, self.originals)

    @property
    def success(self) -> Tensor:
        """Bool [n]: all judges that count find the value asked for, in a picture that is right or, not known, real."""
        shared = self.attributes.success
        shared = shared & self.second if self.second_counts and self.second is not None else shared
        if self.counterfactual_counts and self.shown is not None:
            return shared & (self.shown == 1)
        return shared if self.realism is None else shared & (self.realism <= REAL)
