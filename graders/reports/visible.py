"""Strangers' text made safe to look at: nothing unseen, nothing that turns the line around."""

import re
import unicodedata

# ECMA-48: CSI sequences, strings (OSC, DCS, SOS, PM, APC) up to their terminator, and two-character escapes.
ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
KEPT = frozenset("\n\t\u00ad\u200c\u200d")  # line ends; the soft hyphen and the joiners that scripts and emoji need
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def strip_ansi(text: str) -> str:
    """Remove terminal sequences, colours above all."""
    return ANSI.sub("", text)


def visible(text: str) -> str:
    """Write control, format and bidirectional characters, and lone surrogates, as `⟨U+202E⟩`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def settle(text: str) -> str:
    r"""Text as a terminal would leave it: of a line that was overwritten with `\r`, the last version."""
    lines = strip_ansi(text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _shown(char: str) -> str:
    if char in KEPT or unicodedata.category(char) not in UNSEEN:
        return char
    return f"⟨U+{ord(char):04X}⟩"
