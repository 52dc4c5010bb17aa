"""The templates, and the one place where strangers' text is escaped."""

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from graders.reports.visible import visible
from graders.reports.words import duration, number, percent, points_word


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates with autoescape; every value that is not our own markup is made visible, then escaped."""
    env = Environment(
        loader=PackageLoader("graders.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(number=number, points=points_word, percent=percent, duration=duration, url=relative_url)
    return env


def render(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write the page."""
    page = environment().get_template(template).render(**values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8", newline="\n")


def relative_url(path: str) -> str:
    """A path below the page's folder as a URL: percent-encoded, so that it can be no scheme and no host."""
    return quote(path.lstrip("/"), safe="/", errors="replace")


def _finalize(value: Any) -> Any:
    return value if isinstance(value, Markup) else visible(str(value))
