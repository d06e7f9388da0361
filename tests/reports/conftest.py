"""A run folder made by formula: schema-true, no network needed, every number known."""

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest

from eval.runs.reader import Run

FACTORS = {
    "skin": ["light", "dark"],
    "hair_color": ["black", "blond", "red"],
    "top": ["bald", "afro", "hat"],
    "facial_hair": ["none", "beard"],
    "accessories": ["none", "glasses"],
    "mouth": ["smile", "sad"],
    "eyes": ["open", "closed", "surprised"],
    "eyebrows": ["flat", "angry"],
    "clothes_color": ["black", "blue"],
    "background": ["blue", "pink"],
}
PROMPTS = [
    ("glasses", "accessories", "glasses"),
    ("smile", "mouth", "smile"),
    ("blond-hair", "hair_color", "blond"),
    ("red-hair", "hair_color", "red"),
    ("black-hair", "hair_color", "black"),
    ("afro", "top", "afro"),
    ("bald", "top", "bald"),
    ("hat", "top", "hat"),
    ("beard", "facial_hair", "beard"),
    ("sad-mouth", "mouth", "sad"),
    ("big-eyes", "eyes", "surprised"),
    ("closed-eyes", "eyes", "closed"),
    ("angry-eyebrows", "eyebrows", "angry"),
    ("dark-skin", "skin", "dark"),
    ("blue-clothes", "clothes_color", "blue"),
    ("pink-background", "background", "pink"),
]
EDITORS = ("deltaedit", "styleclip-global", "deltaedit[threshold=0.05]", "identity")
SWEEP = (0.25, 0.5, 1.0, 2.0)
PX = 64
BATCH = 8
FEATURES = 6


def draw_face(shade, mouth, size=PX):
    """Concentric discs on a gradient: uint8 [size, size, 3]."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1) * 2 - 1
    image = np.stack([90 + 60 * x, 120 + 40 * y, 200 - 50 * x], -1)
    image[x**2 + (y * 0.85) ** 2 < 0.55] = np.array([235, 195, 160]) * shade
    image[(np.abs(x) < 0.35) & (np.abs(y - 0.4) < 0.05 + 0.1 * mouth)] = (170, 50, 50)
    for side in (-0.3, 0.3):
        image[(x - side) ** 2 + (y + 0.1) ** 2 < 0.01] = (30, 30, 40)
    return np.clip(image, 0, 255).astype(np.uint8)


def edited(image, prompt_number, amount):
    """The image with a band tinted: how the formula 'edits'."""
    out = image.astype(float)
    rows = slice(4 + 3 * prompt_number % 40, 24 + 3 * prompt_number % 40)
    colour = np.array([40 * (prompt_number % 6), 220 - 30 * (prompt_number % 7), 90])
    share = min(amount, 1.0) * 0.7
    out[rows, 8:56] = (1 - share) * out[rows, 8:56] + share * colour
    return out.clip(0, 255).astype(np.uint8)


def success_rate(editor, prompt_number, strength):
    return min(0.95, (0.25 + 0.2 * editor + 0.06 * prompt_number % 0.5) * strength**0.5) if editor < 3 else 0.0


def make_row(rng, editor, prompt, strength, kind, name, success, prompt_number):
    """One parquet row of an eligible cell, except every fifth that is not."""
    others = [factor for factor in FACTORS if factor != prompt[1]]
    hidden = {"eyes"} if prompt[0] == "hat" else set()
    seen = [factor for factor in others if factor not in hidden]
    flips = {factor: float(rng.random() > 0.04 * (editor + 1) * strength) for factor in seen}
    effects = {factor: float(rng.random() * 0.4 * strength) for factor in seen}
    untouched = editor == 3
    if untouched:
        flips, effects = dict.fromkeys(seen, 1.0), dict.fromkeys(seen, 0.0)
    row = {
        "editor": EDITORS[editor],
        "prompt": prompt[0],
        "strength": strength,
        "kind": kind,
        "image": name,
        "eligible": int(name[-4:]) % 5 != prompt_number % 5,
        "success": success,
        "target_effect": 0.0 if untouched else float(strength * (0.6 + 0.3 * editor) + 0.2 * rng.standard_normal()),
        "ad_mean": float(np.mean(list(effects.values()))),
        "ad_max": float(np.max(list(effects.values()))),
        "preservation": float(np.mean(list(flips.values()))),
        "identity": float(0.85 - 0.1 * strength * (not untouched) + 0.05 * rng.standard_normal()),
    }
    for column, level in (
        ("clip_score_editing", 24.0),
        ("clip_score_judge", 21.0),
        ("directional_editing", 0.12),
        ("directional_judge", 0.08),
        ("counterfactual_psnr_db", 19.0),
        ("counterfactual_ssim", 0.7),
        ("counterfactual_identity", 0.6),
        ("outside_psnr_db", 28.0),
        ("outside_l1", 0.03),
        ("edit_l1", 0.06),
    ):
        row[column] = float(level * (1 + 0.05 * rng.standard_normal()))
    row["outside_psnr_db"] = float("inf") if untouched else row["outside_psnr_db"]
    row["inversion_psnr_db"] = 24.0 + 0.1 * int(name[-4:])
    row["inversion_ssim"] = 0.85 + 0.001 * int(name[-4:])
    for factor in FACTORS:
        row[f"preservation.{factor}"] = flips.get(factor, np.nan)
        row[f"effect.{factor}"] = np.nan if factor in hidden else effects.get(factor, abs(row["target_effect"]))
    return row


def write_chunk(folder, editor, prompt_number, strength, kind, first, count, sources, rng, goal=None):
    prompt, names = PROMPTS[prompt_number], sources["names"][first : first + count]
    label = "oracle" if kind == "oracle" else EDITORS[editor]
    plain = label.replace("[", "_").replace("]", "").replace("=", "_")
    stem = f"{plain}--{prompt[0]}--{kind}-{'' if goal is None else f'{goal:g}-'}{strength:g}--{first:05d}"
    rate = success_rate(editor, prompt_number, strength)
    hits = rng.random(count) < rate
    rows = [
        make_row(rng, editor, prompt, strength, kind, str(name), bool(hit), prompt_number)
        for name, hit in zip(names, hits, strict=True)
    ]
    table = pandas.DataFrame(rows).assign(editor=label)
    if kind in ("matched", "oracle"):  # the others as they were written before there were goals
        table = table.assign(effect_goal=np.nan if goal is None else goal)
    table.to_parquet(folder / "chunks" / f"{stem}.parquet", index=False)
    originals = sources["reconstructions"][first : first + count]
    amounts = np.where(hits, strength, 0.3 * strength) * (editor != 3)
    np.savez(
        folder / "chunks" / f"{stem}.npz",
        images=np.stack(
            [edited(image, prompt_number, amount) for image, amount in zip(originals, amounts, strict=True)]
        ),
        kept=np.arange(first, first + count),
        latents_s=np.zeros((count, 5), np.float32),
        frechet=(sources["frechet"][first : first + count] + 0.3 * prompt_number * rate).astype(np.float32),
        identity=sources["identity"][first : first + count],
        logits=sources["logits"][first : first + count],
    )
    info = {
        "id": stem,
        "editor": label,
        "prompt": prompt[0],
        "strength": strength,
        "kind": kind,
        "effect_goal": goal,
        "first": first,
        "count": count,
        "edit_s": 0.002 * count * (1 + 20 * (editor == 1)),
        "synthesis_s": 0.01 * count,
        "judge_s": 0.02 * count,
        "peak_memory_mib": 900.0 + 10 * editor,
    }
    (folder / "chunks" / f"{stem}.json").write_text(json.dumps(info))


def make_sources(images, rng):
    originals = np.stack([draw_face(0.5 + 0.5 * i / images, (i % 3) / 2) for i in range(images)])
    noise = rng.integers(-9, 10, originals.shape)
    return {
        "names": np.array([f"test-{i:04d}" for i in range(images)]),
        "images": originals,
        "reconstructions": (originals.astype(int) + noise).clip(0, 255).astype(np.uint8),
        "logits": rng.standard_normal((images, sum(map(len, FACTORS.values())))).astype(np.float32),
        "frechet": rng.standard_normal((images, FEATURES)).astype(np.float32),
        "frechet_originals": rng.standard_normal((images, FEATURES)).astype(np.float32),
        "identity": np.eye(images, 8, dtype=np.float32) + 0.1,
    }


def write_counterfactuals(folder, prompt_number, sources, rng):
    images = len(sources["names"])
    region = np.zeros((PX, PX), bool)
    region[4:40] = True
    np.savez(
        folder / "counterfactuals" / f"{PROMPTS[prompt_number][0]}.npz",
        images=np.stack([edited(image, prompt_number, 1.0) for image in sources["images"]]),
        frechet=(rng.standard_normal((images, FEATURES)) + 0.3 * prompt_number).astype(np.float32),
        identity=(np.eye(images, 8) * 0.8 + 0.15).astype(np.float32),
        visible=np.ones((images, len(FACTORS)), bool),
        region=region,
    )


def write_strengths(folder, editor, prompt_number):
    """Chosen: 1, the default, for the second prompt, otherwise 0.5 or 2."""
    chosen = 1.0 if prompt_number == 1 else (0.5, 2.0)[prompt_number % 2]
    sweep = [
        {
            "strength": s,
            "success": success_rate(editor, prompt_number, s),
            "preservation": 1 - 0.05 * s,
            "effect": 1.1 * s,
        }
        for s in SWEEP
    ]
    record = {"editor": EDITORS[editor], "prompt": PROMPTS[prompt_number][0], "sweep": sweep, "chosen": chosen}
    (folder / "strengths" / f"{editor}--{prompt_number}.json").write_text(json.dumps(record))
    return chosen


def make_run(folder, editors=3, prompts=3, images=12):
    """Write a finished run; default strength and calibrated strength for every editor."""
    folder = Path(folder)
    for part in ("chunks", "counterfactuals", "strengths", "costs"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(7)
    sources = make_sources(images, rng)
    np.savez(folder / "sources.npz", **sources)
    manifest = {
        "schema": 2,
        "domain": "avatars",
        "arguments": {
            "methods": list(EDITORS[:editors]),
            "prompts": [prompt[0] for prompt in PROMPTS[:prompts]],
            "images": images,
            "strengths": ["default", "calibrated"],
            "seed": 0,
        },
        "packages": {"numpy": np.__version__},
        "commit": "0" * 40,
        "hardware": "2 cores",
        "fingerprints": {"generator": "00"},
        "frechet_name": "fd_avatars",
        "identity_floor": 0.12,
        "identity_ceiling": 0.91,
        "recipes": {},
        "created": "2030-01-01T00:00:00Z",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    described = [
        {"name": n, "source": "face", "target": f"face with {n.replace('-', ' ')}", "attribute": a, "value": v}
        for n, a, v in PROMPTS[:prompts]
    ]
    (folder / "prompts.json").write_text(json.dumps(described))
    (folder / "factors.json").write_text(json.dumps(FACTORS))
    for prompt_number in range(prompts):
        write_counterfactuals(folder, prompt_number, sources, rng)
    for editor in range(editors):
        for prompt_number in range(prompts):
            chosen = write_strengths(folder, editor, prompt_number)
            for kind, strength in (("default", 1.0), ("calibrated", chosen)):
                for first in range(0, images, BATCH):
                    count = min(BATCH, images - first)
                    write_chunk(folder, editor, prompt_number, strength, kind, first, count, sources, rng)
        cost = {
            "editor": EDITORS[editor],
            "prepare_s": [1200.0, 150.0, 1200.0, 0.0][editor],
            "prepare_here_s": 0.4,
            "hardware": "2 cores",
            "fit_s": {prompt[0]: [0.05, 0.02, 300.0, 0.0][editor] for prompt in PROMPTS[:prompts]},
            "fit_here_s": {prompt[0]: 0.05 for prompt in PROMPTS[:prompts]},
        }
        (folder / "costs" / f"{editor}.json").write_text(json.dumps(cost))
    return folder


def dose(editor, goal):
    """The strength whose mean effect is the goal, by the formula of ``make_row``."""
    return goal / (0.6 + 0.3 * editor)


def make_matched_run(folder):
    """Four editors (the last: identity), three prompts, twelve images, goals 0.5, 1 and 2, and the oracle.

    At goal 2 the second editor reaches only the first two prompts; the third editor overshoots the third prompt at 1.
    """
    folder = make_run(folder, editors=4)
    rng = np.random.default_rng(8)
    with np.load(folder / "sources.npz") as arrays:
        sources = dict(arrays)
    for prompt_number in range(3):
        for editor in range(4):
            path = folder / "strengths" / f"{editor}--{prompt_number}.json"
            matched = []
            for goal in (0.5, 1.0, 2.0):
                reached = editor != 3 and (editor, prompt_number, goal) != (1, 2, 2.0)
                met = reached and (editor, prompt_number, goal) != (2, 2, 1.0)
                strength = dose(editor, goal) if reached else 3.0
                effect = goal if met else 0.1
                matched.append({"goal": goal, "strength": strength, "effect": effect, "reached": reached, "met": met})
                for first in range(0, 12, BATCH):
                    count = min(BATCH, 12 - first)
                    write_chunk(folder, editor, prompt_number, strength, "matched", first, count, sources, rng, goal)
            path.write_text(json.dumps({**json.loads(path.read_text()), "refined": [], "matched": matched}))
        write_chunk(folder, 0, prompt_number, 1.0, "oracle", 0, 12, sources, rng)
    return folder


class Gaps:
    """Stands for the distances between sets, which are eval's: simple enough to repeat by hand."""

    @staticmethod
    def distance(edits, counterfactuals):
        assert len(edits) == len(counterfactuals)
        return float(np.abs(edits.mean(0) - counterfactuals.mean(0)).sum())

    def interval(self, edits, counterfactuals, persons):
        few = len(set(persons)) < 2
        return (
            (math.nan, math.nan)
            if few
            else (self.distance(edits, counterfactuals) / 2, self.distance(edits, counterfactuals) * 2)
        )

    def floor(self, real, persons):
        return float(len(real) + len(set(persons)) / 100)

    def by_size(self, edits, counterfactuals, persons):
        first = np.asarray(persons) == persons[0]
        sizes, distances = (int(first.sum()), len(edits)), (self.distance(edits[first], counterfactuals[first]),)
        return SimpleNamespace(limit=-1.5, sizes=sizes, distances=(*distances, self.distance(edits, counterfactuals)))

    def kid(self, edits, counterfactuals, persons):
        return 10 * self.distance(edits, counterfactuals)

    def cmmd(self, edits, counterfactuals, persons):
        return 100 * self.distance(edits, counterfactuals)


@pytest.fixture(scope="module")
def gaps():
    """Simple distances between sets in the tables of a file of tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reports.pool.SetDistances", Gaps)
        yield Gaps()


@pytest.fixture(scope="session")
def matched_run(tmp_path_factory):
    """A run at matched strength: read only."""
    return make_matched_run(tmp_path_factory.mktemp("runs") / "matched")


@pytest.fixture(scope="session")
def opened_matched(matched_run):
    """The same, opened: its cells are read once."""
    return Run(matched_run)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """Three editors, three prompts, twelve images: read only."""
    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def without_counterfactuals(finished_run, tmp_path_factory):
    """The finished run as if its domain knew no counterfactuals."""
    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("originals") / "run")
    for path in (folder / "counterfactuals").glob("*.npz"):
        region = np.load(path)["region"]
        np.savez_compressed(path, region=region)
    return folder


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """Two editors, two prompts, four images: read only, quick to draw."""
    return make_run(tmp_path_factory.mktemp("runs") / "small", editors=2, prompts=2, images=4)


@pytest.fixture(scope="session")
def stored_run():
    """A run folder of schema 1 that `deltabench run` wrote long ago: read only, see ``data/README.md``."""
    return Path(__file__).parent / "data" / "run-schema-1"
