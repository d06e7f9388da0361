from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from eval import domains
from eval.cli import COMMANDS, main

EDITORS = """
class Nudge:
    "Moves every style by a fixed number."
    name, space, paper = "nudge", "S", "none"

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def prepare(self, domain): ...
    def fit(self, prompt): ...
    def edit(self, latents, prompt, strength):
        return latents.with_s(latents.s * (1 + self.gain * strength * len(prompt.name) / 10))

class Fails(Nudge):
    name = "fails"
    def edit(self, latents, prompt, strength):
        if prompt.name == "smile":
            raise ValueError("cannot smile")
        return latents

class Exits(Nudge):
    name = "exits"
    def __init__(self, verb: str = "edit"):
        self.verb = verb
    def prepare(self, domain):
        self.leave("prepare")
    def fit(self, prompt):
        self.leave("fit")
    def edit(self, latents, prompt, strength):
        self.leave("edit")
    def leave(self, verb):
        import os, sys
        print("I leave")
        os.chdir("/")
        if verb == self.verb:
            sys.exit(0)

class Stopped(Nudge):
    name = "stopped"
    def edit(self, latents, prompt, strength):
        raise KeyboardInterrupt
"""


@pytest.fixture
def here(tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with editors in ``nudging.py`` and the tiny domain under its name."""

    def tiny(*_: Any) -> Any:
        """A domain in miniature."""
        return tiny_domain

    monkeypatch.setitem(domains.DOMAINS, "tiny", tiny)
    (tmp_path / "nudging.py").write_text(EDITORS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "nudging", raising=False)
    return tmp_path


def run(*options: str, methods: str = "nudging:Nudge") -> list[str]:
    return ["run", "--methods", methods, "--domain", "tiny", "--images", "6", *options]


@pytest.mark.parametrize("verb", ["prepare", "fit", "edit"])
def test_an_editor_that_exits_loses_its_own_chunks_only(
    here: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = f"nudging:Exits[verb={verb}],nudging:Nudge"
    options = ("--no-figures", "--json", "--prompts", "smile", "--strengths", "default", "--out", "made")
    assert main(run(*options, methods=methods)) == 1
    made = json.loads(capsys.readouterr().out)  # what it printed is not in it
    label = "exits" if verb == "edit" else f"exits[verb={verb}]"
    error = f"EditorStopped: The editor {label} called sys.exit(0); it must raise an error."
    assert [failure["error"] for failure in made["failures"]] == [error]
    assert next(row["editor"] for row in made["tables"]["main"]) == "nudge"
    assert Path.cwd() == here and (here / "made/tables/main.csv").exists()


def test_an_editor_that_exits_fails_edit_and_its_check(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-editor", "nudging:Exits", "--domain", "tiny"]) == 1
    assert "FAILED  works without an error: EditorStopped: The editor under check called" in capsys.readouterr().out
    (here / "exiting.py").write_text("import sys\nsys.exit(0)\n")
    assert main(run(methods="exiting:Editor")) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("The editor 'exiting:Editor' (exiting:Editor) cannot be")


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "pandas", "matplotlib", "rich", "open_clip")
    code = f"import sys, eval.cli; print([name for name in {heavy} if name in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_lists_every_command_without_importing_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert main([]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"deltabench {name}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("deltabench ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rnu"], "There is no command 'rnu'; did you mean 'run'?"),
        (["domain", "rendr"], "There is no command 'rendr'; did you mean 'render'?"),
        (["methods", "shwo", "x"], "There is no command 'shwo'; did you mean 'show'?"),
        (["methods", "show", "deltaedt"], "There is no editor 'deltaedt'; did you mean 'deltaedit'?"),
        (["run", "--method", "x"], "There is no option '--method'; did you mean '--methods'?"),
        (["--versoin"], "There is no option '--versoin'; did you mean '--version'?"),
        (["run"], "Missing option '--methods'. See `deltabench run --help`."),
        (["report"], "Missing argument 'RUN'. See `deltabench report --help`."),
        (["report", "nowhere"], "nowhere is not a run folder: it has no manifest.json; `deltabench run` makes one."),
        (["prompts", "--domain", "avatar"], "There is no domain 'avatar'; did you mean 'avatars'?"),
        (["domain", "show", "ffhqq"], "There is no domain 'ffhqq'"),
        (["domain", "show", "tiny"], "The domain 'tiny' has no recipes; only avatars and faces have."),
        (["domain", "train", "avatars", "--network", "generatr"], "did you mean 'generator'?"),
        (run("--domain", "tny"), "There is no domain 'tny'; did you mean 'tiny'?"),
        (run(methods="nudgng"), "There is no editor 'nudgng'."),
        (run(methods="nudging:Nudge[gian=2]"), "There is no parameter of nudge 'gian'; did you mean 'gain'?"),
        (run("--prompts", "smlie"), "There is no prompt 'smlie'; did you mean 'smile'?"),
        (run("--prompts", " "), "--prompts is empty; leave it out for all prompts"),
        (run("--prompts", "mine.toml"), "There is no prompt set mine.toml."),
        (run("--prompts", "empty.toml"), "The prompt set empty.toml holds no [[prompt]]."),
        (run("--prompts", "strange.toml"), "There is no attribute (of the prompt 'x') 'muth'; did you mean 'mouth'?"),
        (run("--strengths", "calibratd"), "There is no strength 'calibratd'; did you mean 'calibrated'?"),
        (run("--images", "0"), "Invalid value for '--images'"),
        (run("--out", "nudging.py"), "nudging.py"),
        (run("--out", "."), "and is not a run; choose another --out."),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    (here / "empty.toml").write_text('source = "face"')
    strange = 'source="face"\n[[prompt]]\nname="x"\ntarget="smile"\nattribute="muth"\nvalue="smile"'
    (here / "strange.toml").write_text(strange)
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_run_ends_with_tables_and_paths(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(run("--no-figures", "--strengths", "default,2", "--verbose")) == 0
    told = capsys.readouterr()
    (folder,) = (here / "deltabench-runs").iterdir()
    assert folder.name.startswith("tiny-")
    assert [line for line in told.out.splitlines() if line.startswith("nudge") and "default" in line]
    assert told.out.splitlines()[-1] == f"Open deltabench-runs/{folder.name}/tables/main.md"
    written = [line.strip() for line in told.out.splitlines() if line.startswith("  deltabench-runs/")]
    assert written
    assert all((here / path).stat().st_size > 0 for path in written)
    assert "edits: glasses, nudge" in told.err  # plain lines where nobody watches
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["arguments"] == {
        "methods": ["nudge"], "prompts": ["glasses", "red-hair", "smile"], "images": 6, "strengths": ["default", "2"],
        "seed": 0, "batch": 6,
    }  # fmt: skip
    assert manifest["editors"]["nudge"]["class"] == "nudging:Nudge"


def test_json_is_one_object_with_the_numbers_of_the_tables(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = "nudging:Fails,nudging:Nudge"
    assert main(run("--strengths", "default", "--out", "mine", "--json", "--no-figures", methods=methods)) == 1
    told = capsys.readouterr()
    made = json.loads(told.out)
    assert told.err == ""
    assert (made["folder"], made["open"]) == ("mine", "mine/tables/main.md")
    assert all(Path(path).is_file() for path in made["files"])
    (failure,) = made["failures"]
    assert (failure["editor"], failure["prompt"], failure["error"]) == ("fails", "smile", "ValueError: cannot smile")
    with Path("mine/tables/main.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [row["editor"] for row in made["tables"]["main"]] == [row["editor"] for row in written]
    for shown, row in zip(made["tables"]["main"], written, strict=True):
        assert shown["success"] == (float(row["success"]) if row["success"] else None)


def test_quiet_prints_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(run("--no-figures", "--strengths", "default", "--out", "mine", "--quiet")) == 0
    assert main(["report", "mine", "--no-figures", "--quiet"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")
    assert main(["report", "mine", "--quiet", "--json"]) == 2
    assert capsys.readouterr().err == "--quiet and --json contradict each other; give one of them.\n"


def test_the_same_command_makes_the_same_tables_without_editing_again(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = run("--no-figures", "--strengths", "default")
    assert main(command) == 0
    tables = {path: path.read_bytes() for path in here.rglob("tables/*")}
    monkeypatch.setattr(sys.modules["nudging"].Nudge, "edit", None)  # would fail
    assert main(command) == 0
    assert {path: path.read_bytes() for path in here.rglob("tables/*")} == tables
    assert len(tables) > 0


def test_report_writes_the_tables_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(run("--no-figures", "--strengths", "default", "--out", "mine"))
    tables = {path: path.read_bytes() for path in here.rglob("tables/*")}
    for path in tables:
        path.unlink()
    assert main(["report", "mine", "--no-figures"]) == 0
    assert {path: path.read_bytes() for path in here.rglob("tables/*")} == tables


def test_a_folder_of_another_run_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(run("--no-figures", "--strengths", "default", "--out", "mine"))
    capsys.readouterr()
    assert main(run("--no-figures", "--strengths", "default", "--out", "mine", "--limit", "4")) == 2
    assert capsys.readouterr().err == (
        "mine holds another run: images is 6 there, 4 here; choose another --out.\n"
    )  # fmt: skip


def test_a_failing_editor_gives_exit_code_1_and_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = "nudging:Fails,nudging:Nudge"
    assert main(run("--no-figures", "--strengths", "default", "--out", "mine", methods=methods)) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "fails failed in 1 chunk (smile): ValueError: cannot smile; "
        "the traceback is in mine/chunks/fails--smile--default-1--00000.error.json"
    )


def test_ctrl_c_says_how_to_go_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(run("--no-figures", "--strengths", "default", methods="nudging:Stopped")) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "Stopped; the same command goes on from here."


def test_a_dry_run_counts_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(run("--dry-run", "--limit", "5", "--prompts", "smile,glasses", "--batch", "2")) == 0
    text = capsys.readouterr().out
    assert "Cells:      20, and 52 edits to calibrate" in text
    assert "Prompts:    glasses, smile" in text
    assert "Images:     5, in chunks of 2" in text
    assert "Time:       unknown" in text
    assert sorted(path.name for path in here.iterdir() if path.suffix != "") == ["nudging.py"]


def test_lists(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsys.readouterr().out

    assert "tiny     A domain in miniature." in told("domains")
    assert "face with red hair" in told("prompts", "--domain", "tiny")
    methods = told("methods")
    line = next(line for line in methods.splitlines() if line.startswith(" deltaedit "))
    assert "s + strength · Δŝ" in line and "arXiv 2303.06285" in line and " ms " in line
    assert "'styleclip' means styleclip-global,styleclip-mapper." in methods
    shown = told("methods", "show", "nudging:Nudge")
    assert "gain=1.0 (float)" in shown
    assert "Moves every style by a fixed number." in shown


def test_a_mistake_of_click_without_context_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> Callable[..., Any]:
        raise click.ClickException("two\nlines")

    monkeypatch.setattr("eval.cli.cli.main", fails)
    assert main(["run"]) == 2
    assert capsys.readouterr().err == "two lines\n"


def test_calibrate_prints_strengths_and_the_run_goes_on_from_there(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--methods", "nudging:Nudge", "--domain", "tiny", "--images", "6", "--prompts", "smile,red-hair"]
    assert main(["calibrate", *options]) == 0
    text = capsys.readouterr().out
    assert "shares of the right effect" in text and "0.75" in text and "smile" in text and "largest effect" in text
    stored = {path: path.read_bytes() for path in here.rglob("strengths/*.json")}
    assert len(stored) == 2
    assert main(["run", *options, "--protocol", "matched", "--no-figures"]) == 0
    out = capsys.readouterr().out
    assert "At equal target effect" in out and "oracle" in out
    assert {path: path.read_bytes() for path in here.rglob("strengths/*.json")} == stored
    (table,) = here.rglob("tables/matched.md")
    assert "effect" in table.read_text(encoding="utf-8")


def test_a_dry_run_at_matched_strength_counts_what_calibration_needs(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run("--dry-run", "--protocol", "matched", "--prompts", "smile,glasses")) == 0
    text = capsys.readouterr().out
    assert "Strengths:  default, matched 0.25, matched 0.5, matched 0.75, matched 1" in text
    assert "Cells:      60, and 236 edits to calibrate" in text


def test_protocols_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(run("--dry-run", "--protocol", "matchd")) == 2
    assert "published" in capsys.readouterr().err
    main(run("--dry-run"))
    published = capsys.readouterr().out
    main(run("--dry-run", "--strengths", "default,calibrated"))
    assert capsys.readouterr().out == published
