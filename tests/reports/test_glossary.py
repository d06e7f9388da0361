from eval.metrics.book import metrics
from eval.runs.reader import Run
from reports.explorer.sets import set_columns
from reports.explorer.tables import columns
from reports.glossary import glossary, markdown, meaning
from reports.tables import build_tables


def test_every_heading_has_one_sentence(finished_run, gaps):
    """Of the main table as it is printed, and of the columns of the page, also where they are no metrics."""
    run = Run(finished_run)
    words = glossary(run)
    main = next(table for table in build_tables(run) if table.name == "main")
    headings = [heading for block in main.blocks for heading in block.header]
    bare = {heading.split(" ↑")[0].split(" ↓")[0].split(" (")[0] for heading in headings}
    assert bare <= set(words)
    assert all(meaning(run, name) for name in {**columns(run), **set_columns(run)})
    for text in words.values():
        assert text[0].isupper() and text.endswith(".") and text.count(". ") == 0


def test_the_file_has_them_by_alphabet_and_those_of_metrics_from_the_book(finished_run):
    text = markdown(Run(finished_run))
    assert f"* **identity**: {metrics()['identity'].meaning}" in text
    assert "* **fd_avatars**: Distance of the edits, as a set, from the set of the counterfactuals." in text
    words = [line.split("**")[1].casefold() for line in text.splitlines() if line.startswith("* ")]
    assert words == sorted(words) and len(words) == len(set(words))
