"""Everything that a paper shows of one run: tables, figures, and two documents that place them with captions.

``docs/paper.md`` says what is where.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from eval.runs.reader import Run
from reports.conclusions import conclusions
from reports.equal_effect.curves import pareto
from reports.equal_effect.prompts import Matched, is_control
from reports.figures.attributes import attributes_figure
from reports.figures.labels import Shortened, for_figures
from reports.figures.pareto import pareto_figure
from reports.figures.prompts import prompts_figure
from reports.figures.scatter import scatter_figure
from reports.paper.ablations import ablation_section
from reports.paper.alignment import alignment_section
from reports.paper.comparison import comparison_part, frechet_part, matched_part, originals_part, real_values_part
from reports.paper.latex import latex, tabular, tabular_names
from reports.paper.markdown import markdown
from reports.paper.parts import FigurePart, Paper, Part, Section, TablePart, counted
from reports.paper.pictures import failures_section, pictures_section
from reports.paper.provenance import provenance_section
from reports.paper.published import published_part
from reports.paper.runtime import runtime_parts
from reports.tables.prompts import MASTERED_PRESERVATION, MASTERED_SUCCESS
from reports.writers.attempts import attempt
from reports.writers.layout import Table
from reports.writers.style import house_style, save

FOLDERS = ("tables", "figures")
NO_MATCHED = (
    "The run holds no edits at equal effect: the editors above change the picture by different amounts. "
    "`deltabench run` with `--protocol matched` adds them."
)


def write_paper(
    run: Run,
    tables: Sequence[Table],
    out: Path,
    ablations: Sequence[Path] = (),
    alignments: Sequence[Path] = (),
    problems: list[str] | None = None,
) -> list[Path]:
    """Write ``paper.md``, ``paper.tex``, ``tables/`` and ``figures/`` into a folder that is made if needed.

    The same run, ablations and alignments give the same bytes.

    Args:
        run: opened, with at least one finished chunk.
        tables: its tables, as ``reports.tables.build_tables`` makes them.
        out: where to.
        ablations: folders of ``deltabench ablate``.
        alignments: folders of ``deltabench align``.
        problems: takes a sentence about every figure that cannot be drawn; without it that is raised.

    Returns:
        The files, documents first.

    Raises:
        ValueError: a file of the run cannot be read, or a folder is not what it should be.
    """
    with house_style():
        paper, pictures = _drawn(compose(run, tables, ablations, alignments), out, problems)
    written = [path for part in _parts(paper) if isinstance(part, TablePart) for path in _write_table(part.table, out)]
    texts = {"paper.md": markdown(paper), "paper.tex": latex(paper)}
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    return [*(out / name for name in texts), *written, *pictures]


def compose(
    run: Run, tables: Sequence[Table], ablations: Sequence[Path] = (), alignments: Sequence[Path] = ()
) -> Paper:
    """The paper as text, tables and figures still to be drawn; arguments as of ``write_paper``."""
    named = {table.name: table for table in tables}
    domain = str(run.manifest.get("domain"))
    editors = [editor for editor in run.editors if not is_control(editor)]
    sizes = [counted(len(editors), "editor"), counted(len(run.prompts), "prompt"), counted(len(run.names), "image")]
    sections = (
        _comparison(run, named),
        Section("Runtime", (), tuple(runtime_parts(run, named["runtime"]))),
        ablation_section(ablations),
        alignment_section(alignments, domain),
        pictures_section(for_figures(run, ())[0]),
        failures_section(run),
        _published(run),
        provenance_section(run),
    )
    return Paper(
        f"Text-driven image editing on {domain}: {', '.join(sizes)}",
        (_abstract(run, editors), *conclusions(run)),
        sections,
    )


def _abstract(run: Run, editors: list[str]) -> str:
    controls = [editor for editor in run.editors if is_control(editor)]
    beside = f", with the controls {', '.join(controls)}" if controls else ""
    unfinished = f"{run.unfinished} " if run.unfinished else ""
    return (
        f"{unfinished}Tables and figures of one run of `deltabench`: {', '.join(editors) or 'no editor'}{beside}; "
        f"{counted(len(run.names), 'image')}, {counted(len(run.prompts), 'prompt')}, {counted(len(run.rows), 'cell')}. "
        "Captions are generated: every number in them is computed from the run folder."
    )


def _comparison(run: Run, tables: dict[str, Table]) -> Section:
    shown = for_figures(run, ())[0]
    parts: list[Part] = [comparison_part(run, tables)]
    if "frechet" in tables:
        parts.append(frechet_part(run, tables["frechet"]))
    if "originals" in tables:
        parts.append(originals_part(run, tables["originals"]))
    if "real_values" in tables:
        parts.append(real_values_part(run, tables["real_values"]))
    if "matched" in tables:
        parts.append(matched_part(run, tables["matched"]))
        curves = pareto(Matched(run))
        if curves is not None:
            caption = (
                f"What more effect costs, over {counted(len(curves.prompts), 'prompt')} that all compared editors "
                "meet at every "
                f"effect from {curves.goals[0]:g} to {curves.goals[-1]:g} σ ({', '.join(curves.prompts)}). Bars: "
                "95 % intervals over images."
            )
            parts.append(FigurePart("pareto", caption, lambda: pareto_figure(Shortened(run))))
    kinds = " and ".join(dict.fromkeys(setting.kind for setting in run.settings))
    parts += [
        FigurePart(
            "success_preservation",
            f"Success against preservation at {kinds} strength, with 95 % intervals; small: single prompts. "
            "Shaded: success of at "
            f"least {MASTERED_SUCCESS:.2f} and preservation of at least {MASTERED_PRESERVATION:.2f}.",
            lambda: scatter_figure(shown),
        ),
        FigurePart("prompts", _prompts_caption(run), lambda: prompts_figure(shown)),
        FigurePart(
            "attributes",
            "What else changes: share of eligible edits in which the judge's first choice for an attribute "
            "(column) is another "
            "one than before, when the attribute of the row is edited.",
            lambda: attributes_figure(shown),
        ),
    ]
    return Section("Comparison", () if "matched" in tables else (NO_MATCHED,), tuple(parts))


def _prompts_caption(run: Run) -> str:
    from reports.tables.prompts import prompt_results

    counts = []
    for setting in run.headlines:
        if not is_control(setting.editor):
            results = prompt_results(run, setting)
            counts.append(f"{setting.editor} {sum(bool(result.mastered) for result in results)} of {len(results)}")
    return (
        "Success and preservation for every prompt. "
        f"Prompts mastered ({MASTERED_SUCCESS:.2f} and {MASTERED_PRESERVATION:.2f}): "
        f"{', '.join(counts) or 'no editor'}."
    )


def _published(run: Run) -> Section:
    """Published numbers, apart from ours."""
    part = published_part(run.editors)
    if part is None:
        return Section(
            "Published numbers", ("No published number with a known source is stored for the editors of this run.",)
        )
    return Section("Published numbers", (), (part,))


def _parts(paper: Paper) -> list[Part]:
    return [part for section in paper.sections for part in section.parts]


def _drawn(paper: Paper, out: Path, problems: list[str] | None) -> tuple[Paper, list[Path]]:
    """Draw or copy the figures; those that the run has nothing for, or that cannot be drawn, leave the paper."""
    for folder in FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    sections = []
    for section in paper.sections:
        kept: list[Part] = []
        for part in section.parts:
            files: list[Path] = []
            if isinstance(part, FigurePart):
                with attempt(f"figures/{part.name}", problems):
                    files = _figure_files(part, out / "figures")
            if files or isinstance(part, TablePart):
                kept.append(part)
                written += files
        sections.append(Section(section.title, section.paragraphs, tuple(kept)))
    return Paper(paper.title, paper.abstract, tuple(sections)), written


def _figure_files(part: FigurePart, folder: Path) -> list[Path]:
    if part.draw is None:
        paths = [folder / f"{part.name}{file.suffix}" for file in part.files]
        for source, target in zip(part.files, paths, strict=True):
            shutil.copyfile(source, target)
        return paths
    figure = part.draw()
    return [] if figure is None else save(figure, folder, part.name)


def _write_table(table: Table, out: Path) -> list[Path]:
    """csv, md, and one tex for each ``tabular``."""
    folder = out / "tables"
    texts = {f"{table.name}.csv": table.csv(), f"{table.name}.md": table.markdown()}
    texts |= {
        f"{name}.tex": tabular(table, block) for name, block in zip(tabular_names(table), table.blocks, strict=True)
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in texts]
