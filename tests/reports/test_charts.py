"""Charts: stable, small, alone on the page."""

import re

from graders.reports.charts import Series, histogram, lines


def draw(key: str = "k") -> str:
    """A chart of two lines."""
    series = [Series("training", [1, 2, 3], [0.9, 0.4, 0.2]), Series("validation", [1, 2, 3], [1.0, 0.5, 0.3])]
    return str(lines(key, "Loss", "epoch", series, described='Loss <by> "epoch"'))


def test_same_bytes_every_time() -> None:
    """Two drawings of the same data are equal: no date, no random ids."""
    assert draw() == draw()


def test_ids_belong_to_the_chart() -> None:
    """Every id starts with the chart's key, and every reference leads to one of them."""
    svg = draw("mine")
    ids = set(re.findall(r' id="([^"]*)"', svg))
    references = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))
    assert ids
    assert ids == references
    assert all(one.startswith("mine-") for one in ids)


def test_nothing_reaches_beyond_the_chart() -> None:
    """No style sheet, metadata, comment or header that would act on the page; its description is escaped."""
    svg = draw()
    assert svg.startswith('<svg class="chart" viewBox=')
    assert not re.search(r"<style|<metadata|<!--|<\?xml|xlink|http://(?!www\.w3)", svg)
    assert 'aria-label="Loss &lt;by&gt; &#34;epoch&#34;"' in svg
    assert len(svg) < 12_000


def test_lines_differ_without_colour() -> None:
    """The second line is dashed, and text is text in the page's own colours."""
    svg = draw()
    assert "stroke-dasharray" in svg
    assert "var(--chart-1)" in svg
    assert "var(--chart-2)" in svg
    assert ">validation</text>" in svg
    assert ">epoch</text>" in svg


def test_histogram_shows_all_bins() -> None:
    """Every bin has its bar, also an empty one."""
    svg = str(histogram("h", [0, 3, 1], [0, 10, 20, 30], 15, described="d"))
    assert svg.count("<path") >= 3
    assert ">students</text>" in svg
    assert ">median</text>" in svg
