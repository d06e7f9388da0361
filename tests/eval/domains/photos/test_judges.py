import pytest
import torch
from torch.nn import functional as F

from deltaedit.tools.errors import CheckpointError
from eval.domains.photos.judges import (
    IdentityJudge,
    InceptionFeatures,
    NoIdentity,
    ZeroShotAttributes,
    attribute_fingerprint,
)
from eval.metrics.identity import identity_similarity
from eval.weights.clip_files import read_clip

FACTORS = {"glasses": {"none": "a face", "some": "a face with glasses"}, "hair": {"a": "x", "b": "y", "c": "z"}}


def pictures(count: int, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(5)) * 2 - 1


def test_logits_are_100_times_the_cosine_of_image_and_text(photo_files, small_clip):
    clip = read_clip(photo_files / "judge-clip.pt", small_clip)
    images = pictures(2)
    logits = ZeroShotAttributes(clip, FACTORS)(images)
    assert {name: tuple(values.shape) for name, values in logits.items()} == {"glasses": (2, 2), "hair": (2, 3)}
    image, text = clip.encode_images(images)[1], clip.encode_texts(["a face with glasses"])[0]
    assert float(logits["glasses"][1, 1]) == pytest.approx(
        100 * float(F.cosine_similarity(image, text, dim=0)), abs=1e-3
    )


def test_other_texts_are_another_attribute_judge():
    changed = {**FACTORS, "glasses": {"none": "a face", "some": "a face with sunglasses"}}
    assert attribute_fingerprint("ab", FACTORS) != attribute_fingerprint("ab", changed)
    assert attribute_fingerprint("ab", FACTORS) != attribute_fingerprint("cd", FACTORS)


def test_inception_is_pytorch_fids(photo_files, monkeypatch):
    from pytorch_fid import inception as fid

    state = torch.load(photo_files / "inception.pth", weights_only=True)
    monkeypatch.setattr(fid, "load_state_dict_from_url", lambda *args, **kwargs: state)
    theirs = fid.InceptionV3().eval()
    images = pictures(1, 40)
    with torch.inference_mode():
        wanted = theirs(images * 0.5 + 0.5)[0].flatten(1)
        got = InceptionFeatures(photo_files / "inception.pth")(images)
    assert got.shape == (1, 2048) and torch.allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_another_file_is_no_inception(photo_files):
    with pytest.raises(CheckpointError, match="is not pytorch-fid's Inception"):
        InceptionFeatures(photo_files / "faces.pt")


class Detector:
    """Finds the same box on every image."""

    def boxes(self, images):
        self.sides = tuple(images.shape[-2:])
        return torch.tensor([[64.0, 32.0, 192.0, 160.0]]).expand(len(images), 4)


class Corner(torch.nn.Module):
    def forward(self, faces):
        return faces[:, :, 0, 0]


def test_faces_are_looked_for_in_small_pictures_and_cut_from_large_ones():
    detector = Detector()
    images = torch.zeros(1, 3, 512, 512)
    images[:, :, 64:320, 128:384] = torch.linspace(0.1, 0.3, 3)[:, None, None]  # the box, twice as large
    cut = IdentityJudge(Corner(), detector)(images)
    assert detector.sides == (256, 256)
    assert torch.allclose(cut[0], torch.linspace(0.1, 0.3, 3), atol=1e-5)


def test_where_no_face_is_found_the_similarity_is_blank_and_never_that_of_the_whole_image():
    class Some(Detector):
        def boxes(self, images):
            return super().boxes(images).clone().index_fill(0, torch.tensor([1]), torch.nan)

    images = torch.rand(3, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    found = IdentityJudge(Corner(), Some())(images)
    assert found.isnan().all(1).tolist() == [False, True, False]
    assert identity_similarity(found, found).isnan().tolist() == [False, True, False]


def test_without_a_detector_the_whole_image_is_seen():
    images = torch.zeros(1, 3, 160, 160)
    images[:, :, 0, 0] = 0.5
    assert torch.equal(IdentityJudge(Corner(), None)(images), torch.full((1, 3), 0.5))


def test_where_there_are_no_persons_similarities_are_blank():
    embeddings = NoIdentity()(pictures(3))
    assert identity_similarity(embeddings, embeddings).isnan().all()
