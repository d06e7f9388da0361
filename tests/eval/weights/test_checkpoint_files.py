import dataclasses
import zipfile

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from baselines.styleclip_global import StyleClipGlobal
from baselines.styleclip_mapper import StyleClipMapper
from deltaedit.backbones.stylegan2 import StyleGAN2
from deltaedit.editor import DeltaEdit
from deltaedit.tools.errors import CheckpointError
from eval.prompts import Prompt
from eval.weights.checkpoint_files import CheckpointFiles, TrainingLatents, editing_domain, fingerprint
from eval.weights.clip_files import read_clip

PROMPT = Prompt("smile", "face", "face with smile", "", "")


@pytest.fixture
def files(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "cache"))
    return CheckpointFiles(weights.generator, weights.clip, weights.architecture, training_samples=8)


def test_samples_are_truncated_codes_of_the_seed(files):
    state = torch.load(files.generator)
    mean, state = state["latent_avg"].numpy(), state["g_ema"]
    z = torch.randn(3, 7, generator=torch.Generator().manual_seed(5)).numpy()
    x = z / np.sqrt((z**2).mean(1, keepdims=True) + 1e-8)
    for layer, inputs in ((1, 7), (2, 6)):
        x = x @ (state[f"style.{layer}.weight"].numpy() * 0.01 / np.sqrt(inputs)).T
        x = x + state[f"style.{layer}.bias"].numpy() * 0.01
        x = np.maximum(x, 0.2 * x) * np.sqrt(2)
    drawn = editing_domain(dataclasses.replace(files, truncation=0.6)).sample(3, 5)
    assert drawn.w_plus.shape == (3, 6, 6) and drawn.s.shape == (3, 26)
    for row in range(6):
        np.testing.assert_allclose(drawn.w_plus[:, row], mean + 0.6 * (x - mean), rtol=1e-4, atol=1e-5)


def test_noise_is_that_of_the_file_or_none(files):
    fixed, none = (editing_domain(dataclasses.replace(files, noise=noise)) for noise in ("fixed", "none"))
    latents = fixed.sample(2, 0)
    state = torch.load(files.generator)["g_ema"]
    maps = [state[f"noises.noise_{number}"] for number in range(5)]
    plain = StyleGAN2.synthesize(none.synthesis, latents.s, latents.s_rgb)
    noisy = StyleGAN2.synthesize(none.synthesis, latents.s, latents.s_rgb, maps)
    torch.testing.assert_close(none.images(latents), plain)
    torch.testing.assert_close(fixed.images(latents), noisy)
    torch.testing.assert_close(fixed.synthesis(latents.w_plus), noisy)
    assert (plain - noisy).abs().max() > 0.01
    random = editing_domain(dataclasses.replace(files, noise="random"))
    assert torch.equal(random.images(latents), random.images(latents))
    assert not torch.allclose(random.images(latents), noisy)


def test_every_kind_of_clip_file_gives_the_same_features(weights):
    images = torch.linspace(-1, 1, 2 * 3 * 16 * 16).view(2, 3, 16, 16)
    texts = ["a face", "a face with glasses"]
    mean, std = (torch.tensor(n).view(3, 1, 1) for n in ((0.48145466, 0.4578275, 0.40821073),
                                                        (0.26862954, 0.26130258, 0.27577711)))  # fmt: skip
    with torch.no_grad():
        model = read_clip(weights.clip, weights.architecture)
        right_texts = F.normalize(weights.model.encode_text(model.tokenizer(texts)), dim=1)
        right_images = F.normalize(weights.model.encode_image((images / 2 + 0.5 - mean) / std), dim=1)
        for path in (weights.clip, weights.clip_safetensors, weights.clip_torchscript):
            clip = read_clip(path, weights.architecture)
            torch.testing.assert_close(clip.encode_texts(texts), right_texts, atol=2e-3, rtol=0)  # halves in the last
            torch.testing.assert_close(clip.encode_images(images), right_images, atol=2e-3, rtol=0)


def test_a_torchscript_archive_is_read_and_never_run(weights, tmp_path):
    hostile = tmp_path / "hostile.pt"
    with zipfile.ZipFile(weights.clip_torchscript) as source, zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                data = b"\x80\x02cos\nsystem\nX\x12\x00\x00\x00touch was_executed\x85R."
            target.writestr(name, data)
    with pytest.raises(CheckpointError, match=r"hostile.pt holds the global 'os.system'.*nothing of it was run"):
        read_clip(hostile, weights.architecture)
    with zipfile.ZipFile(weights.clip_torchscript) as source, zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():  # code that does not even parse
            target.writestr(name, b"not python (" if "/code/" in name else source.read(name))
    assert read_clip(hostile, weights.architecture).encode_texts(["a"]).shape == (1, 12)
    with zipfile.ZipFile(weights.clip_torchscript) as source, zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name)[:5])
    with pytest.raises(CheckpointError, match=r"hostile.pt is no whole"):
        read_clip(hostile, weights.architecture)


def test_clip_files_that_do_not_fit(weights):
    with pytest.raises(CheckpointError, match=r"architecture 'ViT-B-32-quickgel'.*ViT-B-32-quickgelu"):
        read_clip(weights.clip, "ViT-B-32-quickgel")
    with pytest.raises(CheckpointError, match=r"clip.pt is not a CLIP of the architecture ViT-B-32-quickgelu: layer"):
        read_clip(weights.clip, "ViT-B-32-quickgelu")
    with pytest.raises(CheckpointError, match=r"looks like a StyleGAN2 checkpoint|is missing"):
        read_clip(weights.generator, weights.architecture)
    with pytest.raises(CheckpointError, match="has no CLIP"):
        editing_domain(CheckpointFiles(weights.generator))


def test_given_files_stand_in_for_mapper_and_relevance(files, weights):
    domain = editing_domain(dataclasses.replace(files, delta_mapper=weights.delta_mapper, relevance=weights.relevance))
    editor = DeltaEdit(threshold=0.0, templates=False, relevance_statistics=50)
    editor.prepare(domain)
    for name, tensor in torch.load(weights.delta_mapper).items():
        assert torch.equal(editor.mapper.state_dict()[name], tensor), name
    editor.fit(PROMPT)
    latents = domain.sample(2, 1)
    edited = editor.edit(latents, PROMPT, 1.0)
    assert (edited.s - latents.s).abs().max() > 1e-4 and torch.equal(edited.s_rgb, latents.s_rgb)
    assert not list((domain.artefacts.cache).glob("*.safetensors"))  # nothing was computed

    direction = StyleClipGlobal(beta=0.1, alpha=2.0, templates=False, relevance_statistics=50)
    direction.prepare(domain)
    direction.fit(PROMPT)
    matrix, std = np.load(weights.relevance), domain.sample(50, 0).s.numpy().std(0)
    texts = domain.clip.encode_texts(["face", "face with smile"]).numpy()
    delta = texts[1] - texts[0]
    share = matrix @ (delta / np.linalg.norm(delta))
    share = np.where(np.abs(share) >= 0.1, share, 0)
    np.testing.assert_allclose(direction.step(PROMPT), 2 * std * share / np.abs(share).max(), rtol=2e-3, atol=1e-5)


def test_a_mapper_of_styleclip_is_used_as_it_is(files, weights):
    domain = editing_domain(dataclasses.replace(files, styleclip_mapper=weights.styleclip_mapper))
    editor = StyleClipMapper(lambda_id=0, normalise="rows")
    editor.prepare(domain)
    editor.fit(PROMPT)
    latents = domain.sample(2, 0)
    moved = (editor.edit(latents, PROMPT, 1.0).w_plus - latents.w_plus).numpy()
    state = torch.load(weights.styleclip_mapper)["state_dict"]
    starts = {"course_mapping": (0, 2), "medium_mapping": (2, 3), "fine_mapping": (3, 6)}
    for level, (start, stop) in starts.items():
        x = latents.w_plus[:, start:stop].numpy()
        x = x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-8)
        for layer in range(1, 5):
            weight = state[f"mapper.{level}.mapping.{layer}.weight"].numpy() * 0.01 / np.sqrt(6)
            x = x @ weight.T + state[f"mapper.{level}.mapping.{layer}.bias"].numpy() * 0.01
            x = np.maximum(x, 0.2 * x) * np.sqrt(2)
        np.testing.assert_allclose(moved[:, start:stop], 0.1 * x, rtol=1e-3, atol=1e-5)
    for wrong, hint in (({}, "normalise=rows"), ({"variant": "single", "normalise": "rows"}, r"variant=w\+")):
        other = StyleClipMapper(lambda_id=0, **wrong)
        other.prepare(domain)
        with pytest.raises(CheckpointError, match=hint):
            other.fit(PROMPT)


def test_fingerprint_is_that_of_contents_and_use(files, tmp_path):
    base = fingerprint(files)
    copy = tmp_path / "copy.pt"
    copy.write_bytes(files.generator.read_bytes())
    assert fingerprint(dataclasses.replace(files, generator=copy)) == base
    with copy.open("ab") as file:
        file.write(b"0")
    changes = [
        {"generator": copy},
        {"truncation": 1.0},
        {"noise": "none"},
        {"clip_architecture": "x"},
        {"encoder": copy},
        {"training_samples": 9},
    ]
    others = {fingerprint(dataclasses.replace(files, **change)) for change in changes}
    assert len(others | {base}) == len(changes) + 1
    assert editing_domain(files).fingerprint == base


def test_training_set_of_samples_and_of_files(files, tmp_path):
    domain = editing_domain(files)
    drawn = domain.training_set()
    assert drawn.origin == ("sampled",) * 8 and drawn.s.shape == (8, 26)
    torch.testing.assert_close(drawn.features[3:5], domain.image_features(domain.sample(8, 0)[3:5]))

    rng = np.random.default_rng(0)
    arrays = {"s": (5, 26), "c": (5, 12), "w": (5, 6, 6), "short": (4, 12)}
    paths = {name: tmp_path / f"{name}.npy" for name in arrays}
    for name, shape in arrays.items():
        np.save(paths[name], rng.standard_normal(shape, dtype=np.float32))
    given = dataclasses.replace(files, training_latents=TrainingLatents(paths["s"], paths["c"], paths["w"]))
    read = editing_domain(given).training_set()
    features = np.load(paths["c"])
    np.testing.assert_allclose(read.features, features / np.linalg.norm(features, axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(read.s, np.load(paths["s"]))
    np.testing.assert_array_equal(read.w_plus, np.load(paths["w"]))
    for wrong, sentence in (
        (TrainingLatents(paths["c"], paths["c"]), r"c.npy does not fit: its array is float32 \(5, 12\), expected .*26"),
        (TrainingLatents(paths["s"], paths["short"]), "short.npy holds 4 images, but .*s.npy holds 5"),
    ):
        with pytest.raises(CheckpointError, match=sentence):
            editing_domain(dataclasses.replace(files, training_latents=wrong)).training_set()


@pytest.mark.parametrize("name", ["generator", "clip", "delta_mapper", "relevance"])
def test_missing_and_damaged_files_are_one_sentence(files, weights, tmp_path, name):
    broken = tmp_path / "broken.bin"
    for content in (None, b"<html>no</html>"):
        if content is not None:
            broken.write_bytes(content)
        given = {"delta_mapper": weights.delta_mapper, "relevance": weights.relevance, name: broken}
        with pytest.raises(CheckpointError, match=r"broken\.bin") as found:
            DeltaEdit(relevance_statistics=5).prepare(editing_domain(dataclasses.replace(files, **given)))
        assert "\n" not in str(found.value)
