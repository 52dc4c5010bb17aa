"""Shell lines of notebooks that would install or download: skipped, with one line that says so."""

import re
from functools import partial
from typing import Any

from ..guard import one_line
from ..patching import Patches
from ..session import Session

SKIPPED = {"pip", "pip3", "wget", "curl", "apt", "apt-get", "git", "conda", "mamba", "micromamba", "uv"}
MAGICS = ("pip", "conda", "mamba", "micromamba", "uv")
SEPARATORS = re.compile(r"(&&|\|\||;|\n)")
PREFIX = re.compile(r"""^\s*(?:\w+=\S*\s+|sudo\s+(?:-\w+\s+)*|yes\s*\|\s*)*""")
PYTHON_PIP = re.compile(r"""^["']?(?:\S*python[\d.]*|\{sys\.executable\})["']?\s+-m\s+(?:pip|conda)\b""")


def without_downloads(command: str) -> tuple[str, list[str]]:
    """The command line without its parts that install or download, and those parts."""
    pieces = SEPARATORS.split(command)
    kept: list[str] = []
    skipped: list[str] = []
    for part, separator in zip(pieces[::2], ["", *pieces[1::2]], strict=True):
        if _downloads(part):
            skipped.append(part.strip())
        elif part.strip():
            kept += [separator, part] if kept else [part]
    return "".join(kept), skipped


def _downloads(part: str) -> bool:
    rest = part[PREFIX.match(part).end() :]  # type: ignore[union-attr]
    words = rest.split()
    return bool(words) and (words[0].rsplit("/", 1)[-1] in SKIPPED or bool(PYTHON_PIP.match(rest)))


def mend_shell(session: Session, patches: Patches, shell: Any) -> None:
    """Patch the running IPython shell: `!command`, `x = !command` and the package magics."""

    def skip(parts: list[str]) -> None:
        for part in parts:
            line = one_line(part, 80)
            print(f"labmark: skipped `{line}`: there is no network here; what the lab needs is in place.")  # noqa: T201
            word = next((word for word in line.split() if word.rsplit("/", 1)[-1] in SKIPPED), "pip")
            session.notes.tell(f"Lines that call {word} were skipped: no network, and what the lab needs is in place.")

    # IPython expands {name} and $name with the locals of the caller, which are ours: hence the odd names.
    def make(_labmark_original: Any, _labmark_nothing: Any) -> Any:
        def run(_labmark_command: str, *_labmark_args: Any, **_labmark_options: Any) -> Any:
            __tracebackhide__ = True
            _labmark_rest, _labmark_skipped = without_downloads(_labmark_command)
            if not _labmark_skipped:
                return _labmark_original(_labmark_command, *_labmark_args, **_labmark_options)
            skip(_labmark_skipped)
            if not _labmark_rest:
                return _labmark_nothing()
            return _labmark_original(_labmark_rest, *_labmark_args, **_labmark_options)

        return run

    patches.replace(shell, "system", make(shell.system, lambda: None))
    patches.replace(shell, "getoutput", make(shell.getoutput, _nothing(shell)))
    magics = shell.magics_manager.magics["line"]
    before = dict(magics)
    magics.update({name: partial(lambda name, line: skip([f"{name} {line}"]), name) for name in MAGICS})
    patches.on_undo(lambda: (magics.clear(), magics.update(before)))


def _nothing(shell: Any) -> Any:
    """What `x = !command` gives for no output: an empty list of IPython's kind."""
    return type(shell.getoutput("true"))
