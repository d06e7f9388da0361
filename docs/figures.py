"""Draw the pictures of the README from runs.

    deltabench run --methods deltaedit,styleclip --limit 16 --strengths default --out RUN
    python docs/figures.py RUN --out docs/strip.png

One row a prompt: the original, the editors, the counterfactual. The person of every row is the one whose edits are of
median collateral over the editors: no picking.

    PROMPTS=glasses,beard,hat,bangs,blond-hair,smile,curly-hair
    deltabench run --domain faces --methods deltaedit --limit 8 --strengths 1.3 --prompts $PROMPTS --out RUN
    python docs/figures.py RUN --people 4 --out docs/faces.jpg

One row a person, the first of the test set, and one column a prompt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import deltabench

PROMPTS = ("glasses", "smile", "beard", "blond-hair")
NAMES = {"deltaedit": "DeltaEdit", "styleclip-global": "StyleCLIP global", "styleclip-mapper": "StyleCLIP mapper"}
COLUMNS = ("original", *NAMES, "counterfactual")
SIDE_PX, GAP_PX, HEADING_PX, MARGIN_PX, LETTER_PX = 160, 8, 30, 118, 15
COLLATERAL = "ad_mean"


def median_person(run: deltabench.Run, prompt: str) -> int:
    """Row of the stored person whose mean collateral over the editors is the median of those that a prompt is for."""
    cells = run.cells
    stored = 16  # pictures that a run keeps
    mine = cells[(cells["prompt"] == prompt) & (cells["kind"] == "default") & (cells["source"] < stored)]
    mine = mine[mine["eligible"].astype(bool) & mine["editor"].isin(list(NAMES))]
    means = mine.groupby("source")[COLLATERAL].mean().dropna().sort_values(kind="stable")
    return int(means.index[(len(means) - 1) // 2])


def strip(run: deltabench.Run, prompts: tuple[str, ...] = PROMPTS) -> Image.Image:
    """The whole picture."""
    wide = MARGIN_PX + len(COLUMNS) * (SIDE_PX + GAP_PX)
    picture = Image.new("RGB", (wide, HEADING_PX + len(prompts) * (SIDE_PX + GAP_PX)), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTER_PX)
    for column, name in enumerate(COLUMNS):
        centre = MARGIN_PX + column * (SIDE_PX + GAP_PX) + SIDE_PX // 2
        draw.text((centre, HEADING_PX // 2), NAMES.get(name, name), fill="black", font=font, anchor="mm")
    for row, prompt in enumerate(prompts):
        top, person = HEADING_PX + row * (SIDE_PX + GAP_PX), median_person(run, prompt)
        draw.text((4, top + SIDE_PX // 2), f"“{prompt.replace('-', ' ')}”", fill="black", font=font, anchor="lm")
        for column, name in enumerate(COLUMNS):
            tile = run.image(name, prompt, person, "default").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
            picture.paste(tile, (MARGIN_PX + column * (SIDE_PX + GAP_PX), top))
    return picture


def people(run: deltabench.Run, count: int, editor: str = "deltaedit") -> Image.Image:
    """The first persons of a run, edited by one editor at the first strength of the run."""
    prompts = list(dict.fromkeys(run.cells["prompt"]))
    strength = run.cells["strength"].dropna().iloc[0]
    side = SIDE_PX - 32
    step = side + GAP_PX // 2
    picture = Image.new("RGB", ((1 + len(prompts)) * step, HEADING_PX + count * step), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTER_PX)
    for column, prompt in enumerate(["original", *prompts]):
        heading = prompt.replace("-", " ")
        draw.text((column * step + side // 2, HEADING_PX // 2), heading, fill="black", font=font, anchor="mm")
        for row in range(count):
            name, about = ("original", prompts[0]) if column == 0 else (editor, prompt)
            tile = run.image(name, about, row, float(strength)).resize((side, side), Image.Resampling.LANCZOS)
            picture.paste(tile, (column * step, HEADING_PX + row * step))
    return picture


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, help="Draw this many persons, one column a prompt.")
    arguments = parser.parse_args()
    run = deltabench.load_run(arguments.run)
    picture = people(run, arguments.people) if arguments.people else strip(run)
    picture.save(arguments.out, optimize=True, quality=90)
