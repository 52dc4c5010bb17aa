"""What a run depends on besides the lab and the submission: versions, read without importing anything heavy."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "ipykernel",
    "ipython",
    "matplotlib",
    "numpy",
    "papermill",
    "pillow",
    "scikit-learn",
    "scipy",
    "torch",
    "torchbearer",
    "torchvision",
)
ABSENT = "not installed"


def fingerprint() -> dict[str, str]:
    """Versions of the interpreter and of the packages that a notebook's figures may depend on, by name."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ABSENT
    return found
