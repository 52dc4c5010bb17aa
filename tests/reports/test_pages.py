"""The one place where text is escaped, and the colours of the pages."""

import re
from pathlib import Path

import pytest
from markupsafe import Markup

import graders.reports
from graders.reports.pages import environment, relative_url

STYLE = (Path(graders.reports.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
SCHEMES = [
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)
]


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES, ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "soft", "good", "half", "bad", "wait", "held", "none", "link"])
def test_text_has_contrast(scheme: dict[str, str], name: str) -> None:
    """All colours of text reach AA (4.5 to 1) on both grounds, in light and dark."""
    assert contrast(scheme[name], scheme["paper"]) >= 4.5
    assert contrast(scheme[name], scheme["raised"]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES, ids=["light", "dark"])
@pytest.mark.parametrize("name", ["chart-1", "chart-2"])
def test_lines_have_contrast(scheme: dict[str, str], name: str) -> None:
    """Lines of charts reach 3 to 1."""
    assert contrast(scheme[name], scheme["paper"]) >= 3


def test_values_are_made_visible_then_escaped() -> None:
    """Every value goes through the same gate, also in attributes; our own markup passes."""
    template = environment().from_string('<p title="{{ a }}">{{ a }}{{ b }}</p>')
    html = template.render(a='"<\u202e', b=Markup("<b>x</b>"))
    assert html == '<p title="&#34;&lt;⟨U+202E⟩">&#34;&lt;⟨U+202E⟩<b>x</b></p>'


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("students/a b/report.html", "students/a%20b/report.html"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("//host/x", "host/x"),
        ("a\ud800", "a%3F"),
        ("x?y#z", "x%3Fy%23z"),
    ],
)
def test_urls_are_relative(path: str, url: str) -> None:
    """A path can be no scheme, host, query or fragment."""
    assert relative_url(path) == url
