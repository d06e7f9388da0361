from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from eval.editors import registry
from eval.editors.spec import parameters_of
from eval.errors import UsageError

EDITOR = """
class Mine:
    "An editor of my own."
    name = "mine"
    space = "S"
    paper = "unpublished"

    def __init__(self, gain: float = 1.5, mode: str = "soft") -> None:
        self.gain, self.mode = gain, mode

    def prepare(self, domain): ...
    def fit(self, prompt): ...
    def edit(self, latents, prompt, strength): return latents

class Half:
    name = "half"
    space = "S"
    paper = ""
    def edit(self, latents, prompt, strength): return latents

class Namesake(Mine):
    name = "identity"
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of editors in the current folder, under a name that no other test has imported."""
    name = f"editors_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(EDITOR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    return name


def plug_in(monkeypatch: pytest.MonkeyPatch, **where: str) -> None:
    points = [EntryPoint(name.replace("_", "-"), value, registry.ENTRY_POINTS) for name, value in where.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.ENTRY_POINTS else [])


def test_every_built_in_editor_that_is_installed_loads_and_has_its_own_name() -> None:
    found = registry.names()
    assert {"deltaedit", "styleclip-global", "identity", "random-direction"} <= set(found)
    for name in found:
        assert registry.load_class(name).name == name  # type: ignore[attr-defined]


def test_an_editor_without_its_module_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "later", "baselines.of_tomorrow:Later")
    assert "later" not in registry.names()


def test_module_and_class_of_the_current_folder(module: str) -> None:
    (spec,), problems = registry.parse_methods(f"{module}:Mine[gain=2]")
    assert (spec.name, spec.label, dict(spec.parameters), problems) == ("mine", "mine[gain=2]", {"gain": 2.0}, [])


def test_parameters_differ_from_defaults_in_the_label_only(module: str) -> None:
    specs, _ = registry.parse_methods(f"{module}:Mine[gain=1.5,mode=hard], {module}:Mine[gain=1.5], {module}:Mine")
    assert [spec.label for spec in specs] == ["mine[mode=hard]", "mine"]


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ("deltaedt", "There is no editor 'deltaedt'; did you mean 'deltaedit'?"),
        ("styleclip-globl[beta=0.1]", "did you mean 'styleclip-global'?"),
        ("styleclip-global[bta=0.1]", "There is no parameter of styleclip-global 'bta'; did you mean 'beta'?"),
        (
            "styleclip-global[alpha=much]",
            "The 'alpha' parameter of styleclip-global must be float. Got 'much'",
        ),
        ("styleclip-global[beta]", "'beta' in 'styleclip-global[beta]' is not a parameter; write name=value."),
        ("styleclip-global[beta=0.1", "is not an editor; write e.g."),
        ("", "'' in --methods '' is not an editor"),
        ("deltaedit,", "'' in --methods 'deltaedit,' is not an editor"),
        ("identity[x=1]", "The editor identity has no parameters; 'x' was given."),
        ("all[x=1]", "'all' stands for several editors; give parameters to one of them"),
        ("no_such_module:Mine", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'."),
    ],
)
def test_mistakes_are_one_sentence(methods: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry.parse_methods(methods)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_that_is_no_editor_is_refused(module: str) -> None:
    with pytest.raises(UsageError, match=r"Half is not an editor: it has no prepare, no fit; see docs/adding"):
        registry.parse_methods(f"{module}:Half")
    with pytest.raises(UsageError, match="has no class"):
        registry.parse_methods("os:sep")


def test_a_stranger_may_not_take_the_name_of_a_built_in_editor(module: str) -> None:
    with pytest.raises(UsageError, match="is named 'identity' like an editor that exists"):
        registry.parse_methods(f"{module}:Namesake")


def test_plug_ins_are_found_by_entry_point(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sys.path.insert(0, str(Path.cwd()))
    plug_in(monkeypatch, from_a_plug_in=f"{module}:Mine")
    (spec,), _ = registry.parse_methods("from-a-plug-in[gain=3]")
    assert spec.label == "from-a-plug-in[gain=3]"


def test_a_broken_plug_in_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, broken="no_such_module:Editor")
    specs, problems = registry.parse_methods("all")
    assert "broken" not in [spec.name for spec in specs]
    assert {"deltaedit", "identity"} <= {spec.name for spec in specs}
    assert len(problems) == 1
    assert "The editor 'broken' (no_such_module:Editor) cannot be loaded" in problems[0]
    with pytest.raises(UsageError, match="'broken'"):
        registry.parse_methods("broken")


def test_an_alias_stands_for_the_registered_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ALIASES, "styleclip", ("styleclip-global", "styleclip-mapper"))
    monkeypatch.setitem(registry.BUILT_IN, "styleclip-mapper", "baselines.not_there:Mapper")
    specs, _ = registry.parse_methods("styleclip")
    assert [spec.label for spec in specs] == ["styleclip-global"]
    monkeypatch.setitem(registry.BUILT_IN, "styleclip-mapper", "baselines.controls:Identity")
    specs, _ = registry.parse_methods("styleclip,styleclip-global")
    assert [spec.label for spec in specs] == ["styleclip-global", "styleclip-mapper"]


def test_another_seed_of_a_run_trains_nothing_again() -> None:
    """Only what is drawn for the edits themselves follows the run's seed; trainings have a ``training_seed``."""
    known = {name: {p.name for p in parameters_of(registry.load_class(name))} for name in registry.BUILT_IN}
    assert [name for name, names in known.items() if "seed" in names] == ["random-direction"]
    trained = {name for name, names in known.items() if "training_seed" in names}
    assert trained == {"deltaedit", "styleclip-mapper", "stylemc"}


def test_two_editors_of_one_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    verbs = """
    space, paper = "S", ""
    prepare = fit = edit = print
"""
    both = (f"class {name}:\n    name = 't'{verbs}" for name in ("One", "Two"))
    (tmp_path / "twins.py").write_text("".join(both))
    with pytest.raises(UsageError, match=r"twins:One and twins:Two are both named 't'; give one"):
        registry.parse_methods("twins:One,twins:Two")
    specs, _ = registry.parse_methods("twins:One,twins:One")  # the same twice is meant once
    assert [spec.label for spec in specs] == ["t"]
