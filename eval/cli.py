"""The command `deltabench`: finds the command's module, calls it, prints users' mistakes as one sentence.

Nothing heavy is imported here, so that ``deltabench --help`` is instant: a command's module is imported when called.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, cast

import click

from deltaedit.tools.errors import CheckpointError
from eval.commands import LazyGroup
from eval.commands.terminal import patient_streams, printable
from eval.errors import EditorStopped, UsageError, unknown

# command -> where it is, and its line in `deltabench --help`
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("eval.commands.run:run", "Edit, judge and tabulate; the same command again finishes what is missing."),
    "calibrate": (
        "eval.commands.strengths.calibrate:calibrate",
        "Find the strengths that a run needs, and print them.",
    ),
    "tune": ("eval.commands.strengths.tune:tune", "Choose hyper-parameters of all editors by one rule."),
    "edit": ("eval.commands.edit:edit", "Edit pictures by a text and look at them: a strip of strengths."),
    "report": ("eval.commands.report:report", "Write the tables and figures of a run anew."),
    "paper": ("eval.commands.paper:paper", "Write every table and figure of a paper from one run, with captions."),
    "export": ("eval.commands.export:export", "Export the cells of a run: csv, parquet, wandb or mlflow."),
    "compare": ("eval.commands.compare:compare", "Compare two runs, or two editors of one run, cell by cell."),
    "why": ("eval.commands.why:why", "Say how a number of a run came to be, and compute it again."),
    "align": ("eval.commands.align:align", "Measure how well CLIP's images and texts match: raw, centred, delta."),
    "ablate": ("eval.commands.ablate:ablate", "Change one part of DeltaEdit at a time and compare at equal effect."),
    "methods": ("eval.commands.lists.methods:methods", "List the editors; `methods show NAME` describes one."),
    "check-editor": ("eval.commands.check_editor:check_editor", "Check that an editor keeps the contract."),
    "label": ("eval.commands.lists.label:label", "Look at edits of a run blind, and say which are right."),
    "judges": ("eval.commands.judges:judges", "Check the judges on edited pictures whose truth is known."),
    "doctor": ("eval.commands.machine.doctor:doctor", "Say what this machine has, and what would be slow on it."),
    "bench": (
        "eval.commands.machine.bench:bench",
        "Measure how fast this machine is, beside its limit.",
    ),
    "prepare": (
        "eval.commands.machine.prepare:prepare",
        "Compute what editors need of a generator; in shards.",
    ),
    "domains": ("eval.commands.lists.domains:domains", "List the domains."),
    "models": ("eval.commands.lists.models:models", "List the weight files: there, missing, where they come from."),
    "prompts": ("eval.commands.lists.prompts:prompts", "List the prompts of a domain."),
    "domain": ("eval.commands.lists.domain:domain", "Render, train, show or label a domain."),
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("deltabench")
    except PackageNotFoundError:
        return "not installed"


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"deltabench {_version()}")
        context.exit()


cli = LazyGroup(
    name="deltabench",
    commands_table=COMMANDS,
    help="Which text-driven StyleGAN editor changes what the text asks, and only that, at what cost?\n\n"
    "Start with: deltabench run --methods deltaedit,styleclip",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    no_args_is_help=False,
    invoke_without_command=True,
    callback=lambda: None,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: default those of the process.

    Returns:
        The exit code: 0 fine, 1 some chunks failed, 2 a mistake in the command or its input, 130 stopped by Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    with patient_streams():
        try:
            with warnings.catch_warnings():
                _plain_warnings()
                return int(cli.main(arguments, prog_name="deltabench", standalone_mode=False) or 0)
        except (UsageError, CheckpointError) as error:
            for sentence in error.args:
                click.echo(printable(str(sentence)), err=True)
            return 2
        except click.ClickException as error:
            click.echo(printable(_sentence(error)), err=True)
            return 2
        except OSError as error:  # of whatever file the user named
            click.echo(printable(_of_files(error)), err=True)
            return 2
        except MemoryError:
            click.echo(
                "There is too little memory for this; ask for fewer images, or give a smaller --batch.", err=True
            )
            return 2
        except EditorStopped as error:
            click.echo(printable(str(error)), err=True)
            return 1
        except (KeyboardInterrupt, click.Abort) as error:
            if isinstance(error.__cause__, EOFError):  # click takes it for a Ctrl-D
                click.echo(f"A file that was read is empty or cut off: {error.__cause__}.", err=True)
                return 2
            click.echo("Stopped; the same command goes on from here.", err=True)
            return 130


def _plain_warnings() -> None:
    """Show our warnings as sentences for users, whom neither the line of the code nor the name of the class helps."""
    others: Any = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if category is UserWarning:
            click.echo(str(message), err=True)
        else:
            others(message, category, *place)

    warnings.showwarning = cast(Any, show)


def _of_files(error: OSError) -> str:
    """What is wrong with a file, or with the folder that the command was called in."""
    try:
        os.getcwd()
    except OSError:
        return "The current folder is gone; change into a folder that exists and give the command again."
    return f"{error.filename or 'A file'} cannot be read or written ({error.strerror or error})."


def _sentence(error: click.ClickException) -> str:
    """Click's message in one line, with the command that helps."""
    context = getattr(error, "ctx", None)
    if context is None:
        return " ".join(error.format_message().split())
    help_command = f"{context.command_path} --help"
    if isinstance(error, click.NoSuchOption):
        options = [option for parameter in context.command.get_params(context) for option in parameter.opts]
        return str(unknown("option", error.option_name, [o for o in options if o.startswith("-")], help_command))
    message = " ".join(error.format_message().split())
    return f"{message if message.endswith('.') else message + '.'} See `{help_command}`."


if __name__ == "__main__":
    sys.exit(main())
