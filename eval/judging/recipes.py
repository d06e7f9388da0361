"""Which numbers a cell has, and how each came to be."""

from __future__ import annotations

import hashlib

from eval.domains.base import Domain

_FRECHET = "float64,unbiased-covariance"
_KERNEL = "float64,{},unbiased,different-persons,8-bit"


def column_names(domain: Domain) -> tuple[str, ...]:
    """The numbers of a cell, in the order of the stored table."""
    return (
        *("eligible", "success", "target_effect", "ad_mean", "ad_max", "kept"),
        *(f"kept.{factor}" for factor in domain.factors),
        *(f"effect.{factor}" for factor in domain.factors),
        *("identity", "clip_score_editing", "clip_score_judge", "directional_editing", "directional_judge"),
        *("counterfactual_psnr_db", "counterfactual_ssim", "counterfactual_identity"),
        *("inversion_psnr_db", "inversion_ssim", "outside_psnr_db", "outside_l1", "edit_l1"),
    )


def recipes(domain: Domain) -> dict[str, str]:
    """Metric -> recipe id: what was computed, and the first 12 digits of the sha256 of the network that it rests on.

    Values of different recipes must not share a column.
    """
    kinds = {
        "attribute-judge": (
            "one-vs-rest-log-odds",
            ("eligible", "success", "target_effect", "ad_mean", "ad_max", "kept"),
        ),
        "identity": ("cosine", ("identity", "counterfactual_identity")),
        "editing-clip": ("bicubic-antialias,79-templates", ("clip_score_editing", "directional_editing")),
        "judge-clip": ("bicubic-antialias,79-templates", ("clip_score_judge", "directional_judge")),
        "frechet-features": (_FRECHET, (domain.judges.frechet_name,)),
        "": (
            "range-2,gaussian-11-1.5,visible-pixels",
            tuple(name for name in column_names(domain) if name.endswith(("_db", "_l1"))),
        ),
        # Until its pictures were mapped to [0, 1], SSIM was "range-2,gaussian-11-1.5,visible-pixels,8-bit".
        "ssim": ("range-0-to-1,gaussian-11-1.5", ("counterfactual_ssim", "inversion_ssim")),
    }
    found = {
        metric: f"{domain.judges.protocols.get(network, protocol)},8-bit{_network_id(domain, network)}"
        for network, (protocol, metrics) in kinds.items()
        for metric in metrics
    }
    return found | _kernel_recipes(domain)


def _kernel_recipes(domain: Domain) -> dict[str, str]:
    """Of KID, on pictures prepared as for the Fréchet distance, and of CMMD, on the judge CLIP's features."""
    prepared = domain.judges.protocols.get("frechet-features", _FRECHET).removesuffix(_FRECHET)
    cubic, gaussian = _KERNEL.format("cubic-kernel"), _KERNEL.format("gaussian-kernel-10,times-1000")
    return {
        "kid": f"{prepared}{cubic}{_network_id(domain, 'frechet-features')}",
        "cmmd": f"bicubic-antialias,{gaussian}{_network_id(domain, 'judge-clip')}",
    }


def _network_id(domain: Domain, network: str) -> str:
    """``@name:digits``; of a domain that names its networks otherwise, the digits of all its judges together."""
    if network in ("", "ssim"):
        return ""
    known = {**domain.fingerprints, **domain.judges.fingerprints}
    every = "".join(domain.judges.fingerprints[name] for name in sorted(domain.judges.fingerprints))
    return f"@{network}:{known.get(network, hashlib.sha256(every.encode()).hexdigest())[:12]}"
