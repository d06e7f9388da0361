import pytest
import torch
from torch.nn import functional as F

from deltaedit.backbones.encoder import Block, Encoder4Editing, Head, SqueezeExcitation
from eval.weights.checkpoints import CheckpointError, read_e4e


def fill(network):
    """Weights by formula; batch norms with statistics of their own."""
    for number, (name, tensor) in enumerate(network.state_dict().items()):
        if tensor.dtype == torch.float32:
            values = torch.sin(number + 0.7 * torch.arange(tensor.numel())).view(tensor.shape)
            scale = tensor[0].numel() ** -0.5 if tensor.dim() > 1 else 0.5
            tensor.copy_(values.abs() + 0.5 if "running_var" in name else values * scale)
    return network.eval().requires_grad_(False)


def test_squeeze_and_excitation_by_hand():
    layer = fill(SqueezeExcitation(32))
    x = torch.randn(2, 32, 3, 3)
    mean = x.flatten(2).mean(2)
    gate = torch.sigmoid(F.relu(mean @ layer.fc1.weight[:, :, 0, 0].T) @ layer.fc2.weight[:, :, 0, 0].T)
    torch.testing.assert_close(layer(x), x * gate[:, :, None, None])


def test_shortcut_takes_every_second_pixel():
    block = fill(Block(16, 16, 2))
    for name, tensor in block.res_layer.named_parameters():
        if name.startswith("4."):
            tensor.zero_()  # the last batch norm: nothing is added to the shortcut
    block.res_layer[4].running_mean.zero_()
    x = torch.randn(1, 16, 6, 6)
    torch.testing.assert_close(block(x), x[:, :, ::2, ::2])


@pytest.mark.parametrize("side", [16, 32, 64])
def test_heads_end_at_one_pixel(side):
    with torch.device("meta"):
        head = Head(side)
        assert head(torch.empty(2, 512, side, side)).shape == (2, 512)


def test_names_of_the_released_checkpoint():
    with torch.device("meta"):
        names = set(Encoder4Editing(18).state_dict())
    assert {"input_layer.2.weight", "body.23.res_layer.5.fc2.weight", "body.3.shortcut_layer.1.running_var"} <= names
    assert {"styles.17.convs.10.weight", "styles.0.linear.bias", "latlayer2.bias"} <= names
    assert sum(name.startswith("body.") and name.endswith(".fc1.weight") for name in names) == 24
    assert "body.1.shortcut_layer.0.weight" not in names


def test_rows_are_the_first_plus_what_they_differ_by():
    with torch.device("meta"):
        encoder = Encoder4Editing(8)
        assert encoder(torch.empty(1, 3, 64, 64)).shape == (1, 8, 512)
    encoder = Encoder4Editing(2).eval().requires_grad_(False)
    encoder.w_mean.copy_(torch.randn(2, 512))
    encoder.styles[1].linear.weight.zero_()
    encoder.styles[1].linear.bias.fill_(3.0)
    codes = encoder(torch.zeros(1, 3, 256, 256)) - encoder.w_mean
    torch.testing.assert_close(codes[:, 1], codes[:, 0] + 3)


def test_checkpoints_without_their_parts(tmp_path):
    for content, what in (
        ({"state_dict": {"encoder.input_layer.0.weight": torch.zeros(1)}}, "'latent_avg' is missing"),
        ({"g_ema": {}, "latent_avg": torch.zeros(512)}, "rosinality"),
        (
            {"state_dict": {"encoder.input_layer.0.weight": torch.zeros(1)}, "latent_avg": torch.zeros(512)},
            "layer 'body.0",
        ),
    ):
        torch.save(content, tmp_path / "e4e.pt")
        with pytest.raises(CheckpointError, match=what) as error:
            read_e4e(tmp_path / "e4e.pt")
        assert "\n" not in str(error.value)
