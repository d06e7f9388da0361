"""Editors and judges apart: whatever way an editor takes to a judge, it meets the guard."""

import copy
import dataclasses
import functools
import threading

import pytest
import torch
from torch import nn

from eval.domains.avatars.networks import WEIGHTS
from eval.domains.avatars.weights_io import Weights
from eval.domains.guard import JudgeTouched, editing
from eval.errors import UsageError
from eval.judging.apart import FEWEST_NUMBERS, check_apart, check_holds_no_judge, held_weights, judge_weights


def touches(work):
    """Whether a piece of work is refused while an editor works, and allowed otherwise."""
    work()
    with pytest.raises(JudgeTouched, match=r"The editor me touched '.*'; judges only score"), editing("me"):
        work()
    work()
    return True


@pytest.mark.parametrize("judge", ["attributes", "identity", "frechet"])
def test_a_judge_refuses(tiny_domain, judge):
    assert touches(lambda: getattr(tiny_domain.judges, judge)(torch.zeros(1, 3, 16, 16)))


def test_the_judge_clip_refuses_pictures_and_texts(tiny_domain):
    clip = tiny_domain.judges.clip
    assert touches(lambda: clip.encode_images(torch.zeros(1, 3, 16, 16)))
    assert touches(lambda: clip.encode_texts(["face"]))
    assert touches(lambda: clip.model.conv(torch.zeros(1, 3, 16, 16)))


def test_the_networks_of_editors_answer(tiny_domain):
    domain = tiny_domain.editing
    with editing("me") as watch:
        pictures = domain.images(domain.sample(2, 0))
        domain.clip.encode_texts(["face"])
        domain.image_features(domain.sample(2, 0))
        domain.identity(pictures), domain.perceptual(pictures), domain.encoder(pictures)
    assert watch.touched == []


def test_a_network_inside_a_closure_and_a_copy_of_it_refuse(tiny_domain):
    function = tiny_domain.judges.frechet.function
    network = next(cell.cell_contents for cell in function.__closure__ if isinstance(cell.cell_contents, nn.Module))
    assert touches(lambda: network(torch.zeros(1, 3, 16, 16)))
    same = copy.deepcopy(network)
    assert touches(lambda: same(torch.zeros(1, 3, 16, 16)))


def test_another_thread_meets_the_same_guard(tiny_domain):
    caught = []

    def ask():
        try:
            tiny_domain.judges.identity(torch.zeros(1, 3, 16, 16))
        except JudgeTouched as error:
            caught.append(error)

    with pytest.raises(JudgeTouched), editing("me"):  # at the end, although the thread caught it
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_a_hidden_touch_is_told_at_the_end(tiny_domain):
    with pytest.raises(JudgeTouched, match="'identity' and 'attributes'"), editing("me"):
        for judge in ("identity", "attributes", "identity"):
            with pytest.raises(JudgeTouched):
                getattr(tiny_domain.judges, judge)(torch.zeros(1, 3, 16, 16))


def test_the_editors_own_error_is_not_replaced(tiny_domain):
    with pytest.raises(ZeroDivisionError), editing("me"):
        raise ZeroDivisionError
    tiny_domain.judges.identity(torch.zeros(1, 3, 16, 16))  # and the guard is down again


@pytest.mark.parametrize(
    "network", ["attribute-judge", "judge-clip", "identity", "frechet-features", "second-judge", "realism"]
)
def test_a_judges_weight_file_is_not_read_for_an_editor(network):
    weights = Weights(WEIGHTS)
    weights.read(network)
    with pytest.raises(JudgeTouched, match=f"the weight file of {network}"), editing("me"):
        weights.read(network)


def test_a_judge_that_was_loaded_before_refuses_too():
    network, _ = Weights(WEIGHTS).attribute_judge()
    assert touches(lambda: network(torch.zeros(1, 3, 64, 64)))
    trunk = Weights(WEIGHTS).features("frechet-features").trunk
    assert touches(lambda: trunk(torch.zeros(1, 3, 64, 64)))
    Weights(WEIGHTS).features("perceptual")(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("how", ["attribute", "list in a dict", "closure", "half precision", "network", "partial"])
def test_weights_of_a_judge_are_found_in_an_editor(tiny_domain, how):
    weights = judge_weights(tiny_domain.judges)
    conv = tiny_domain.judges.clip.model.conv
    copied = conv.weight.detach().clone()
    same = nn.Conv2d(3, 8, 4, 4)
    same.load_state_dict(conv.state_dict())

    def hides():
        return copied

    held = {
        "attribute": copied,
        "list in a dict": {"a": [1, (copied,)]},
        "closure": hides,
        "half precision": conv.weight.detach().half().float().double(),
        "network": nn.Sequential(nn.ReLU(), same),
        "partial": functools.partial(torch.add, copied),
    }[how]
    if how == "half precision":  # other numbers: not the same weights
        assert held_weights([held], weights) == []
        return
    editor = type("Editor", (), {})()
    editor.held = held
    with pytest.raises(JudgeTouched, match=r"The editor me touched 'clip \(it holds the weights\)'"):
        check_holds_no_judge("me", editor, weights)


def test_what_editors_are_given_is_no_judge(tiny_domain):
    editor = type("Editor", (), {})()
    editor.domain, editor.clip, editor.sample = (
        tiny_domain.editing,
        tiny_domain.editing.clip,
        tiny_domain.editing.sample,
    )
    editor.noise = torch.randn(8, 3, 4, 4)  # the shape of a weight of the judge CLIP
    check_holds_no_judge("me", editor, judge_weights(tiny_domain.judges))


def test_halves_that_share_nothing_pass(tiny_domain):
    check_apart(tiny_domain)


def test_one_file_on_both_sides_is_refused(tiny_domain):
    tiny_domain.fingerprints["encoder"] = "3" * 64
    with pytest.raises(
        UsageError, match=r"judge 'judge' of the domain tiny and its editing network 'encoder' .*sha256 333"
    ):
        check_apart(tiny_domain)


def test_one_tensor_on_both_sides_is_refused(tiny_domain):
    tiny_domain.editing = dataclasses.replace(tiny_domain.editing, identity=tiny_domain.judges.identity)
    with pytest.raises(UsageError, match=r"judge 'identity' .* editing network 'identity' .*they share a tensor"):
        check_apart(tiny_domain)


def test_small_and_constant_tensors_prove_nothing(tiny_domain):
    weights = judge_weights(tiny_domain.judges)
    assert all(torch.Size(shape).numel() >= FEWEST_NUMBERS for shape in weights)
    shape = next(iter(weights))
    weights[shape].append(("clip", torch.zeros(shape)))
    assert held_weights([torch.zeros(shape)], weights) == []
