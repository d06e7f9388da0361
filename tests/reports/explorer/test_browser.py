"""The page in a real browser: headless Chromium, driven by playwright."""

import csv
import json
import re
import shutil

import numpy as np
import pytest

from eval.runs.reader import Run
from reports.explorer.page import write_explorer
from reports.tables import write_tables

pytestmark = pytest.mark.slow

VIEWS = ("table", "grid", "edit", "compare", "pareto", "about")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TEXT = "</script><img src=x onerror=alert(1)> “glasses”"


@pytest.fixture(scope="module")
def run(matched_run, tmp_path_factory, gaps):
    """With a hostile prompt text and one failed chunk."""
    folder = shutil.copytree(matched_run, tmp_path_factory.mktemp("browser") / "run")
    prompts = json.loads((folder / "prompts.json").read_text())
    prompts[0]["target"] = TEXT
    (folder / "prompts.json").write_text(json.dumps(prompts))
    for chunk in (folder / "chunks").glob("styleclip-global--smile--default-*.json"):
        record = json.loads(chunk.read_text())
        for ending in ("json", "npz", "parquet"):
            chunk.with_suffix(f".{ending}").unlink()
        failure = {key: record[key] for key in ("id", "editor", "prompt", "strength")} | {"error": "out of memory"}
        (folder / "chunks" / f"{record['id']}.error.json").write_text(json.dumps(failure))
    write_tables(folder)
    write_explorer(folder)
    return folder


@pytest.fixture
def page(browser, run):
    """Opened at the first view; fails the test if the console shows an error or anything but the file is asked for."""
    page, problems = browser.new_page(), []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append("a dialog") or dialog.dismiss())
    page.on(
        "request",
        lambda request: problems.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
    )
    page.set_viewport_size(DESKTOP)
    page.set_default_timeout(120_000)  # ms; a loaded machine draws late
    page.goto(address(run))
    yield page
    page.close()
    assert problems == []


def address(run, view=""):
    return (run / "report.html").as_uri() + view


def show(page, view):
    page.evaluate("view => { location.hash = view; }", view)
    page.wait_for_function(
        "view => document.getElementById('tab-' + view).getAttribute('aria-selected') === 'true'",
        arg=re.search(r"view=(\w+)", view)[1],
    )


def link(page):
    return page.evaluate("location.hash")


def order(page):
    return page.eval_on_selector_all("#metrics tbody tr", "rows => rows.map(row => row.dataset.editor)")


def drawn(page, selector):
    """Pixels of a canvas when it is drawn: int [px, px, 3]."""
    page.wait_for_selector(f"{selector}[data-drawn]")
    flat = page.eval_on_selector(
        selector, "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    )
    size = int((len(flat) // 4) ** 0.5)
    return np.array(flat).reshape(size, size, 4)[..., :3]


@pytest.mark.parametrize("view", VIEWS)
def test_views_load_without_errors(page, view):
    show(page, f"#view={view}")
    assert page.inner_text("#view").strip()


@pytest.mark.parametrize("view", VIEWS)
def test_phone_has_no_overflow_to_the_side(page, view):
    page.set_viewport_size(PHONE)
    show(page, f"#view={view}&prompt=")
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide == [PHONE["width"], PHONE["width"]]
    box = page.locator("#tabs button[aria-selected=true]").bounding_box()
    assert box["height"] >= 36  # a thumb finds it


def test_hostile_text_is_shown_as_text(page):
    show(page, "#view=edit&at=glasses")
    assert TEXT in page.inner_text("#view h2")
    assert page.locator("#view img").count() == 0


def test_sorting_by_a_column_without_interval(page):
    show(page, "#view=table&strength=calibrated")
    values = page.evaluate(
        "JSON.parse(document.getElementById('data').textContent).tables.calibrated.all.rows"
        ".map(r => [r.editor, r.role, r.values.prompts_mastered?.[0]])"
    )
    mine = [(name, value) for name, role, value in values if role == "compared"]
    page.click("[data-key=sort-prompts_mastered]")
    assert page.get_attribute("th:has([data-key=sort-prompts_mastered])", "aria-sort") == "descending"
    best = order(page)
    assert best[: len(mine)] == [name for name, _ in sorted(mine, key=lambda pair: -pair[1])]
    page.click("[data-key=sort-prompts_mastered]")
    assert page.get_attribute("th:has([data-key=sort-prompts_mastered])", "aria-sort") == "ascending"
    assert "sort=prompts_mastered%3Aworst" in link(page)
    page.click("[data-key=sort-prompts_mastered]")
    assert order(page)[: len(mine)] == [name for name, _ in mine]


def test_no_ranking_inside_a_group(page):
    show(page, "#view=table&strength=matched-1")
    rows = page.evaluate(
        "JSON.parse(document.getElementById('data').textContent).tables['matched-1'].all.rows"
        ".filter(r => r.role === 'compared').map(r => [r.editor, r.values.preservation[3]])"
    )
    page.click("[data-key=sort-preservation]")
    assert order(page)[: len(rows)] == [name for name, _ in sorted(rows, key=lambda row: row[1])]  # stable
    shared = {a for n, (_, a) in enumerate(rows) for m, (_, b) in enumerate(rows) if n != m and set(a) & set(b)}
    assert (page.locator(".lane.on").count() > 0) == bool(shared)
    controls = page.eval_on_selector_all("#metrics .role-floor, #metrics .role-reference", "rows => rows.length")
    assert order(page)[-controls:] == ["identity", "oracle"]


def test_editors_out_of_reach_are_not_ranked(page):
    """At 2 σ the second editor does not reach the prompt; by its numbers alone it could stand anywhere."""
    show(page, "#view=table&strength=matched-2&prompt=blond-hair")
    for way in ("best", "worst"):
        page.click("[data-key=sort-identity]")
        assert f"identity%3A{way}" in link(page)
        assert order(page)[2:] == ["styleclip-global", "identity"]
    assert "out of reach" in page.inner_text("tr[data-editor=styleclip-global] th")


def rows_of_sets(page):
    return page.eval_on_selector_all("#sets tbody tr", "rows => rows.map(row => row.dataset.editor)")


def test_distances_of_sets_stand_below_with_their_intervals(page, run):
    """As in tables/frechet.csv; the chosen strength's, at matched effects those at the default."""
    with (run / "tables" / "frechet.csv").open(encoding="utf-8", newline="") as file:
        written = {(row["editor"], row["kind"]): row for row in csv.DictReader(file)}
    for stop, kind in (("calibrated", "calibrated"), ("matched-1", "default")):
        show(page, f"#view=table&strength={stop}")
        assert f"at {kind} strength" in page.inner_text("#sets-title")
        assert ("not compared at matched effects" in page.inner_text("#sets-notes")) == (stop == "matched-1")
        for editor in ("deltaedit", "styleclip-global"):
            row = written[editor, kind]
            cell = page.locator(f"#sets tr[data-editor={editor}] td:nth-child(3)")
            assert float(cell.locator(".mean").inner_text()) == pytest.approx(float(row["fd_avatars"]), abs=0.005)
            low, high = float(row["fd_avatars_low"]), float(row["fd_avatars_high"])
            assert cell.get_attribute("title") == f"95 % interval: {low:.2f} to {high:.2f}"
            kid = page.locator(f"#sets tr[data-editor={editor}] td:nth-child(5)")
            assert float(kid.inner_text().replace("−", "-")) == pytest.approx(float(row["kid"]), abs=0.0005)
        assert rows_of_sets(page)[-2:] == ["inversion", "counterfactual"]
        itself = page.inner_text("#sets tr[data-editor='counterfactual'] td:nth-child(3)")
        assert itself == "0.00"  # and no "n/a" beside it


def test_the_table_of_sets_sorts_apart_from_the_other(page, run):
    show(page, "#view=table&strength=calibrated")
    above, standard = order(page), rows_of_sets(page)
    with (run / "tables" / "frechet.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "calibrated" and row["editor"] != "identity"]
    by_kid = [row["editor"] for row in sorted(rows, key=lambda row: float(row["kid"]))]
    page.click("[data-key=sets-kid]")  # has no interval, so every editor is a group
    assert rows_of_sets(page)[: len(rows)] == by_kid and order(page) == above
    page.click("[data-key=sets-kid]")
    assert "sets=kid%3Aworst" in link(page)
    assert rows_of_sets(page)[: len(rows)] == by_kid[::-1]
    page.click("[data-key=sets-kid]")
    assert rows_of_sets(page) == standard
    page.click("#editors button[value=deltaedit]")
    assert "deltaedit" not in rows_of_sets(page)
    page.select_option("#prompt", "smile")
    assert page.locator("#sets").count() == 0
    assert "choose all" in page.inner_text("#view")


def test_slider_changes_the_pictures_and_the_link(page, run):
    show(page, "#view=grid&strength=matched-0.5")
    cell = "#grid tbody tr:nth-child(1) td:nth-child(4) canvas"
    before = drawn(page, cell)
    page.focus("#strength")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#strength") == "4"
    assert page.text_content("#strength-label") == "effect 2 σ"
    assert "strength=matched-2" in link(page)
    assert np.abs(drawn(page, cell) - before).max() > 20
    assert page.evaluate("document.activeElement.id") == "strength"


def test_pictures_are_those_of_the_run(page, run):
    show(page, "#view=grid&strength=default&person=test-0003")
    opened = Run(run)
    rows = opened.rows[(opened.rows.kind == "default") & (opened.rows.editor == "deltaedit")]
    for number, prompt in enumerate(prompt["name"] for prompt in opened.prompts):
        chunk = rows[(rows.prompt == prompt) & (rows.source == 3)].chunk.iloc[0]
        found = drawn(page, f"#grid tbody tr:nth-child({number + 1}) td:nth-child(4) canvas")
        assert np.array_equal(found, opened.chunk_array(chunk, "images")[3])
    assert np.array_equal(drawn(page, "#grid tbody td:nth-child(2) canvas"), opened.sources("images")[3])


def test_difference_map_is_black_where_nothing_changed(page):
    show(page, "#view=edit&strength=default&editor=identity")
    assert drawn(page, "[data-panel=heat] canvas").max() <= 4
    show(page, "#view=edit&strength=default&editor=deltaedit")
    assert drawn(page, "[data-panel=heat] canvas").max() > 100


def test_counterfactual_and_numbers_stand_beside_the_edit(page, run):
    show(page, "#view=edit&strength=default&editor=deltaedit&at=smile&person=test-0002")
    opened = Run(run)
    assert np.array_equal(
        drawn(page, "[data-panel=counterfactual] canvas"), opened.counterfactual("smile", "images")[2]
    )
    rows = opened.rows
    row = rows[(rows.kind == "default") & (rows.editor == "deltaedit") & (rows.prompt == "smile") & (rows.source == 2)]
    text = page.inner_text("#cell-numbers").replace("−", "-")
    assert f"{row.target_effect.iloc[0]:.2f}" in text and f"{row.identity.iloc[0]:.2f}" in text


def test_wipe_uncovers(page):
    show(page, "#view=edit&strength=default")
    page.focus("#wipe")
    page.keyboard.press("Home")
    assert "100%" in page.eval_on_selector("[data-wipe=wipe] .front", "e => e.style.clipPath")
    box = page.locator("[data-wipe=wipe]").bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 40, steps=3)
    page.mouse.up()
    assert page.input_value("#wipe") == "75"
    assert "wipe=75" in link(page)
    page.select_option("#after", "counterfactual")
    assert "counterfactual" in page.inner_text("[data-wipe=wipe]")


def test_filters(page):
    show(page, "#view=grid&strength=default")
    assert page.locator("#grid tbody tr").count() == 3
    assert page.locator("#grid thead th").count() == 1 + 2 + 4 + 1
    page.select_option("#attribute", "mouth")
    assert page.eval_on_selector_all("#prompt option", "all => all.map(o => o.value)") == ["", "smile"]
    assert page.locator("#grid tbody tr").count() == 12  # one prompt: every person
    page.click("#editors button[value=identity]")
    assert page.locator("#grid thead th").count() == 1 + 2 + 3 + 1
    assert page.get_attribute("#editors button[value=identity]", "aria-pressed") == "false"
    show(page, link(page).replace("view=grid", "view=table"))
    assert "identity" not in order(page)
    page.click("#reset")
    assert "identity" in order(page) and "attribute" not in link(page)


def test_failures_are_not_hidden(page):
    show(page, "#view=grid&strength=default")
    assert page.inner_text("#grid tbody tr:nth-child(2) td:nth-child(5)") == "failed"
    assert "failed" in page.inner_text("#summary")
    show(page, "#view=edit&strength=default&at=smile&editor=styleclip-global")
    assert "out of memory" in page.inner_text("[role=alert]")
    show(page, "#view=about")
    assert "out of memory" in page.inner_text(".failures")


def test_a_against_b(page):
    show(page, "#view=compare&strength=matched-1&a=deltaedit&b=styleclip-global")
    first = page.inner_text("[data-column=ad_mean] .amount")
    verdict = page.inner_text("[data-column=ad_mean] .verdict")
    assert first and verdict in ("A is better", "B is better", "cannot be told apart")
    page.click("#swap")
    assert page.inner_text("#view h2") == "styleclip-global against deltaedit"
    second = page.inner_text("[data-column=ad_mean] .amount")
    assert {first[0], second[0]} == {"+", "−"} and first[1:] == second[1:]
    other = {"A is better": "B is better", "B is better": "A is better"}.get(verdict, verdict)
    assert page.inner_text("[data-column=ad_mean] .verdict") == other
    page.select_option("#choose-b-strength", "default")
    assert page.locator(".amount, .verdict").filter(has_text="±").count() == 0
    assert "same choice of strength only" in page.inner_text(".verdicts")


def test_points_of_the_pareto_plot_open_their_pictures(page):
    show(page, "#view=pareto")
    assert page.locator("#point").count() == 0
    page.focus(".point[aria-label^='deltaedit, calibrated']")
    page.keyboard.press("Enter")
    assert page.locator("#point .row canvas").count() == 3
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.click("#point .row button.picture >> nth=1")
    assert "view=edit" in link(page) and "at=smile" in link(page) and "strength=calibrated" in link(page)


def test_link_restores_the_view(page, browser, run):
    show(page, "#view=grid&strength=default")
    page.select_option("#number", "identity")
    page.click("#editors button[value='deltaedit[threshold=0.05]']")
    page.click("[data-key=person-2]")
    before, hash_before = page.inner_text("#view"), link(page)
    page.reload()
    assert link(page) == hash_before and page.inner_text("#view") == before
    other = browser.new_page()
    other.goto(address(run, hash_before))
    assert other.inner_text("#grid thead") == page.inner_text("#grid thead")
    other.close()


def test_nonsense_in_the_link_is_left_out(page):
    show(page, "#view=grid&strength=nine&prompt=%E0%A4%A&person=x&hide=nobody&editor=%3Cb%3E")
    assert page.locator("#grid tbody tr").count() == 3


def test_the_browsers_back_button_goes_back(page):
    page.click("#tab-grid")
    page.click("#grid button.picture >> nth=2")
    assert "view=edit" in link(page)
    page.go_back()
    page.wait_for_selector("#grid")


def test_keyboard(page):
    page.keyboard.press("2")
    assert "view=grid" in link(page)
    page.keyboard.press("]")
    assert "strength=calibrated" in link(page)
    page.keyboard.press("ArrowRight")
    assert "person=test-0001" in link(page)
    page.focus("#grid button.picture[tabindex='0']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.key") == "1-2"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert "view=edit" in link(page) and "at=smile" in link(page)
    page.keyboard.press("ArrowDown")
    assert "at=blond-hair" in link(page)
    page.keyboard.press(".")
    assert "editor=styleclip-global" in link(page)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible() and "view=edit" in link(page)
    page.keyboard.press("Escape")
    assert "view=grid" in link(page)


def test_light_and_dark(page):
    def paper():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.emulate_media(color_scheme="dark")
    dark = paper()
    page.emulate_media(color_scheme="light")
    assert dark != paper() == "rgb(255, 255, 255)"
    page.click("#theme")
    assert paper() == dark and "theme=dark" in link(page)
    page.reload()
    assert paper() == dark


def test_everything_that_can_be_pressed_has_a_name(page):
    for view in VIEWS:
        show(page, f"#view={view}")
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, select, input, [role=button]')].filter(e => e.offsetParent !== null"
            " && !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.querySelector('[aria-label]'))).length"
        )
        assert nameless == 0
