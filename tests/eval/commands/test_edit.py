from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont
from safetensors.torch import save_file

from eval import domains
from eval.cli import main
from eval.letters import font_file

QUICK = {
    "deltaedit": "deltaedit[steps=4,batch=4,relevance_images=2,relevance_statistics=20,templates=false,threshold=0]",
    "styleclip-global": "styleclip-global[relevance_images=2,relevance_statistics=20,templates=false,beta=0.01]",
    "styleclip-mapper": "styleclip-mapper[steps=3,batch=2,images=4]",
    "styleclip-optimization": "styleclip-optimization[steps=3]",
    "tedigan": "tedigan[steps=3]",
    "stylemc": "stylemc[images=8]",
    "interfacegan": "interfacegan",
    "identity": "identity",
    "random-direction": "random-direction[norm=3]",
}


@pytest.fixture
def here(tiny_domain, tmp_path, monkeypatch):
    monkeypatch.setitem(domains.DOMAINS, "tiny", lambda *place: tiny_domain)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DELTABENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def edit(*options, method="styleclip-optimization[steps=3]", out="strip.png"):
    return main(["edit", "--domain", "tiny", "--method", method, "--out", out, *map(str, options)])


def right_pictures(domain, latents):
    """uint8 [N, H, W, 3] by arithmetic of its own."""
    images = domain.editing.synthesis.synthesize(latents.s, latents.s_rgb).numpy()
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)


def panels(path, rows, columns, side=128, names=("seed 3",)):
    """The pictures in a strip, from its known geometry: [rows][columns] of uint8 [side, side, 3]."""
    strip = np.asarray(Image.open(path))
    size, gap = 12, 4  # letters of 12 px, as for every panel of up to 142 px
    left = max(round(ImageFont.truetype(font_file(""), size).getlength(name)) for name in names) + 2 * gap
    line = round(size * 1.35)
    assert strip.shape[1] == left + columns * (side + gap) + gap
    top = strip.shape[0] - gap - rows * (side + line + gap)
    return [
        [strip[y : y + side, x : x + side] for x in (left + column * (side + gap) for column in range(columns))]
        for y in (top + row * (side + line + gap) for row in range(rows))
    ]


def test_the_strip_holds_the_pictures_without_loss(here, tiny_domain, capsys):
    assert edit("--seed", 3, "--prompt", "face with glasses", "--strength", "0:1:0.5") == 0
    found = panels("strip.png", 1, 3)[0]
    (right,) = right_pictures(tiny_domain, tiny_domain.editing.sample(1, 3))
    np.testing.assert_array_equal(found[0], right.repeat(8, 0).repeat(8, 1))  # 16 px shown at 128 px
    assert np.abs(found[2].astype(int) - found[0]).max() > 0
    out = capsys.readouterr().out
    header, row = (line.split() for line in out.splitlines()[1:3])
    assert header == ["strength", "0", "0.5", "1"] and row[:2] == ["seed", "3"]
    clip, latents = tiny_domain.editing.clip, tiny_domain.editing.sample(1, 3)
    cosine = clip.encode_images(tiny_domain.editing.images(latents)) @ clip.encode_texts(["face with glasses"]).T
    assert float(row[2]) == pytest.approx(float(cosine), abs=6e-4)
    assert "strip.png (" in out and "16 px" in out


@pytest.mark.parametrize("method", QUICK.values(), ids=QUICK.keys())
@pytest.mark.parametrize("prompt", ["face with glasses", "an old man"], ids=["known", "free"])
def test_every_editor_works_with_any_prompt(here, method, prompt, capsys):
    code = edit("--seed", "1,2", "--prompt", prompt, "--strength", "0,1", method=method)
    if method == "interfacegan" and prompt == "an old man":  # a supervised reference reads no texts
        assert (code, "the prompt 'an-old-man' asks for no attribute at all" in capsys.readouterr().err) == (2, True)
        return
    assert code == 0
    found = panels("strip.png", 2, 2, names=("seed 1", "seed 2"))
    changed = [np.abs(row[0].astype(int) - row[1]).max() > 0 for row in found]
    assert changed == [not method.startswith("identity")] * 2
    err = capsys.readouterr().err
    assert ("optimises each of 2 pictures" in err) == method.startswith(("styleclip-optimization", "tedigan"))
    trained = "is missing; it is computed now, which takes" in err
    assert trained == method.startswith(
        ("deltaedit", "styleclip-global", "styleclip-mapper", "stylemc", "interfacegan", "random")
    )


def test_quick_knows_every_built_in_editor():
    from eval.editors.registry import BUILT_IN

    assert QUICK.keys() == BUILT_IN.keys()


def test_pictures_are_cut_resized_and_encoded(here, tiny_domain, capsys):
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = (200, 100, 50)  # the middle square
    Image.fromarray(wide).save("wide.png")
    exact = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(exact).save("exact.png")
    options = ("--image", "wide.png", "--image", "exact.png", "--prompt", "smile", "--strength", "0")
    assert edit(*options, method="identity") == 0
    found = panels("strip.png", 2, 2, names=("exact", "wide"))
    assert (found[0][0] == (200, 100, 50)).all()
    np.testing.assert_array_equal(found[1][0][::8, ::8], exact)
    codes = tiny_domain.editing.encoder(torch.tensor(exact).permute(2, 0, 1)[None] / 127.5 - 1)
    images = tiny_domain.editing.synthesis(codes).numpy()[0].transpose(1, 2, 0)
    right = np.rint((np.clip(images, -1, 1) + 1) * 127.5)
    assert np.abs(found[1][1][::8, ::8] - right).max() <= 1  # the encoder sees both pictures in another batch
    err = capsys.readouterr().err
    assert "wide.png (60 x 20 px) is cut to the middle 20 x 20 and resized to 16 x 16." in err
    assert "exact.png" not in err


def test_several_prompts_add_up_and_may_undo_each_other(here, capsys):
    both = ("--prompt", "face with glasses", "--prompt", "face")
    texts = ("--source-text", "face", "--source-text", "face with glasses")
    assert edit("--seed", 3, *both, *texts, "--strength", "0,1", method=QUICK["deltaedit"]) == 0
    assert edit("--seed", 3, *both, "--strength", "0,1", method=QUICK["deltaedit"], out="one.png") == 0
    undone, one = (panels(name, 1, 2)[0][1].astype(int) for name in ("strip.png", "one.png"))
    assert np.abs(undone - one).max() > 0  # Δ and -Δ are no direction at all, unlike Δ and 0
    assert "“face with glasses” + “face”" in capsys.readouterr().out
    assert edit("--seed", 3, *both, method="stylemc") == 2
    assert "stylemc does not take several prompts at once; --method deltaedit does." in capsys.readouterr().err


def test_the_difference_of_two_pictures_takes_the_place_of_a_prompt(here, tiny_domain, capsys):
    pictures = right_pictures(tiny_domain, tiny_domain.editing.sample(2, 7))
    for name, picture in zip("ab", pictures, strict=True):
        Image.fromarray(picture).save(f"{name}.png")
    towards = ("--target-image", "a.png", "--source-image", "b.png")
    assert edit("--seed", 3, *towards, "--strength", "0,1", method=QUICK["deltaedit"]) == 0
    back = ("--target-image", "b.png", "--source-image", "a.png")
    assert edit("--seed", 3, *back, "--strength", "0,1", method=QUICK["deltaedit"], out="back.png") == 0
    ends = [panels(name, 1, 2)[0] for name in ("strip.png", "back.png")]
    np.testing.assert_array_equal(ends[0][0], ends[1][0])
    assert np.abs(ends[0][1].astype(int) - ends[1][1]).max() > 0
    assert "a.png minus b.png" in capsys.readouterr().out
    assert edit("--seed", 3, *towards, method="tedigan") == 2
    assert "does not take the difference of two pictures" in capsys.readouterr().err


def test_frames_go_from_unedited_to_edited(here, tiny_domain):
    options = ("--seed", "3,4", "--prompt", "smile", "--strength", "0,1", "--frames", 5)
    assert edit(*options, out="frames") == 0
    names = [f"frame-{number:04d}.png" for number in range(5)]
    assert sorted(path.name for path in (here / "frames").iterdir()) == names
    first, last = (np.asarray(Image.open(here / "frames" / names[number])) for number in (0, -1))
    assert first.shape == (16, 32, 3)  # both rows side by side, as they are
    for row, seed in enumerate((3, 4)):
        right = right_pictures(tiny_domain, tiny_domain.editing.sample(1, seed))[0].astype(int)
        assert np.abs(first[:, 16 * row : 16 * row + 16] - right).max() <= 1
    assert edit("--seed", "3,4", "--prompt", "smile", "--strength", "0,1") == 0
    edited = panels("strip.png", 2, 2, names=("seed 3", "seed 4"))
    np.testing.assert_array_equal(np.hstack([row[1][::8, ::8] for row in edited]), last)
    assert edit(*options, out="x.gif") == 0
    assert Image.open("x.gif").n_frames == 5


@pytest.mark.parametrize("ending", ["npy", "pt", "safetensors"])
def test_codes_of_a_file(here, tiny_domain, ending, capsys):
    latents = tiny_domain.editing.sample(3, 0)
    for name, codes in (("w", latents.w_plus), ("s", latents.s)):
        path = here / f"{name}.{ending}"
        if ending == "npy":
            np.save(path, codes.numpy())
        elif ending == "pt":
            torch.save(codes, path)
        else:
            save_file({"codes": codes}, path)
        options = ("--latents", path, "--limit", 2, "--prompt", "smile", "--strength", "0")
        assert edit(*options, method="identity") == 0
        err = capsys.readouterr().err
        assert "holds 3 codes; the first 2 are edited" in err and ("holds styles" in err) == (name == "s")
        found = panels("strip.png", 2, 1, names=("code 0", "code 1"))
        for row, right in enumerate(right_pictures(tiny_domain, latents[:2])):
            # 8 styles a layer and 8 numbers in w: least squares finds the codes again, and so the ToRGB styles
            assert np.abs(found[row][0][::8, ::8].astype(int) - right).max() <= (1 if name == "w" else 6)


def test_styles_find_their_rows_of_w_plus(tiny_domain):
    from eval.edits.sources import latents_of_styles

    latents = tiny_domain.editing.sample(3, 0)
    found = latents_of_styles(tiny_domain.synthesis, latents.s, torch.zeros(8))
    torch.testing.assert_close(found.w_plus, latents.w_plus, atol=1e-2, rtol=1e-2)
    assert torch.equal(found.s, latents.s)


def test_what_takes_too_long_is_refused_with_its_time(here, capsys):
    assert edit("--seed", 3, "--prompt", "smile", "--compute-minutes", 0, method="stylemc") == 2
    err = capsys.readouterr().err
    assert "The direction of this prompt is missing, and computing it here would take about" in err
    assert "--compute-minutes 0: raise that." in err and err.count("\n") == 1
    assert not (here / "strip.png").exists()


CHECKPOINTS = ("--generator", "--clip", "--clip-architecture")


def edit_files(weights, *options):
    base = zip(CHECKPOINTS, (weights.generator, weights.clip, weights.architecture), strict=True)
    return main(["edit", *[str(part) for pair in base for part in pair], "--seed", "1", *map(str, options)])


def test_files_of_ones_own(here, weights, capsys):
    deltaedit = "deltaedit[relevance_statistics=20,templates=false,threshold=0]"
    files = ("--mapper", weights.delta_mapper, "--relevance", weights.relevance)
    options = ("--prompt", "face with glasses", "--strength", "0,1", "--out", "files.png")
    assert edit_files(weights, *options, *files, "--method", deltaedit) == 0
    before, after = panels("files.png", 1, 2, names=("seed 1",))[0]
    assert np.abs(before.astype(int) - after).max() > 0
    for method in (
        "styleclip-optimization[preset=cli,steps=3]",
        "tedigan[preset=demo,perceptual_weight=0,steps=3]",
        "stylemc[identity_power=none,images=8]",
        "styleclip-mapper[lambda_id=0,steps=2,batch=2,images=4]",
    ):
        assert edit_files(weights, *options, "--method", method) == 0  # with generator and CLIP alone
    assert edit_files(weights, *options, *files, "--truncation", 1, "--noise", "none", "--method", "identity") == 0
    capsys.readouterr()
    assert edit_files(weights, *options, *files[2:], "--method", deltaedit, "--compute-minutes", 0) == 2
    assert "The Delta Mapper is missing" in (err := capsys.readouterr().err) and "give --mapper FILE" in err
    assert edit_files(weights, *options, "--method", "tedigan") == 2
    assert "needs an encoder" in (err := capsys.readouterr().err) and err.count("\n") == 1
    assert "; give --encoder FILE, or use preset=demo." in err
    assert edit_files(weights, *options, "--method", "styleclip-mapper") == 2
    assert "has no identity network" in (err := capsys.readouterr().err) and err.count("\n") == 1
    assert "; give --identity FILE, or set that weight to 0." in err
    assert edit_files(weights, *options, "--method", "tedigan[preset=demo]") == 2
    assert "for editors; set perceptual_weight=0." in capsys.readouterr().err  # no file can be given for that


def test_a_picture_without_an_encoder_is_one_sentence(here, weights, capsys):
    Image.new("RGB", (16, 16)).save("a.png")
    parts = zip(CHECKPOINTS, (weights.generator, weights.clip, weights.architecture), strict=True)
    command = ["edit", *[str(part) for pair in parts for part in pair], "--image", "a.png", "--prompt", "smile"]
    assert main(command) == 2
    assert "--image needs an encoder" in (err := capsys.readouterr().err) and "--encoder FILE" in err


WRONG = {
    "nothing to edit": (["--prompt", "smile"], "Name what to edit"),
    "two things to edit": (["--seed", "1", "--image", "a.png", "--prompt", "smile"], "exclude each other"),
    "no prompt": (["--seed", "1"], "Name what to change"),
    "empty prompt": (["--seed", "1", "--prompt", " "], "is empty"),
    "prompt and picture": (["--seed", "1", "--prompt", "x", "--target-image", "a.png"], "exclude each other"),
    "half a difference": (["--seed", "1", "--target-image", "a.png"], "--source-image FILE is missing"),
    "too many sources": (
        ["--seed", "1", "--prompt", "x", "--source-text", "a", "--source-text", "b"],
        "once for each --prompt",
    ),
    "no file": (["--image", "absent.png", "--prompt", "x"], "--image: there is no file absent.png"),
    "no latents": (["--latents", "absent.npy", "--prompt", "x"], "--latents: there is no file absent.npy"),
    "no picture": (["--image", "text.png", "--prompt", "x"], "text.png is no whole picture"),
    "half a picture": (["--image", "half.png", "--prompt", "x"], "half.png is no whole picture"),
    "other codes": (["--latents", "codes.npy", "--prompt", "x"], "codes.npy holds no codes of this generator"),
    "strength": (["--seed", "1", "--prompt", "x", "--strength", "0..1"], "--strength must be start:stop:step"),
    "backwards": (["--seed", "1", "--prompt", "x", "--strength", "0:1:-1"], "--strength must be start:stop:step"),
    "many strengths": (["--seed", "1", "--prompt", "x", "--strength", "0:1:0.001"], "more than 64"),
    "seed": (["--seed", "one", "--prompt", "x"], "--seed must be whole numbers"),
    "negative seed": (["--seed", "-1", "--prompt", "x"], "--seed must be a whole number from 0"),
    "absurd seed": (["--seed", "9" * 30, "--prompt", "x"], "--seed must be a whole number from 0 to 2147483647"),
    "absurd number": (
        ["--seed", "1", "--prompt", "x", "--method", f"stylemc[images=1{'0' * 21}]"],
        "must be a whole number, 1 or more, and at most 1e+09",
    ),
    "editor": (["--seed", "1", "--prompt", "x", "--method", "deltaedt"], "did you mean 'deltaedit'?"),
    "two editors": (["--seed", "1", "--prompt", "x", "--method", "styleclip"], "--method must name one editor"),
    "parameter": (["--seed", "1", "--prompt", "x", "--method", "tedigan[steps=0]"], "must be a whole number"),
    "domain": (["--seed", "1", "--prompt", "x", "--domain", "tiney"], "did you mean 'tiny'?"),
    "no folder": (["--seed", "1", "--prompt", "x", "--out", "text.png/strip.png"], "cannot be written"),
    "jpeg": (["--seed", "1", "--prompt", "x", "--out", "strip.jpg"], "must be a .png file"),
    "one frame": (["--seed", "1", "--prompt", "x", "--frames", "1", "--out", "x.gif"], "--frames must be 2 or more"),
    "frames to a png": (["--seed", "1", "--prompt", "x", "--frames", "3", "--out", "x.png"], "a folder or a .gif"),
    "clip alone": (["--seed", "1", "--prompt", "x", "--clip", "text.png"], "--clip belongs to --generator"),
    "generator and domain": (["--seed", "1", "--prompt", "x", "--generator", "text.png"], "exclude each other"),
}


@pytest.mark.parametrize(("options", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_mistakes_are_one_sentence(here, options, sentence, capsys):
    (here / "text.png").write_text("no picture")
    Image.new("RGB", (64, 64), "red").save("a.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save("whole.png")
    (here / "half.png").write_bytes((here / "whole.png").read_bytes()[:4000])
    np.save("codes.npy", np.zeros((2, 5), dtype=np.float32))
    options = options if "--domain" in options else ["--domain", "tiny", *options]
    options = options if "--method" in options else ["--method", "identity", *options]
    assert main(["edit", *options]) == 2
    found = capsys.readouterr()
    assert sentence in found.err
    assert found.err.count("\n") == 1 and "Traceback" not in found.err and not found.out


def test_every_damaged_picture_is_told_at_once_before_networks_are_loaded(here, monkeypatch, capsys):
    monkeypatch.setitem(domains.DOMAINS, "tiny", lambda *place: pytest.fail("loaded"))
    (here / "empty.png").write_bytes(b"")
    (here / "text.png").write_text("no picture")
    Image.new("RGB", (16, 16)).save("whole.png")
    images = ("--image", "empty.png", "--image", "whole.png", "--image", "text.png")
    assert edit(*images, "--prompt", "smile") == 2
    empty, text = capsys.readouterr().err.splitlines()
    assert "empty.png is an empty file" in empty and "text.png is no whole picture" in text
    assert edit("--image", "a.png", "--image", "b.png", "--prompt", "smile") == 2
    assert capsys.readouterr().err.splitlines() == [f"--image: there is no file {name}.png." for name in "ab"]


def test_a_picture_is_never_written_over_by_its_own_edit(here, capsys):
    Image.new("RGB", (16, 16), "red").save("a.png")
    before = (here / "a.png").read_bytes()
    (here / "link.png").symlink_to(here / "a.png")
    for out in ("a.png", "./a.png", "link.png"):
        assert edit("--image", "a.png", "--prompt", "smile", out=out) == 2
        assert (
            capsys.readouterr().err == f"--out {Path(out)} is one of the files that are read; choose another --out.\n"
        )
    assert (here / "a.png").read_bytes() == before


def test_a_generator_needs_a_clip(here, weights, capsys):
    assert main(["edit", "--generator", str(weights.generator), "--seed", "1", "--prompt", "x"]) == 2
    assert "--generator needs --clip FILE" in capsys.readouterr().err


def test_an_editor_that_exits_or_fails_is_one_sentence(here, monkeypatch, capsys):
    (here / "leaving.py").write_text(
        "import sys\n\n\nclass Leaves:\n    name, space, paper = 'leaves', 'S', ''\n\n"
        "    def prepare(self, domain): ...\n    def fit(self, prompt): ...\n\n"
        "    def edit(self, latents, prompt, strength):\n"
        "        if strength > 1:\n            sys.exit()\n        return latents[0:1, 2]\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(here)])
    assert edit("--seed", 1, "--prompt", "face with glasses", "--strength", "2", method="leaving:Leaves") == 1
    assert capsys.readouterr().err == "The editor leaves called sys.exit(None); it must raise an error.\n"
    assert edit("--seed", 1, "--prompt", "face with glasses", "--strength", "1", method="leaving:Leaves") == 1
    assert capsys.readouterr().err == "leaves.edit must return w_plus of shape (1, 6, 8). Got (1, 8) instead.\n"
