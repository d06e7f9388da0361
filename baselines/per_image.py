"""What editors share that optimize the W+ code of every image apart: one text each, offsets, strength."""

from __future__ import annotations

from torch import Tensor

from baselines.objectives import block_size, gradients, in_blocks
from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain, TextPrompt


class PerImageOptimizer:
    """Edits by w' = w_s + strength (w* - w_s), where a subclass finds w* for each image and text.

    A subclass calls ``start_with(domain)`` in its ``prepare`` and offers ``optimize``.
    """

    def start_with(self, domain: EditingDomain) -> None:
        """Keep the domain; no text is encoded yet."""
        self._domain = domain
        self._texts: dict[str, Tensor] = {}

    def fit(self, prompt: TextPrompt) -> None:
        """Encode the text, one sentence without templates, as the released codes do."""
        with gradients():
            self._texts[prompt.target] = self._domain.clip.encode_texts([prompt.target])[0]

    def edit(self, latents: Latents, prompt: TextPrompt, strength: float) -> Latents:
        """Codes w_s + strength (w* - w_s)."""
        if strength == 0:
            return latents
        return latents.moved(self._domain.synthesis, strength * self.offsets(latents, prompt))

    def offsets(self, latents: Latents, prompt: TextPrompt) -> Tensor:
        """w* - w_s of every image, float32 [N, L, D]: the whole cost of an edit, the same for every strength."""
        text, size = self._texts[prompt.target], block_size(self._domain.synthesis)
        with gradients():
            return in_blocks(lambda start: self.optimize(start, text) - start, latents.w_plus.clone(), size)

    def optimize(self, start: Tensor, text: Tensor) -> Tensor:
        """w* of images that stay apart.

        Args:
            start: float32 [N, L, D], w_s.
            text: float32 [E], unit norm.

        Returns:
            float32 [N, L, D].
        """
        raise NotImplementedError
