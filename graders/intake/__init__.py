"""What came in, turned into submissions: which files are whose. Nothing is opened, run or changed here."""

from graders.intake.folder import find_submissions
from graders.intake.names import safe_name, safe_names

__all__ = ["find_submissions", "safe_name", "safe_names"]
