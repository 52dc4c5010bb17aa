"""Strangers' text: nothing unseen is left."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.reports.visible import settle, strip_ansi, visible


@given(st.text(st.characters()))
def test_nothing_unseen_is_left(text: str) -> None:
    """After `visible` no control, bidirectional or surrogate character remains, and the text can be written."""
    shown = visible(text)
    shown.encode("utf-8")
    left = {char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert left <= set("\n\t\u00ad\u200c\u200d")


@pytest.mark.parametrize("text", ["plain", "Zoë 陈 Ångström", "👩\u200d🔬", "a\n\tb", "a < b & c"])
def test_ordinary_text_stays(text: str) -> None:
    """Letters of any script, emoji and line ends are left alone."""
    assert visible(text) == text


def test_bidirectional_override_is_named() -> None:
    """A character that turns the line around is written as its number."""
    assert visible("a\u202eb\x00") == "a⟨U+202E⟩b⟨U+0000⟩"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b1mx", "x"),
        ("a\x1bcb", "ab"),
    ],
)
def test_terminal_sequences_go(text: str, left: str) -> None:
    """Colours, titles, links and resets of a terminal are removed."""
    assert strip_ansi(text) == left


def test_progress_bars_settle() -> None:
    """Of a line that was overwritten again and again only the last version stays."""
    assert settle("0%\r50%\r100%\ndone\r\nend") == "100%\ndone\nend"
