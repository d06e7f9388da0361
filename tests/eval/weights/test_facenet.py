import pytest
import torch
from torch.nn import functional as F

from eval.weights.facenet import FaceDetector, FaceIdentity, crop_faces
from eval.weights.formats.files import CheckpointError


def test_boxes_are_cut_out_and_cut_to_the_image():
    picture = torch.arange(64.0).view(1, 1, 8, 8).expand(4, 3, 8, 8)
    nan = float("nan")
    boxes = torch.tensor([[2.0, 3, 6, 7], [-3, -2, 4, 4], [nan] * 4, [7.5, 7.5, 20, 20]])
    faces = crop_faces(picture, boxes, 4)
    assert torch.equal(faces[0], picture[0, :, 3:7, 2:6])
    assert torch.equal(faces[1], picture[0, :, :4, :4])
    whole = F.interpolate(picture[:1], (4, 4), mode="bilinear", antialias=True, align_corners=False)
    assert torch.equal(faces[2:3], whole)
    assert torch.equal(faces[3], torch.full((3, 4, 4), 63.0))


def test_gradients_reach_the_image():
    picture = torch.zeros(1, 3, 8, 8, requires_grad=True)
    crop_faces(picture, torch.tensor([[2.0, 2, 6, 6]]), 2).sum().backward()
    assert picture.grad.abs().sum(1)[0, 2:6, 2:6].min() > 0
    assert picture.grad[:, :, :2].abs().max() == 0


def test_no_face_is_nan():
    assert FaceDetector().boxes(torch.zeros(2, 3, 48, 48)).isnan().all()


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"20180402-114759-vggface2\.pt") as error:
        FaceIdentity(tmp_path / "vggface2.pt")
    assert "\n" not in str(error.value)


def test_embedding_is_that_of_the_package(tmp_path):
    from facenet_pytorch import InceptionResnetV1, fixed_image_standardization

    torch.manual_seed(0)
    network = InceptionResnetV1(classify=False, num_classes=None).eval()
    state = network.state_dict() | {"logits.weight": torch.zeros(3, 512), "logits.bias": torch.zeros(3)}
    torch.save(state, tmp_path / "vggface2.pt")
    pixels = torch.randint(0, 256, (2, 3, 160, 160)).float()
    with torch.no_grad():
        wanted = network(fixed_image_standardization(pixels))
        got = FaceIdentity(tmp_path / "vggface2.pt")(pixels / 127.5 - 1)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(got.norm(dim=1), torch.ones(2))
    torch.save({"logits.weight": torch.zeros(3)}, tmp_path / "vggface2.pt")
    with pytest.raises(CheckpointError, match="is missing"):
        FaceIdentity(tmp_path / "vggface2.pt")
