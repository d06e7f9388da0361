import base64
import csv
import io
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from eval.runs.reader import Run
from reports.explorer.images import Packing, ladder, pictures
from reports.explorer.page import page, page_data, picture_data, write_explorer
from reports.explorer.stops import Choices
from reports.tables import build_tables, write_tables

pytestmark = pytest.mark.slow

HOSTILE = "</script><script>alert(1)</script><!-- &amp; \u2028 \"'"


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of scripts and the title."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data

    def text_of(self, tag, name=None):
        return next(
            t
            for (found, attrs), t in zip(self.tags, self.texts, strict=True)
            if found == tag and attrs.get("id") == name
        )


def written(run, folder, gaps, change=None, **options):
    """A copy of a run with its tables and page; ``change`` is called with the folder before."""
    shutil.copytree(run, folder)
    if change:
        change(folder)
    write_tables(folder)
    (page,) = write_explorer(folder, **options)
    return folder, page


def embedded(page, name="data"):
    return json.loads(Elements(page.read_text(encoding="utf-8")).text_of("script", name))


@pytest.fixture(scope="module")
def plain(finished_run, tmp_path_factory, gaps):
    return written(finished_run, tmp_path_factory.mktemp("explorer") / "plain", gaps)


@pytest.fixture(scope="module")
def matched(matched_run, tmp_path_factory, gaps):
    return written(matched_run, tmp_path_factory.mktemp("explorer") / "matched", gaps)


def rows_of(folder, name):
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_page_names_all_choices_of_the_run(plain):
    data = embedded(plain[1])
    assert [editor["label"] for editor in data["editors"]] == [
        "deltaedit",
        "styleclip-global",
        "deltaedit[threshold=0.05]",
    ]
    assert [stop["name"] for stop in data["stops"]] == ["default", "calibrated"]
    assert data["first_stop"] == "default"
    assert [prompt["name"] for prompt in data["prompts"]] == ["glasses", "smile", "blond-hair"]
    assert data["persons"] == [f"test-{i:04d}" for i in range(12)]
    assert set(data["scopes"]) == {"all", "prompt:glasses", "prompt:smile", "prompt:blond-hair"}


def test_matched_effects_are_stops_and_the_oracle_is_there(matched):
    data = embedded(matched[1])
    names = ["default", "calibrated", "matched-0.5", "matched-1", "matched-2"]
    assert [stop["name"] for stop in data["stops"]] == names
    assert data["first_stop"] == "default"
    assert None not in data["pictures"]["references"]["oracle"]["glasses"]


@pytest.mark.parametrize("kind", ["default", "calibrated"])
def test_main_table_is_the_runs_own(plain, kind):
    folder, page = plain
    found = {row["editor"]: row["values"] for row in embedded(page)["tables"][kind]["all"]["rows"]}
    for row in rows_of(folder, "main"):
        if row["kind"] == kind:
            for column in ("success", "preservation", "identity", "fd_avatars"):
                assert found[row["editor"]][column][0] == pytest.approx(float(row[column]), rel=1e-4)
            assert found[row["editor"]]["preservation"][1] == pytest.approx(float(row["preservation_low"]), rel=1e-4)


def test_sets_are_those_of_the_table_at_every_strength_but_the_matched(matched):
    folder, page = matched
    data = embedded(page)
    assert data["sets"]["against"] == "counterfactuals"
    assert set(data["sets"]["tables"]) == {stop["name"] for stop in data["stops"] if stop["goal"] is None}
    written_rows = {(row["editor"], row["kind"]): row for row in rows_of(folder, "frechet")}
    for stop, table in data["sets"]["tables"].items():
        assert table["columns"][:2] == ["fd_avatars", "fd_avatars_extrapolated"] and "kid" in table["columns"]
        assert {row["role"] for row in table["rows"]} == {"compared", "floor", "reference"}
        for row in table["rows"]:
            source = written_rows[row["editor"], "reference" if row["role"] == "reference" else stop]
            ends = [source[f"fd_avatars{end}"] for end in ("", "_low", "_high")]
            known = [None if end == "" else pytest.approx(float(end), rel=1e-4) for end in ends]
            assert row["values"]["fd_avatars"][:3] == known
    floor = float(next(iter(written_rows.values()))["fd_avatars_floor"])
    assert f"other persons score {floor:.2f} at this N" in data["sets"]["notes"][0]


def test_without_counterfactuals_sets_are_those_of_the_originals(without_counterfactuals, tmp_path, gaps):
    folder, page = written(without_counterfactuals, tmp_path / "run", gaps)
    found = embedded(page)["sets"]
    assert found["against"] == "originals"
    rows = {(row["editor"], row["kind"]): row for row in rows_of(folder, "originals")}
    for row in found["tables"]["default"]["rows"]:
        source = rows[row["editor"], "reference" if row["role"] == "reference" else "default"]
        for column in ("same", "others"):
            assert row["values"][column][0] == pytest.approx(float(source[column]), rel=1e-4)


def test_numbers_of_one_prompt_are_means_of_its_cells(plain):
    folder, page = plain
    rows = Run(folder).rows
    mine = rows[(rows.kind == "default") & (rows.editor == "deltaedit") & (rows.prompt == "smile")]
    values = embedded(page)["tables"]["default"]["prompt:smile"]["rows"][0]["values"]
    eligible = mine[mine.eligible]
    assert len(eligible) < len(mine)
    assert values["success"][0] == pytest.approx(eligible.success.mean(), rel=1e-4)
    assert values["identity"][0] == pytest.approx(mine.identity.mean(), rel=1e-4)
    assert values["identity"][1] < values["identity"][0] < values["identity"][2]


def test_editors_share_a_letter_exactly_where_their_test_finds_nothing(matched):
    data, seen = embedded(matched[1]), set()
    for stop, found in data["pairs"].items():
        values = {row["editor"]: row["values"] for row in data["tables"][stop]["all"]["rows"]}
        for first, second, column, _, _, _, p in found["rows"]:
            together = bool(set(values[first][column][3]) & set(values[second][column][3]))
            assert together == (p is None or p >= 0.05), (stop, first, second, column)
            seen.add(together)
    assert seen == {True, False}


def test_without_tests_nothing_is_tested(finished_run, tmp_path, gaps):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    write_tables(folder)
    data = embedded(write_explorer(folder, tested=False)[0])
    assert data["pairs"] == {} and not data["tested"]
    assert not data["tables"]["default"]["all"]["tested"]


def test_same_cells_same_bytes(plain, finished_run, tmp_path, gaps):
    again = written(finished_run, tmp_path / "elsewhere", gaps)[1]
    assert again.read_bytes() == plain[1].read_bytes()


def test_nothing_is_loaded(matched):
    text = matched[1].read_text(encoding="utf-8")
    page = Elements(text)
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "video", "audio")
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    code = page.text_of("script", None) + page.text_of("style")
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "import(", "@import", "url(", "innerHTML", "eval("):
        assert word not in code
    assert set(re.findall(r"https?://[^\"'\s)]+", code)) == {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_hostile_texts_stay_texts(small_run, tmp_path, gaps):
    def change(folder):
        prompts = json.loads((folder / "prompts.json").read_text())
        prompts[0]["target"] = HOSTILE
        (folder / "prompts.json").write_text(json.dumps(prompts))
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(manifest | {"domain": "<b>x</title><script>"}))

    page = written(small_run, tmp_path / "run", gaps, change)[1]
    elements = Elements(page.read_text(encoding="utf-8"))
    assert [tag for tag, _ in elements.tags].count("script") == 3
    assert elements.text_of("title").strip() == "DeltaBench: <b>x</title><script>"
    assert embedded(page)["prompts"][0]["target"] == HOSTILE


def tiles(page):
    """What a reader of the sprites gets: stop, editor, prompt, person -> int [px, px, 3]."""
    data, sprites = embedded(page), embedded(page, "sprites")
    px, step, persons = data["pictures"]["px"], data["pictures"]["step"], len(data["persons"])

    def sheet(text):
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")).astype(int)

    def at(image, number, wide):
        top, left = number // wide * px, number % wide * px
        return image[top : top + px, left : left + px]

    base = sheet(sprites["base"])
    for stop, editors in data["cells"].items():
        for editor, prompts in editors.items():
            for number, prompt in enumerate(data["prompts"]):
                for person, tile in enumerate(prompts[prompt["name"]]["tile"]):
                    plain = at(base, persons + person, persons)
                    if tile != -1:
                        wide = data["pictures"]["wide"][number][person]
                        found = at(sheet(sprites["edits"][number][person]), tile, wide)
                        plain = (plain + found + 128) % 256 if step == 1 else plain + (found - 128) * step
                    yield stop, editor, prompt["name"], person, plain.clip(0, 255)


@pytest.mark.parametrize(("page_bytes", "step"), [(10_000_000, 1), (892_000, 8)])
def test_pictures_are_as_exact_as_said(small_run, tmp_path, gaps, page_bytes, step):
    folder, page = written(small_run, tmp_path / "run", gaps, page_bytes=page_bytes)
    assert page.stat().st_size <= page_bytes
    assert embedded(page)["pictures"]["step"] == step
    run, checked = Run(folder), 0
    for stop, editor, prompt, person, pixels in tiles(page):
        rows = run.rows
        chunk = rows[(rows.kind == stop) & (rows.editor == editor) & (rows.prompt == prompt)].chunk.iloc[0]
        error = np.abs(pixels - run.chunk_array(chunk, "images")[person].astype(int)).max()
        assert error <= step // 2, (stop, editor, prompt, person)
        checked += 1
    assert checked == 2 * 2 * 2 * 4


def test_page_is_packed_again_where_it_came_out_too_large(small_run, tmp_path, gaps, monkeypatch):
    monkeypatch.setattr("reports.explorer.page.CODE_BYTES", 0)
    page = written(small_run, tmp_path / "run", gaps, page_bytes=177_000)[1]
    assert page.stat().st_size <= 177_000
    assert embedded(page)["pictures"]["step"] > 1


def test_untouched_edits_take_no_room(matched):
    cells = embedded(matched[1])["cells"]["default"]["identity"]["glasses"]
    assert cells["tile"] == [-1] * 12


@pytest.mark.parametrize("budget", [400_000, 60_000, 16_000])
def test_pictures_fit_the_budget_and_the_page_can_say_what_is_missing(plain, budget):
    found = pictures(Choices(Run(plain[0])), budget)
    assert found.size_bytes <= budget
    assert found.kept == 12
    assert len(found.sources) == found.packing.persons <= 12
    assert found.sources == tuple(range(found.packing.persons))


def test_large_photos_shrink_before_persons_are_left_out():
    ways = ladder(1024, 16)
    assert ways[0] == Packing(256, 16, 0)
    assert {way.px for way in ways} == {256, 128, 64}
    assert ways[-1] == Packing(64, 1, 0)


def test_failures_are_told(small_run, tmp_path, gaps):
    def change(folder):
        (chunk,) = (folder / "chunks").glob("styleclip-global--smile--default-*.json")
        record = json.loads(chunk.read_text())
        for ending in ("json", "npz", "parquet"):
            chunk.with_suffix(f".{ending}").unlink()
        failure = {key: record[key] for key in ("id", "editor", "prompt", "strength")} | {"error": "out of memory"}
        (folder / "chunks" / f"{record['id']}.error.json").write_text(json.dumps(failure))

    data = embedded(written(small_run, tmp_path / "run", gaps, change)[1])
    assert data["cells"]["default"]["styleclip-global"]["smile"] == {"error": "out of memory"}
    assert [failure["error"] for failure in data["failures"]] == ["out of memory"]
    assert "tile" in data["cells"]["calibrated"]["styleclip-global"]["smile"]
    rows = data["tables"]["default"]["prompt:smile"]["rows"]
    assert [row["editor"] for row in rows] == ["deltaedit"]


def test_one_image_has_no_interval(tmp_path, gaps, small_run):
    def change(folder):
        for path in (folder / "chunks").glob("*.parquet"):
            import pandas

            pandas.read_parquet(path).assign(eligible=False).to_parquet(path, index=False)

    data = embedded(written(small_run, tmp_path / "run", gaps, change)[1])
    for row in data["tables"]["default"]["all"]["rows"]:
        assert "success" not in row["values"]  # nothing was eligible: blank, not 0


def test_page_is_made_of_the_tables_in_memory(small_run, tmp_path, gaps):
    folder = shutil.copytree(small_run, tmp_path / "run")
    (page,) = write_explorer(folder)
    assert not (folder / "tables").exists()
    assert page.read_bytes() == written(small_run, tmp_path / "reported", gaps)[1].read_bytes()


def test_run_without_counterfactuals(small_run, tmp_path, gaps):
    def change(folder):
        for path in (folder / "counterfactuals").glob("*.npz"):
            with np.load(path) as arrays:
                region = arrays["region"]
            np.savez(path, region=region)

    data = embedded(written(small_run, tmp_path / "run", gaps, change)[1])
    assert data["pictures"]["references"] == {"counterfactual": {}, "oracle": {}}


def test_stays_far_below_twenty_megabytes(matched):
    assert matched[1].stat().st_size < 3_000_000  # 4 editors, 3 prompts, 12 images, 5 strengths


def test_old_run_folders_can_be_looked_at(stored_run, tmp_path, gaps):
    folder, page = written(stored_run, tmp_path / "run", gaps)
    data = embedded(page)
    assert [stop["name"] for stop in data["stops"]] == [stop.name for stop in Choices(Run(folder)).stops]
    assert all(row["values"] for row in data["tables"][data["first_stop"]]["all"]["rows"])


def test_of_very_many_prompts_some_have_pictures_and_the_page_says_so(plain, monkeypatch):
    """The first of each attribute; numbers over all prompts are those of the tables all the same."""
    run = Run(plain[0])
    whole = page_data(Choices(run), {table.name: table for table in build_tables(run)})
    monkeypatch.setattr("reports.explorer.stops.MOST_PROMPTS", 1)
    choices = Choices(Run(plain[0]))
    assert [prompt["name"] for prompt in choices.prompts] == [run.prompts[0]["name"]]
    data = page_data(choices, {table.name: table for table in build_tables(run)})
    shown = pictures(choices, 10**7)
    assert len(shown.sprites) == 1
    assert f"of 1 of the {len(run.prompts)} prompts" in page(data | picture_data(choices, shown), shown)
    assert whole["left_out"] == ""
    stop = data["first_stop"]
    assert data["tables"][stop]["all"] == whole["tables"][stop]["all"]
    assert [name for name in data["scopes"] if name.startswith("prompt:")] == [f"prompt:{run.prompts[0]['name']}"]
