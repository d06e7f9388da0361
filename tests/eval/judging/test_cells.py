import hashlib
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from deltaedit.backbones.clip import Clip
from deltaedit.backbones.latents import Latents
from deltaedit.backbones.stylegan2 import StyleGAN2
from eval.domains.base import Judges, Sources
from eval.judging.cells import (
    judge_attributes,
    judge_edits,
    judge_sources,
)
from eval.judging.counterfactuals import Candidates, judge_counterfactuals
from eval.judging.recipes import recipes
from eval.metrics.book import column_names
from eval.metrics.counterfactual import PSNR_CEILING_DB
from eval.pixels import round_to_8_bit, to_uint8
from eval.prompts import Prompt

FACTORS = {"hair": ("black", "red", "gray"), "glasses": ("no", "yes"), "mouth": ("flat", "smile")}
PROMPT = Prompt("glasses", "face", "face with glasses", "glasses", "yes")
COUNT = 7


class _ClipModel(nn.Module):
    def __init__(self, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.image = nn.Parameter(torch.randn(3 * 256, 5, generator=generator))
        self.text = nn.Parameter(torch.randn(32, 5, generator=generator))

    def encode_image(self, images):
        return images.flatten(1) @ self.image

    def encode_text(self, tokens):
        return self.text[tokens].sum(1)


def _tokenize(texts):
    return torch.tensor([[byte % 32 for byte in hashlib.md5(text.encode()).digest()] for text in texts])


def _linear(size, seed):
    weights = torch.randn(3 * 256, size, generator=torch.Generator().manual_seed(seed))
    return lambda images: images.flatten(1) @ weights / 10


class Domain:
    """Judges are linear in the pixels, so that every score can be computed again with numpy."""

    name = "linear"
    factors = FACTORS
    prompts = (PROMPT,)
    fingerprints = {"editing-clip": "e" * 64, "judge-clip": "c" * 64}  # noqa: RUF012

    def __init__(self, exact=True):
        self.exact = exact
        torch.manual_seed(0)
        synthesis = StyleGAN2(16, (4, 4, 4), 4).requires_grad_(False)
        self.editing = SimpleNamespace(
            clip=Clip(_ClipModel(1), _tokenize, 16),
            device=torch.device("cpu"),
            precision="float32",
            synthesis=synthesis,
            images=lambda latents: synthesis.synthesize(latents.s, latents.s_rgb),
        )
        w_plus = torch.randn(COUNT, synthesis.latents, 4)
        self.latents = Latents.from_w_plus(synthesis, w_plus)
        logits, identity = _linear(7, 2), _linear(4, 3)
        self.judges = Judges(
            attributes=lambda images: dict(zip(FACTORS, logits(images).split([3, 2, 2], 1), strict=True)),
            sigma={"hair": torch.tensor([1.0, 2, 4]), "glasses": torch.tensor([0.5, 3]), "mouth": torch.ones(2)},
            clip=Clip(_ClipModel(4), _tokenize, 16),
            identity=lambda images: F.normalize(identity(images), dim=1),
            identity_floor=0.0,
            identity_ceiling=1.0,
            frechet=_linear(6, 5),
            frechet_name="fd_linear",
            same_person=0.0 if exact else None,
            fingerprints={"judge-clip": "c" * 64, "attribute-judge": "a" * 64, "identity": "d" * 64},
        )

    def test_sources(self, count):
        images = torch.rand(COUNT, 3, 16, 16, generator=torch.Generator().manual_seed(6)) * 2 - 1
        return Sources(tuple(f"test-{i}" for i in range(count)), images[:count], self.latents[:count])

    def counterfactuals(self, which, count, prompt):
        return self.test_sources(count).images.flip(3) if self.exact else None

    def visible(self, which, count, prompt):
        seen = np.ones((count, 3), dtype=bool)
        seen[1, 0] = seen[2, 1] = False
        return seen if self.exact else None

    def region(self, which, count, prompt):
        inside = np.zeros((16, 16), dtype=bool)
        inside[4:9] = True
        return inside


@pytest.fixture(scope="module")
def domain():
    return Domain()


@pytest.fixture(scope="module")
def sources(domain):
    return judge_sources(domain, domain.test_sources(COUNT), 3)


@pytest.fixture(scope="module")
def counterfactuals(domain):
    return judge_counterfactuals(domain, "test", COUNT, PROMPT, 3)


@pytest.fixture(scope="module")
def edits():
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="module")
def judged(domain, sources, counterfactuals, edits):
    return judge_edits(domain, sources, counterfactuals, PROMPT, slice(2, 6), edits)


def saved_and_loaded(images):
    """What is left of an image after saving it with 8 bits, in float64."""
    return np.round((images.double().numpy().clip(-1, 1) + 1) * 127.5) / 127.5 - 1


def test_8_bit_values():
    images = torch.tensor([-3.0, -1, -0.999, 0, 0.5, 1, 9]).view(1, 1, 1, 7).expand(2, 3, 4, 7)
    assert to_uint8(images).shape == (2, 4, 7, 3)
    assert to_uint8(images).dtype == np.uint8
    assert to_uint8(images)[0, 0, :, 0].tolist() == [0, 0, 0, 128, 191, 255, 255]
    rounded = round_to_8_bit(images)
    assert rounded.numpy() == pytest.approx(saved_and_loaded(images), abs=1e-6)
    assert (to_uint8(rounded) == to_uint8(images)).all()


def test_sources_are_judged_as_saved(domain, sources):
    latents, originals = domain.latents, saved_and_loaded(domain.test_sources(COUNT).images)
    pictures = saved_and_loaded(domain.editing.images(latents))
    assert sources.originals[:].numpy() == pytest.approx(originals, abs=1e-6)
    assert sources.reconstructions[:].numpy() == pytest.approx(pictures, abs=1e-6)
    as_tensor = [torch.from_numpy(x).float() for x in (originals, pictures)]
    assert sources.frechet_originals.numpy() == pytest.approx(domain.judges.frechet(as_tensor[0]).numpy(), abs=1e-4)
    assert sources.frechet.numpy() == pytest.approx(domain.judges.frechet(as_tensor[1]).numpy(), abs=1e-4)
    assert sources.identity.numpy() == pytest.approx(domain.judges.identity(as_tensor[0]).numpy(), abs=1e-4)
    psnr = 10 * np.log10(4 / np.square(originals - pictures).mean((1, 2, 3)))
    assert sources.inversion_psnr_db.numpy() == pytest.approx(psnr, rel=1e-4)
    assert sources.names == tuple(f"test-{i}" for i in range(COUNT))


def test_the_batch_does_not_matter(domain, sources):
    other = judge_sources(domain, domain.test_sources(COUNT), 100)
    for name in ("frechet", "identity", "clip_editing", "clip_judge", "inversion_ssim"):
        assert getattr(other, name).numpy() == pytest.approx(getattr(sources, name).numpy(), abs=1e-5)


def test_columns_are_those_of_the_store(domain, judged):
    rows, features = judged
    assert list(rows[0]) == [
        *("prompt", "image", "eligible", "success", "target_effect", "ad_mean", "ad_max", "preservation"),
        *(
            "preservation.hair",
            "preservation.glasses",
            "preservation.mouth",
            "effect.hair",
            "effect.glasses",
            "effect.mouth",
        ),
        *("identity", "clip_score_editing", "clip_score_judge", "directional_editing", "directional_judge"),
        *("counterfactual_psnr_db", "counterfactual_ssim", "counterfactual_identity"),
        *("inversion_psnr_db", "inversion_ssim", "outside_psnr_db", "outside_l1", "edit_l1", "clean_success"),
        *("success_by_attributes", "success_by_second", "real", "success_by_counterfactual"),
    ]
    assert tuple(rows[0])[2:] == column_names(domain.factors)
    assert {type(value) for value in rows[0].values()} == {str, bool, float}
    assert [row["image"] for row in rows] == ["test-2", "test-3", "test-4", "test-5"]
    assert {name: (array.shape, array.dtype.name) for name, array in features.items()} == {
        "frechet": ((4, 6), "float32"),
        "identity": ((4, 4), "float32"),
        "clip": ((4, 5), "float32"),
        "logits": ((4, 7), "float32"),
    }


def cosine(first, second):
    return (first * second).sum(-1) / np.linalg.norm(first, axis=-1) / np.linalg.norm(second, axis=-1)


def test_scores_equal_numpy(domain, sources, judged, edits):
    rows, _ = judged
    column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    after, before = saved_and_loaded(edits), sources.reconstructions[2:6].double().numpy()
    original, exact = (
        sources.originals[:].double().numpy()[..., order] for order in (slice(None), slice(None, None, -1))
    )
    original, exact = original[2:6], exact[2:6]

    identity = torch.eye(3 * 256).view(-1, 3, 16, 16)
    embed = (domain.judges.attributes, _linear(4, 3))[1](identity).double().numpy()
    flat = [x.reshape(4, -1) for x in (original, after, exact)]
    assert column["identity"] == pytest.approx(cosine(flat[0] @ embed, flat[1] @ embed), abs=1e-5)
    assert column["counterfactual_identity"] == pytest.approx(cosine(flat[2] @ embed, flat[1] @ embed), abs=1e-5)
    assert column["edit_l1"] == pytest.approx(np.abs(after - before).mean((1, 2, 3)), abs=1e-6)
    outside = np.r_[0:4, 9:16]
    error = (after - before)[:, :, outside]
    assert column["outside_l1"] == pytest.approx(np.abs(error).mean((1, 2, 3)), abs=1e-6)
    assert column["outside_psnr_db"] == pytest.approx(10 * np.log10(4 / np.square(error).mean((1, 2, 3))), rel=1e-5)
    squared = np.square(after - exact).mean((1, 2, 3))
    assert column["counterfactual_psnr_db"] == pytest.approx(10 * np.log10(4 / squared), rel=1e-5)
    assert column["inversion_psnr_db"] == pytest.approx(sources.inversion_psnr_db[2:6].numpy())


@pytest.mark.parametrize(("column", "clip"), [("judge", "judges"), ("editing", "editing")])
def test_clip_scores_use_the_right_clip(domain, sources, judged, edits, column, clip):
    rows, _ = judged
    model = getattr(domain, clip).clip
    after = model.encode_images(torch.from_numpy(saved_and_loaded(edits)).float()).detach().numpy()
    text = model.encode_texts([PROMPT.target])[0].numpy()
    scores = np.array([row[f"clip_score_{column}"] for row in rows])
    assert scores == pytest.approx(np.maximum(100 * cosine(after, text), 0), abs=1e-3)


def test_attributes_equal_numpy(domain, sources, counterfactuals, judged, edits):
    rows, features = judged
    after = domain.judges.attributes(torch.from_numpy(saved_and_loaded(edits)).float())
    before = {name: logits[2:6] for name, logits in sources.logits.items()}
    assert features["logits"] == pytest.approx(torch.cat([*after.values()], 1).numpy(), abs=1e-4)
    for i, row in enumerate(rows):
        visible = counterfactuals.visible[i + 2]
        # two values: the log-odds of the second are the difference of the logits
        change = (after["glasses"] - before["glasses"])[i] @ torch.tensor([-1.0, 1.0])
        assert row["target_effect"] == pytest.approx(change.item() / 3, abs=1e-4)
        assert row["success"] == (after["glasses"][i].argmax().item() == 1)
        assert row["eligible"] == (before["glasses"][i].argmax().item() == 0 and visible[1])
        kept = {}
        for j, factor in enumerate(FACTORS):
            same = float(after[factor][i].argmax() == before[factor][i].argmax())
            kept[factor] = same if visible[j] and factor != "glasses" else math.nan
            assert row[f"preservation.{factor}"] == pytest.approx(kept[factor], nan_ok=True)
        assert row["preservation"] == pytest.approx(np.nanmean([*kept.values()]))
        others = [row[f"effect.{factor}"] for factor in ("hair", "mouth")]
        assert row["ad_mean"] == pytest.approx(np.nanmean(others))
        assert row["ad_max"] == pytest.approx(np.nanmax(others))
    assert math.isnan(rows[0]["effect.glasses"])  # image 2, whose glasses are hidden
    assert not rows[0]["eligible"]


def test_the_cheap_path_agrees(domain, sources, counterfactuals, judged, edits):
    rows, _ = judged
    before = {name: logits[2:6] for name, logits in sources.logits.items()}
    success, kept, eligible, effect = judge_attributes(domain, before, edits, PROMPT, counterfactuals.visible[2:6])
    assert success.tolist() == [row["success"] for row in rows]
    assert eligible.tolist() == [row["eligible"] for row in rows]
    assert kept == pytest.approx([row["preservation"] for row in rows], nan_ok=True)
    assert effect == pytest.approx([row["target_effect"] for row in rows], abs=1e-5)
    assert kept.dtype == effect.dtype == np.float64


def test_an_editor_that_does_nothing(domain, sources, counterfactuals):
    rows, _ = judge_edits(domain, sources, counterfactuals, PROMPT, slice(0, COUNT), sources.reconstructions[:])
    for row in rows:
        assert not (row["eligible"] and row["success"])
        # Not exactly 0: the sources were judged in batches of another size, and float32 sums differ by that.
        assert [row["target_effect"], row["ad_max"]] == pytest.approx([0, 0], abs=1e-5)
        assert (row["preservation"], row["edit_l1"]) == (1, 0)
        assert (row["directional_judge"], row["directional_editing"]) == (0, 0)
        assert row["outside_psnr_db"] == pytest.approx(PSNR_CEILING_DB)


def test_an_editor_that_copies_the_answer(domain, sources, counterfactuals):
    rows, features = judge_edits(domain, sources, counterfactuals, PROMPT, slice(0, COUNT), counterfactuals.images)
    for row in rows:
        assert row["counterfactual_psnr_db"] == pytest.approx(PSNR_CEILING_DB)
        assert row["counterfactual_ssim"] == pytest.approx(1, abs=1e-5)
        assert row["counterfactual_identity"] == pytest.approx(1, abs=1e-5)
    assert features["frechet"] == pytest.approx(counterfactuals.frechet.numpy(), abs=1e-4)


def test_a_domain_that_does_not_know_the_answers(domain, sources, edits):
    unknowing = Domain(exact=False)
    counterfactuals = judge_counterfactuals(unknowing, "test", COUNT, PROMPT, 3)
    assert counterfactuals.images is counterfactuals.frechet is counterfactuals.identity is None
    assert counterfactuals.visible.all()
    assert counterfactuals.visible.shape == (COUNT, 3)
    row = judge_edits(unknowing, sources, counterfactuals, PROMPT, slice(2, 6), edits)[0][0]
    unknown = {name for name, value in row.items() if isinstance(value, float) and math.isnan(value)}
    counterfactual = {
        "success_by_counterfactual",
        *(f"counterfactual_{name}" for name in ("psnr_db", "ssim", "identity")),
    }
    assert unknown == {*counterfactual, "preservation.glasses", "clean_success", "success_by_second", "real"}


def test_success_is_what_all_judges_share(sources, counterfactuals, edits):
    """The second judge accepts no value of the second edit, the third edit is not real, nor is the fourth."""
    domain = Domain()
    names = {tuple(image.flatten().tolist()): i for i, image in enumerate(round_to_8_bit(edits))}

    def number(images):
        return torch.tensor([names[tuple(image.flatten().tolist())] for image in images])

    def second(images):
        return {"glasses": torch.stack([number(images) == 7, number(images) != 1], 1)}

    yes = {"glasses": torch.tensor([[0.0, 1.0]]), "hair": torch.zeros(1, 3), "mouth": torch.zeros(1, 2)}
    domain.judges = replace(
        domain.judges,
        attributes=lambda images: {factor: row.expand(len(images), -1) for factor, row in yes.items()},
        second=second,
        second_counts=True,
        realism=lambda images: torch.tensor([1.0, 0.5, 1.01, 7.0])[number(images)],
    )
    rows, _ = judge_edits(domain, sources, counterfactuals, PROMPT, slice(2, 6), edits)
    assert [row["success_by_attributes"] for row in rows] == [True] * 4
    assert [row["success_by_second"] for row in rows] == [True, False, True, True]
    assert [row["real"] for row in rows] == [True, True, False, False]
    assert [row["success"] for row in rows] == [True, False, False, False]
    before = {name: logits[2:6] for name, logits in sources.logits.items()}
    before["glasses"] = torch.tensor([[1.0, 0.0]]).expand(4, -1)  # nobody has them yet; of the first they are hidden
    success, _, eligible, _ = judge_attributes(domain, before, edits, PROMPT, counterfactuals.visible[2:6])
    assert eligible.tolist() == [False, True, True, True]
    assert success[1:].tolist() == [False, False, False]
    known = {**domain.judges.fingerprints, "second-judge": "2" * 64, "realism": "9" * 64}
    domain.judges = replace(domain.judges, fingerprints=known)
    assert recipes(domain)["success"] == (
        "one-vs-rest-log-odds,8-bit@attribute-judge:aaaaaaaaaaaa@second-judge:222222222222@realism:999999999999"
    )
    assert recipes(domain)["real"] == "threshold-1,8-bit@realism:999999999999"
    domain.judges = replace(domain.judges, second_counts=False)
    assert "second" not in recipes(domain)["success"]
    rows, _ = judge_edits(domain, sources, counterfactuals, PROMPT, slice(2, 6), edits)
    assert [row["success"] for row in rows] == [True, True, False, False]


class TwoAnswers(Domain):
    """Of the value asked for the mirrored picture, of any other the picture upside down."""

    def counterfactuals(self, which, count, prompt):
        return self.test_sources(count).images.flip(3 if prompt.value == PROMPT.value else 2)


def test_success_needs_the_counterfactual_in_place_of_realism(sources, edits):
    """Of four edits that the attribute judge accepts, the second is the exact counterfactual; none is real."""
    domain = TwoAnswers()
    counterfactuals = judge_counterfactuals(domain, "test", COUNT, PROMPT, 3)
    yes = {"glasses": torch.tensor([[0.0, 1.0]]), "hair": torch.zeros(1, 3), "mouth": torch.zeros(1, 2)}
    domain.judges = replace(
        domain.judges,
        attributes=lambda images: {factor: row.expand(len(images), -1) for factor, row in yes.items()},
        counterfactual_counts=True,
        realism=lambda images: torch.full((len(images),), 9.0),
    )
    pictures = torch.full_like(edits, -1.0)
    pictures[1] = counterfactuals.images[3]
    rows, _ = judge_edits(domain, sources, counterfactuals, PROMPT, slice(2, 6), pictures)
    assert [row["success_by_counterfactual"] for row in rows] == [0.0, 1.0, 0.0, 0.0]
    assert [row["success"] for row in rows] == [False, True, False, False]
    assert not any(row["real"] for row in rows)
    before = {name: logits[2:6] for name, logits in sources.logits.items()}
    before["glasses"] = torch.tensor([[1.0, 0.0]]).expand(4, -1)
    right = Candidates.of(domain, "test", sources.originals[:], PROMPT)
    success, _, eligible, _ = judge_attributes(
        domain, before, pictures, PROMPT, counterfactuals.visible[2:6], right[slice(2, 6)]
    )
    assert (success & eligible).tolist() == [False, True, False, False]
    id_ = recipes(domain)["success"]
    assert "ssim-0.45-0.75" in id_ and "@attribute-judge" in id_ and "realism" not in id_


def test_a_missing_edit_is_refused(domain, sources, counterfactuals, edits):
    with pytest.raises(ValueError, match="one edit for each of the 5 images"):
        judge_edits(domain, sources, counterfactuals, PROMPT, slice(0, 5), edits)


def test_inputs_are_left_as_they_were(domain, sources, counterfactuals, edits):
    copy = edits.clone()
    judge_edits(domain, sources, counterfactuals, PROMPT, slice(2, 6), edits)
    assert torch.equal(copy, edits)


def test_recipes_name_network_and_weights(domain):
    ids = recipes(domain)
    assert ids["kid"].startswith("float64,cubic-kernel,unbiased,different-persons,8-bit@frechet-features:")
    assert ids["cmmd"].startswith("bicubic-antialias,float64,gaussian-kernel-10,times-1000,unbiased,different-persons")
    assert ids["cmmd"].endswith(",8-bit@judge-clip:cccccccccccc")
    assert set(column_names(domain.factors)) - set(ids) == {
        *(f"{kind}.{name}" for kind in ("preservation", "effect") for name in FACTORS),
        *("success_by_second", "real"),  # this domain has no such judges
    }
    assert "fd_linear" in ids
    assert ids["clip_score_judge"].endswith("@judge-clip:cccccccccccc")
    assert ids["clip_score_editing"].endswith("@editing-clip:eeeeeeeeeeee")
    assert ids["counterfactual_psnr_db"] == "range-2,gaussian-11-1.5,visible-pixels,8-bit"
    assert ids["counterfactual_ssim"] == ids["inversion_ssim"] == "range-0-to-1,gaussian-11-1.5,8-bit"
    other = Domain()
    other.judges = replace(other.judges, fingerprints={**other.judges.fingerprints, "identity": "f" * 64})
    changed = {metric for metric, recipe in recipes(other).items() if recipe != ids[metric]}
    # the Fréchet network of this domain has no fingerprint of its own, so its id is that of all judges together
    assert changed == {"identity", "counterfactual_identity", "fd_linear", "kid"}
    other.judges = replace(domain.judges, same_person=0.51)
    assert {metric for metric, recipe in recipes(other).items() if recipe != ids[metric]} == {"clean_success"}
    assert recipes(other)["clean_success"] == (
        "one-vs-rest-log-odds,preserved-0.9,same-person-0.51,8-bit@attribute-judge:aaaaaaaaaaaa"
    )
    photos = Domain()
    protocols = {"frechet-features": "bilinear-299,float64,unbiased-covariance"}
    photos.judges = replace(photos.judges, protocols=protocols)
    assert recipes(photos)["kid"].startswith("bilinear-299,float64,cubic-kernel,unbiased,different-persons,8-bit@")
