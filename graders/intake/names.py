"""Names that strangers chose, made fit to name a folder of ours."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

LONGEST = 120
"""Bytes of UTF-8 that a name may have; file systems allow 255, and endings are added."""
UNFIT = re.compile(r'[/\\:*?"<>|]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, where people open reports."""
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories that print nothing, or turn what is printed around."""


def safe_name(student: str) -> str:
    """Make a student's id a file name: itself where it is a fine one, else with an underscore for what is not.

    Control and bidirectional characters, path separators and what Windows forbids are replaced, dots and spaces at
    the ends taken off. A name that had to be changed ends in six characters of its checksum, so that two ids
    that differ only there do not meet.
    """
    fine = "".join("_" if UNFIT.match(c) or unicodedata.category(c) in UNSEEN else c for c in student).strip(" .")
    if fine == student and fine and not RESERVED.fullmatch(fine) and len(fine.encode()) <= LONGEST:
        return student
    kept = fine.encode()[: LONGEST - 7].decode(errors="ignore").rstrip(" .")
    return f"{kept or 'student'}-{hashlib.sha256(student.encode(errors='surrogatepass')).hexdigest()[:6]}"


def safe_names(students: Iterable[str]) -> dict[str, str]:
    """A folder name for every student, all different also where upper and lower case or accents are not told apart.

    Args:
        students: Ids of a class, all different.

    Returns:
        Id -> name. The same ids give the same names, in whatever order they come.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for student in sorted(students):
        name, attempt = safe_name(student), 1
        while _folded(name) in taken:
            attempt += 1
            name = f"{safe_name(student)}-{attempt}"
        taken.add(_folded(name))
        names[student] = name
    return names


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
