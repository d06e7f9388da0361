"""The page in a real browser: headless Chromium, driven by playwright."""

import pytest

from eval.labelling.labels import Labels


@pytest.fixture
def page(browser, server):
    """Opened; fails the test if the console shows an error or anything but the server is asked for."""
    page, problems = browser.new_page(), []
    page.on(
        "console",
        lambda message: (
            problems.append(f"{message.text} {message.location}") if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request", lambda request: problems.append(request.url) if not request.url.startswith(server.address) else None
    )
    page.set_viewport_size({"width": 1100, "height": 800})
    page.set_default_timeout(120_000)  # ms; a loaded machine draws late
    page.goto(server.address)
    page.wait_for_selector(".tile")
    yield page
    page.close()
    assert problems == []


def counts(page, text):
    page.wait_for_function("text => document.getElementById('counts').textContent === text", arg=text)


def tiles(page):
    return page.eval_on_selector_all(".tile", "tiles => tiles.map(tile => [tile.title, tile.dataset.answer])")


def click(page, *ids):
    for name in ids:
        page.click(f'.tile[title="{name}"]')


def test_a_click_is_kept_at_once_and_the_next_sheet_counts_the_others_as_no(page, tmp_path):
    counts(page, "0 yes, 0 no, 0 cannot tell; 30 to look at")
    click(page, 1, 3, 5, 5)
    counts(page, "2 yes, 0 no, 1 cannot tell; 27 to look at")
    assert (tmp_path / "labels.csv").read_text() == "seed,hat,grey_hair\n1,1,\n3,1,\n5,nan,\n"
    page.click("#next")
    counts(page, "2 yes, 9 no, 1 cannot tell; 18 to look at")
    page.wait_for_selector('.tile[title="12"]')  # the next sheet comes after the counts
    assert [name for name, _ in tiles(page)] == [str(number) for number in range(12, 24)]
    kept = Labels(tmp_path / "labels.csv", "seed", ["hat"])["hat"]
    assert kept == {str(n): False for n in range(12)} | {"1": True, "3": True, "5": None}


def test_clicks_go_round_and_pictures_are_drawn(page):
    seen = []
    for _ in range(4):
        click(page, 0)
        seen.append(tiles(page)[0][1])
    assert seen == ["yes", "cannot tell", "no", "yes"]
    page.wait_for_function("() => [...document.images].every(image => image.complete && image.naturalWidth === 128)")
    assert page.get_attribute('.tile[title="0"]', "aria-label") == "0: yes"


def test_back_corrects_the_sheet_before(page, tmp_path):
    click(page, 1)
    page.keyboard.press("n")
    page.wait_for_selector('.tile[title="12"]')
    counts(page, "1 yes, 11 no, 0 cannot tell; 18 to look at")
    page.keyboard.press("b")
    page.wait_for_selector('.tile[title="1"][data-answer="yes"]')
    click(page, 2)
    counts(page, "2 yes, 10 no, 0 cannot tell; 18 to look at")
    page.click("#next")
    page.wait_for_selector('.tile[title="12"]')


def test_attributes_are_apart_and_the_address_keeps_which(page, server):
    click(page, 1)
    counts(page, "1 yes, 0 no, 0 cannot tell; 29 to look at")
    page.select_option("#question", "grey_hair")
    counts(page, "0 yes, 0 no, 0 cannot tell; 30 to look at")
    assert page.inner_text("h1") == "Which show grey hair?" and page.url == f"{server.address}#grey_hair"
    page.reload()
    page.wait_for_selector(".tile")
    assert page.inner_text("#text") == "grey hair"


def test_proposals_and_the_end(page):
    click(page, *range(1, 12, 2))
    page.click("#next")
    page.wait_for_selector('.tile[title="29"]')  # the odd one of the largest number looks most like a hat
    assert "proposed by a classifier" in page.inner_text("header")
    assert {name for name, _ in tiles(page)[:9]} == {str(number) for number in range(13, 30, 2)}
    page.click("#next")
    page.wait_for_function("() => document.querySelectorAll('.tile').length === 6")
    page.click("#next")
    page.wait_for_selector("text=Nothing is left to look at for hat.")
    assert page.is_disabled("#next")


def test_what_cannot_be_kept_is_told(browser, server, tmp_path):
    page = browser.new_page()  # Chromium itself notes the refused answer on the console
    page.goto(server.address)
    page.wait_for_selector(".tile")
    server.sheets.labels.path = tmp_path / "in the way" / "labels.csv"
    (tmp_path / "in the way").write_text("")
    page.click("#next")
    page.wait_for_selector("#error:not([hidden])")
    assert "labels.csv" in page.inner_text("#error") and tiles(page)[0] == ["0", "no"]
    (tmp_path / "in the way").unlink()
    page.click("#next")  # the same sheet once more
    counts(page, "0 yes, 12 no, 0 cannot tell; 18 to look at")
    assert page.is_hidden("#error")
    page.close()


def test_a_phone_has_no_overflow_to_the_side(page):
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
