"""How each number of a run came to be."""

from __future__ import annotations

import hashlib

from eval.domains.base import Domain
from eval.metrics.book import CELL, SET, Metric, metrics

FEATURES = "frechet-features"
CLEAN = "clean_success"  # whose recipe also names the cosine of one person
SHARED = ("success", CLEAN)  # rest on all judges of values and pictures that the domain has
COUNTERFACTUAL = "success_by_counterfactual"
LOCAL = ("outside_psnr_db", "outside_l1")  # look at the region of a prompt
SHARING = ("second-judge", "realism")  # these, besides the attribute judge


def recipes(domain: Domain) -> dict[str, str]:
    """Metric -> recipe id: what was computed, and the first 12 digits of the sha256 of the network that it rests on.

    Values of different recipes must not share a column.
    """
    records = [record for record in metrics().values() if record.kind in (CELL, SET) and record.recipe]
    absent = [name for name in SHARING if name not in domain.judges.fingerprints]
    records = [record for record in records if record.judge not in absent]
    names = {"frechet": domain.judges.frechet_name}
    precision = domain.editing.precision
    bits = "8-bit" if precision == "float32" else f"8-bit,edited-in-{precision}"
    return {
        names.get(record.name, record.name): f"{_protocol(domain, record)},{bits}{_network_ids(domain, record)}"
        for record in records
    }


def _network_ids(domain: Domain, record: Metric) -> str:
    """The network of a record, and for success by all judges the others that count."""
    judges = domain.judges
    counts = dict(zip(SHARING, (judges.second_counts, not judges.counterfactual_counts), strict=True))
    counting = [name for name in SHARING if counts[name]]
    others = [name for name in counting if record.name in SHARED and name in domain.judges.fingerprints]
    return "".join(_network_id(domain, name) for name in (record.judge, *others))


def _protocol(domain: Domain, record: Metric) -> str:
    """The record's own recipe, or what the domain says of the network: for KID, how it prepares the pictures."""
    protocols = domain.judges.protocols
    if record.name in SHARED:
        read, person = metrics()["success"].recipe, domain.judges.same_person
        read = protocols.get(record.judge, read)
        if domain.judges.counterfactual_counts:
            read = f"{read},{metrics()[COUNTERFACTUAL].recipe}"
        threshold = "unknown" if person is None else f"{person:.4g}"
        return f"{read},{record.recipe},same-person-{threshold}" if record.name == CLEAN else read
    if record.name in LOCAL and "region" in protocols:
        return f"{record.recipe},{protocols['region']}"
    if record.kind == CELL or record.name == "frechet":
        return protocols.get(record.judge, record.recipe)
    own = metrics()["frechet"].recipe
    prepared = protocols.get(FEATURES, own).removesuffix(own) if record.judge == FEATURES else ""
    return f"{prepared}{record.recipe}"


def _network_id(domain: Domain, network: str) -> str:
    """``@name:digits``; of a domain that names its networks otherwise, the digits of all its judges together."""
    if not network:
        return ""
    known = {**domain.fingerprints, **domain.judges.fingerprints}
    every = "".join(domain.judges.fingerprints[name] for name in sorted(domain.judges.fingerprints))
    return f"@{network}:{known.get(network, hashlib.sha256(every.encode()).hexdigest())[:12]}"
