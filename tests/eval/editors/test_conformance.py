import pytest
import torch
from click.testing import CliRunner

from baselines.controls import Identity, RandomDirection
from baselines.interfacegan import InterFaceGAN
from baselines.styleclip_mapper import StyleClipMapper
from baselines.styleclip_optimization import StyleClipOptimization
from baselines.stylemc import StyleMC
from baselines.tedigan import TediGan
from deltaedit.backbones.latents import Latents
from eval.commands import check_editor as command
from eval.editors.conformance import GLOBAL, check_editor

GOOD = {
    "identity": Identity,
    "random-direction": RandomDirection,
    "mapper": lambda: StyleClipMapper(steps=5, images=32),
    "mapper in s": lambda: StyleClipMapper(variant="single", steps=5, images=32),
    "optimization": lambda: StyleClipOptimization(steps=8, lambda_id=0.1),
    "tedigan": lambda: TediGan(steps=8),
    "tedigan demo": lambda: TediGan(preset="demo", steps=8),
    "stylemc": lambda: StyleMC(images=16),
    "interfacegan": InterFaceGAN,
}


OFFER_OFFSETS = ("optimization", "tedigan", "tedigan demo")


class Plain:
    """Adds one to the first style; the broken ones below differ from it in one thing."""

    name, space, paper = "plain", "S", "none"

    def prepare(self, domain):
        self.domain = domain

    def fit(self, prompt):
        pass

    def edit(self, latents, prompt, strength):
        return latents.with_s(latents.s + strength)


class NoZero(Plain):
    def edit(self, latents, prompt, strength):
        return latents.with_s(latents.s + 1)


class Forgetful(Plain):
    def edit(self, latents, prompt, strength):
        self.count = getattr(self, "count", 0) + 1
        return latents.with_s(latents.s + strength * self.count)


class Unseeded(Plain):
    made = 0

    def prepare(self, domain):
        Unseeded.made += 1
        self.step = Unseeded.made

    def edit(self, latents, prompt, strength):
        return latents.with_s(latents.s + strength * self.step)


class Gossip(Plain):
    def edit(self, latents, prompt, strength):
        return latents.with_s(latents.s + strength * latents.s.mean())


class Vandal(Plain):
    def edit(self, latents, prompt, strength):
        latents.w_plus.add_(strength)
        return latents.with_s(latents.s + strength)


class Double(Plain):
    def edit(self, latents, prompt, strength):
        return latents.with_s((latents.s + strength).double())


class Leaky(Plain):
    def edit(self, latents, prompt, strength):
        with torch.inference_mode(False), torch.enable_grad():
            s = latents.s.clone().requires_grad_()
            self.domain.images(latents.with_s(s)).sum().backward()
            return latents.with_s(s + strength)


class LeavesGradients(Plain):
    def edit(self, latents, prompt, strength):
        parameter = next(self.domain.synthesis.parameters())
        parameter.grad = torch.zeros_like(parameter)
        return super().edit(latents, prompt, strength)


class Trainer(Plain):
    def prepare(self, domain):
        domain.synthesis.train()


class Spoiler(Plain):
    def edit(self, latents, prompt, strength):
        next(self.domain.synthesis.parameters()).data.mul_(1.01)
        return super().edit(latents, prompt, strength)


class Global(Plain):
    def fit(self, prompt):
        torch.rand(1)


class WrongSpace(Plain):
    def edit(self, latents, prompt, strength):
        return Latents(latents.w_plus + strength, latents.s, latents.s_rgb)


class OtherOffsets(Plain):
    def offsets(self, latents, prompt):
        return torch.full_like(latents.s, 2.0)


class Raising(Plain):
    def fit(self, prompt):
        raise RuntimeError("no such prompt")


BROKEN = {
    NoZero: "strength 0 changes nothing",
    Forgetful: "the same edit twice gives the same codes",
    Unseeded: "the same seed gives the same editor",
    Gossip: "a batch of n equals n batches of one",
    Vandal: "the input is left as it was",
    Double: "shape, dtype and device are kept, numbers are finite",
    Leaky: "no gradients are left behind",
    LeavesGradients: "no gradients are left behind",
    Trainer: "the networks' modes are left as they were",
    Spoiler: "the networks' weights are left as they were",
    Global: GLOBAL,
    WrongSpace: "changes only codes of its space",
    Raising: "works without an error",
    OtherOffsets: "an edit is strength times the offsets",
}


def run(make, domain):
    return check_editor(make, domain.editing, domain.test_sources(3).latents, domain.prompts[0])


@pytest.mark.parametrize("name", GOOD)
def test_the_projects_editors_conform(tiny_domain, name):
    checks = run(GOOD[name], tiny_domain)
    assert [str(check) for check in checks if not check.passed] == []
    assert len(checks) == 15 + (name in OFFER_OFFSETS)
    assert checks[-1].name == "times"
    assert all(
        f"{verb} 0." in checks[-1].found or f"{verb} " in checks[-1].found for verb in ("prepare", "fit", "edit")
    )


def test_a_plain_editor_conforms(tiny_domain):
    assert all(check.passed for check in run(Plain, tiny_domain))


@pytest.mark.parametrize("editor", BROKEN, ids=lambda editor: editor.__name__)
def test_a_broken_editor_is_found_out(tiny_domain, editor):
    failed = [check.name for check in run(editor, tiny_domain) if not check.passed]
    assert BROKEN[editor] in failed


def test_a_strangers_error_is_told(tiny_domain):
    assert run(Raising, tiny_domain)[-1].found == "RuntimeError: no such prompt"


def asks_the_judge(judges, hide):
    """An editor that moves towards what the judge likes; it may hide that it was refused."""

    class Asks(Plain):
        def edit(self, latents, prompt, strength):
            step = torch.zeros_like(latents.s)
            try:
                step += float(judges.attributes(self.domain.images(latents))["mouth"].mean())
            except RuntimeError:
                if not hide:
                    raise
            return latents.with_s(latents.s + strength * step)

    return Asks


@pytest.mark.parametrize("hide", [False, True])
def test_one_that_asks_the_judge_is_found_out(tiny_domain, hide):
    checks = run(asks_the_judge(tiny_domain.judges, hide), tiny_domain)
    failed = {check.name: check.found for check in checks if not check.passed}
    assert list(failed) == ["leaves the judges alone"]
    assert failed["leaves the judges alone"].startswith(
        "The editor under check touched 'attributes'; judges only score"
    )


def test_one_that_holds_a_judges_weights_is_found_out(tiny_domain):
    class Keeps(Plain):
        def prepare(self, domain):
            super().prepare(domain)
            self.copies = [{"network": [tensor.clone() for tensor in tiny_domain.judges.clip.model.parameters()]}]

    latents, prompt = tiny_domain.test_sources(3).latents, tiny_domain.prompts[0]
    checks = check_editor(Keeps, tiny_domain.editing, latents, prompt, judges=tiny_domain.judges)
    assert [check.name for check in checks if not check.passed] == ["leaves the judges alone"]
    assert "'clip (it holds the weights)'" in next(check.found for check in checks if not check.passed)
    assert all(
        check.passed for check in check_editor(Plain, tiny_domain.editing, latents, prompt, 1, tiny_domain.judges)
    )


def test_one_image_is_not_enough(tiny_domain):
    with pytest.raises(ValueError, match=r"at least 2 images. Got 1"):
        check_editor(Plain, tiny_domain.editing, tiny_domain.test_sources(1).latents, tiny_domain.prompts[0])


@pytest.mark.parametrize(("editor", "code"), [("identity", 0), ("stylemc[images=8]", 0)])
def test_the_command(tiny_domain, monkeypatch, editor, code):
    monkeypatch.setattr("eval.domains.load_domain", lambda name, **place: tiny_domain)
    result = CliRunner().invoke(command.check_editor, [editor, "--domain", "tiny", "--prompt", "smile"])
    assert result.exit_code == code, result.output
    assert f"{editor} on tiny, prompt 'smile', 3 images" in result.output
    assert "All 15 checks passed." in result.output


def test_the_command_tells_failures(tiny_domain, monkeypatch, tmp_path):
    monkeypatch.setattr("eval.domains.load_domain", lambda name, **place: tiny_domain)
    source = (
        "class Careless:\n    name, space, paper = 'careless', 'S', ''\n"
        "    def prepare(self, domain): pass\n    def fit(self, prompt): pass\n"
        "    def edit(self, latents, prompt, strength): return latents.with_s(latents.s + 1)\n"
    )
    (tmp_path / "careless_editor.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    result = CliRunner().invoke(command.check_editor, ["careless_editor:Careless"])
    assert result.exit_code == 1
    assert "FAILED  strength 0 changes nothing" in result.output
    assert "1 of 15 checks failed." in result.output
