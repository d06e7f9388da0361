"""What is known of the judges, from ``judges.json``: two tables and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.writers.layout import Block, Table, Value, number
from reports.writers.style import INK, SMALL_PT, TITLE_PT, TWO_COLUMNS_IN, axes_at, house_style, new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JUDGES = {"attributes": "attribute judge", "clip": "judge CLIP, zero-shot"}
CARDS = {"attributes": "attribute-judge", "clip": "judge-clip"}  # the card that tells a judge's held-out accuracy
STAGES = {"unedited": "unedited", "counterfactuals": "counterfactuals", "inverted": "inverted counterfactuals"}
COLUMNS = ("judge", "of", "name", "card", *STAGES)
IDENTITY_COLUMNS = (
    *("pictures", "same_pairs", "different_pairs", "floor", "ceiling", "auc"),
    *("false_match_rate", "threshold", "verified"),
)
SAME, DIFFERENT = "#0072B2", "#D55E00"


def write_judges(folder: Path, found: Mapping[str, Any], figures: bool = True) -> tuple[tuple[Table, ...], list[Path]]:
    """Write ``tables/judges.*``, ``tables/judges_identity.*`` and ``figures/judges.*`` into a folder.

    Args:
        folder: exists.
        found: what ``judges.json`` holds.
        figures: draw the figure as well.

    Returns:
        The tables, and the files.
    """
    tables = (readers_table(found), identity_table(found))
    for part in ("tables", "figures"):
        (folder / part).mkdir(exist_ok=True)
    paths = [path for table in tables for path in table.write(folder / "tables")]
    if figures:
        with house_style():
            paths += save(judges_figure(found), folder / "figures", "judges")
    return tables, paths


def readers_table(found: Mapping[str, Any]) -> Table:
    """Accuracy of the judges that read factors: by factor, and by prompt on the target and on everything else."""
    data: list[dict[str, Value]] = []
    blocks = []
    for judge, stages in found["readers"].items():
        card = _card(found, judge)
        rows = [_row(stages, judge, "factor", factor, card.get(factor)) for factor in found["factors"]]
        targets = [_row(stages, judge, "target", prompt, None) for prompt in found["prompts"]]
        others = [_row(stages, judge, "others", prompt, None) for prompt in found["prompts"]]
        data += [*rows, *targets, *others]
        title = JUDGES.get(judge, judge)
        header = ("card", *STAGES.values())
        blocks.append(Block(f"{title}: accuracy by factor (%)", ("factor", *header), _texts(rows, ("card", *STAGES))))
        edited = tuple(stage for stage in STAGES if stage != "unedited")
        heads = [f"{of}, {STAGES[stage]}" for of in ("target", "others") for stage in edited]
        lines = tuple(
            (str(target["name"]), *(_percent(row.get(stage)) for row in (target, other) for stage in edited))
            for target, other in zip(targets, others, strict=True)
        )
        blocks.append(Block(f"{title}: accuracy by prompt (%)", ("prompt", *heads), lines))
    notes = (
        f"{found['images']} test images and the counterfactuals of {len(found['prompts'])} prompts; only factors that "
        "can be seen. Card: on held-out renders when the network was trained. Inverted: the counterfactuals through "
        "encoder and generator, which is what a judge sees of a perfect edit; what is lost there may be the "
        "inversion's fault.",
    )
    return Table("judges", "What do the judges read right?", COLUMNS, tuple(data), tuple(blocks), notes)


def _card(found: Mapping[str, Any], judge: str) -> dict[str, float]:
    """Factor -> held-out accuracy of the judge's card; its keys end in ``: <factor>``."""
    measured = found.get("cards", {}).get(CARDS.get(judge, judge), {})
    return {str(key).rpartition(": ")[2]: value for key, value in measured.items() if "accuracy" in str(key)}


def _row(stages: Mapping[str, Any], judge: str, kind: str, name: str, card: float | None) -> dict[str, Value]:
    row: dict[str, Value] = {"judge": judge, "of": kind, "name": name, "card": card}
    return row | {stage: stages[stage].get(kind, {}).get(name) for stage in STAGES if stage in stages}


def _texts(rows: list[dict[str, Value]], columns: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple((str(row["name"]), *(_percent(row.get(column)) for column in columns)) for row in rows)


def _percent(value: Value) -> str:
    return "" if value is None else number(100 * float(value), 1)


def identity_table(found: Mapping[str, Any]) -> Table:
    """Which cosine of the identity network means the same person."""
    data: list[dict[str, Value]] = []
    rows = []
    for stage, known in found["identity"].items():
        for point in known["at"]:
            data.append(
                {
                    "pictures": stage,
                    "same_pairs": known["pairs"][0],
                    "different_pairs": known["pairs"][1],
                    **{name: known[name] for name in ("floor", "ceiling", "auc")},
                    **point,
                }
            )
            rows.append(
                (
                    STAGES[stage],
                    *(number(known[name], 3) for name in ("floor", "ceiling")),
                    number(known["auc"], 4),
                    f"{100 * point['false_match_rate']:g} %",
                    number(point["threshold"], 2),
                    f"{100 * point['verified']:.1f} %",
                )
            )
    header = ("pictures", "other persons", "same person", "AUC", "false matches", "cosine above", "verified")
    notes = (
        "Pairs: an original and the counterfactual of a prompt of the same person (same) or of another (different); no "
        "network saw these persons in training. Cosine above: the threshold that lets so many pairs of different "
        "persons pass; verified: share of pairs of one person above it.",
    )
    question = "Which cosine of the identity network means the same person?"
    return Table("judges_identity", question, IDENTITY_COLUMNS, tuple(data), (Block("", header, tuple(rows)),), notes)


def judges_figure(found: Mapping[str, Any]) -> Figure:
    """Distributions of the cosine, and accuracy by factor on edited pictures."""
    figure = new_figure(TWO_COLUMNS_IN, 2.5)
    stage = "inverted" if "inverted" in found["identity"] else "counterfactuals"
    _draw_cosines(axes_at(figure, 0.6, 0.3, 2.5, 1.75), found["identity"][stage], STAGES[stage])
    _draw_accuracies(axes_at(figure, 3.6, 0.3, 3.2, 1.45), found)
    return figure


def _draw_cosines(axes: Any, known: Mapping[str, Any], stage: str) -> None:
    edges = known["edges"]
    for key, colour, label in (("different", DIFFERENT, "other persons"), ("same", SAME, "same person")):
        total = sum(known[key]) or 1
        shares = [count / total for count in known[key]]
        axes.stairs(shares, edges, fill=True, alpha=0.45, color=colour, label=label)
    for point in known["at"]:
        rate, threshold = 100 * point["false_match_rate"], point["threshold"]
        axes.axvline(threshold, color=INK, linewidth=0.7, linestyle="--" if rate >= 1 else ":")
        text = f"{rate:g} % false matches"
        axes.text(threshold, axes.get_ylim()[1], text, rotation=90, ha="right", va="top", fontsize=SMALL_PT)
    axes.set_title(f"Identity: original against {stage}", loc="left", fontsize=TITLE_PT, pad=4)
    axes.set_xlabel("cosine")
    axes.set_ylabel("share of pairs")
    axes.legend(frameon=False, loc="center left")


def _draw_accuracies(axes: Any, found: Mapping[str, Any]) -> None:
    names = list(found["factors"])
    colours = {"attributes": SAME, "clip": "#009E73"}
    for judge, stages in found["readers"].items():
        for stage, marker in (("counterfactuals", "o"), ("inverted", "x")):
            if stage not in stages:
                continue
            values = [stages[stage]["factor"].get(name) for name in names]
            places = [(i, 100 * value) for i, value in enumerate(values) if value is not None]
            label = f"{JUDGES.get(judge, judge)}, {STAGES[stage]}"
            axes.plot(*zip(*places, strict=True), marker, color=colours.get(judge, INK), markersize=4, label=label)
    axes.set_xticks(range(len(names)))
    axes.set_xticklabels([name.replace("_", " ") for name in names], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_title("Read right on counterfactuals (%)", loc="left", fontsize=TITLE_PT, pad=4)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.4)
    axes.legend(frameon=False, loc="lower left")
