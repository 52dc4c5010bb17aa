"""Charts as inline SVG by matplotlib: small, the same bytes every time, in the colours of the page.

matplotlib is imported when the first chart is drawn. No text of a student's is ever handed to it: titles and
labels are ours, everything else stands in the HTML around the chart.
"""

import io
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours drawn by matplotlib and the style sheet's variables that replace them (blue and vermilion of Okabe and Ito,
# which people with any colour vision tell apart).
INK, RULE, FIRST, SECOND = "#101112", "#d0d1d2", "#0072b2", "#d55e00"
VARIABLES = {INK: "var(--ink)", RULE: "var(--rule)", FIRST: "var(--chart-1)", SECOND: "var(--chart-2)"}

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "labmark",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # shipped with matplotlib, so measured alike everywhere
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
# Margins as shares of the figure: a fixed frame costs half the time of a computed layout.
FRAME = {"left": 0.135, "right": 0.985, "top": 0.89, "bottom": 0.19}
SIZE = (3.7, 2.35)  # inches, at 72 units an inch in the SVG


class Series(NamedTuple):
    """A line: its name in the legend and its points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def lines(key: str, title: str, x_label: str, series: Sequence[Series], *, described: str) -> Markup:
    """Draw up to two lines.

    Args:
        key: Prefix of the ids in the SVG, unique on the page.
        title: Title with the unit of y.
        x_label: Label with the unit of x.
        series: The lines; told apart by marker and dashes besides their colour.
        described: The chart in words, for those who do not see it.
    """

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        styles = ((FIRST, "o", "-"), (SECOND, "s", "--"))
        for one, (colour, marker, dashes) in zip(series, styles, strict=False):
            shown = marker if len(one.x) <= 40 else ""
            axes.plot(one.x, one.y, color=colour, marker=shown, ms=4.5, ls=dashes, lw=1.6, label=one.name)
        if len(series) > 1:
            falling = series[0].y[-1] < series[0].y[0]
            axes.legend(loc="upper right" if falling else "lower right", handlelength=2.6)
        axes.set(title=title, xlabel=x_label)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        axes.grid(axis="y")
        axes.margins(x=0.04, y=0.12)
        if all(len(set(one.x)) == 1 for one in series):  # matplotlib would show fractions of an epoch
            axes.set_xlim(series[0].x[0] - 1, series[0].x[0] + 1)

    return _drawn(key, draw, described)


def histogram(key: str, counts: Sequence[int], edges: Sequence[float], median: float, *, described: str) -> Markup:
    """Draw how many students have how many points, and the median.

    Args:
        key: Prefix of the ids in the SVG.
        counts: Students per bin.
        edges: Borders of the bins in points, one more than counts.
        median: In points.
        described: The chart in words.
    """

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        widths = [right - left for left, right in pairwise(edges)]
        axes.bar(edges[:-1], counts, widths, align="edge", color=FIRST, edgecolor="white", linewidth=0.8)
        axes.axvline(median, color=SECOND, ls="--", lw=1.6, label="median")
        axes.legend(loc="upper left", handlelength=2.6)
        axes.set(title="Students per range of points", xlabel="total (points)", ylabel="students")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, max(counts) * 1.3)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.grid(axis="y")

    return _drawn(key, draw, described, size=(4.8, 2.3))


def _drawn(key: str, draw: Any, described: str, *, size: tuple[float, float] = SIZE) -> Markup:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=size)
        draw(figure.subplots(gridspec_kw=FRAME))
        return _inline(_svg(figure), key, described)


def _svg(figure: "Figure") -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=METADATA)
    return buffer.getvalue()


def _inline(svg: str, key: str, described: str) -> Markup:
    """Make matplotlib's file a part of a page: no header, no rule for other elements, no id that another has."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<metadata>.*?</metadata>|<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>|<!--.*?-->", "", svg, flags=re.S
    )
    wanted = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{key}-{m[1]}"' if m[1] in wanted else "", svg)
    svg = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{key}-", svg).replace("xlink:href", "href")
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    box = re.search(r'viewBox="[^"]*"', svg)
    if box is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    head = f'<svg class="chart" {box[0]} role="img" aria-label="{escape(described)}">'
    body = re.sub(r"\s*\n\s*", "\n", svg[svg.index(">") + 1 :]).strip()
    return Markup(head + body)  # noqa: S704 - matplotlib's own file, and no text of a student's is in it
