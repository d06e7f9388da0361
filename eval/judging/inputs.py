"""How images reach each network that scores: size, range, crop and filter, for ``manifest.json``."""

from __future__ import annotations

from eval.domains.base import Domain

RANGE, BITS = "[-1, 1]", 8


def inputs(domain: Domain) -> dict[str, dict[str, object]]:
    """Network -> ``image_px`` of the images, their ``range``, ``bits``, ``crop`` and ``resize``.

    The harness hands every network the whole picture of the generator, rounded to 8 bits. A CLIP resizes it to its own
    size; what a judge of another kind does to it is part of its protocol, as its domain states it.
    """
    side_px = domain.editing.synthesis.resolution
    clips = {"editing-clip": domain.editing.clip, "judge-clip": domain.judges.clip}
    found: dict[str, dict[str, object]] = {}
    for network in dict.fromkeys(["editing-clip", "judge-clip", *domain.judges.fingerprints]):
        resize = "none"
        if network in clips and clips[network].resolution != side_px:
            resize = f"{clips[network].interpolation}, antialiased, to {clips[network].resolution} px"
        elif network not in clips:
            resize = domain.judges.protocols.get(network, resize)
        found[network] = {"image_px": side_px, "range": RANGE, "bits": BITS, "crop": "none", "resize": resize}
    return found
