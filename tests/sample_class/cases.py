"""The sample class: each student is the reference with a few small edits, for one story each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PART1, PART2, PART3, PART4 = (
    "5_1_CNN.ipynb",
    "5_2_Loading.ipynb",
    "5_3_Visualise.ipynb",
    "5_4_Topologies.ipynb",
)
WITH_BETTERCNN = ((PART1, "bettercnn-model"), (PART2, "reload-model"), (PART3, "load-model"))

Notebooks = dict[str, dict[str, Any]]
Edit = Callable[[Notebooks], None]


@dataclass(frozen=True)
class Case:
    """One student of the sample class.

    Attributes:
        student: Id, the name of the folder.
        story: What this student did, in a sentence.
        edits: Applied in order to the parsed notebooks.
        start: `solved` from the reference, or `template`.
        files: Applied last to the folder as written.
    """

    student: str
    story: str
    edits: tuple[Edit, ...] = ()
    start: str = "solved"
    files: tuple[Callable[[Path], None], ...] = field(default=())


def cell(notebooks: Notebooks, notebook: str, task: str) -> dict[str, Any]:
    """The one cell with that id."""
    found: list[dict[str, Any]] = [one for one in notebooks[notebook]["cells"] if one["id"] == task]
    if len(found) != 1:
        raise LookupError(f"{notebook} has {len(found)} cells {task}")
    return found[0]


def replace(notebook: str, task: str, old: str, new: str) -> Edit:
    """Replace the one occurrence of `old` in a cell."""

    def edit(notebooks: Notebooks) -> None:
        target = cell(notebooks, notebook, task)
        if target["source"].count(old) != 1:
            raise LookupError(f"{notebook} {task}: {old!r} occurs {target['source'].count(old)} times")
        target["source"] = target["source"].replace(old, new)

    return edit


def everywhere(old: str, new: str) -> tuple[Edit, ...]:
    """Replace in every copy of BetterCNN."""
    return tuple(replace(notebook, task, old, new) for notebook, task in WITH_BETTERCNN)


def rewrite(notebook: str, task: str, source: str) -> Edit:
    """Give a cell another source."""

    def edit(notebooks: Notebooks) -> None:
        cell(notebooks, notebook, task)["source"] = source

    return edit


def rewrite_class(source: str) -> tuple[Edit, ...]:
    """Replace the whole class BetterCNN in every copy; what follows the class in the cell stays."""

    def edit_in(notebook: str, task: str) -> Edit:
        def edit(notebooks: Notebooks) -> None:
            target = cell(notebooks, notebook, task)
            lines = target["source"].splitlines()
            start = lines.index("class BetterCNN(nn.Module):")
            end = next((i for i in range(start + 1, len(lines)) if lines[i][:1].strip()), len(lines))
            target["source"] = "\n".join([*lines[:start], *source.strip("\n").splitlines(), "", *lines[end:]]).rstrip()

        return edit

    return tuple(edit_in(notebook, task) for notebook, task in WITH_BETTERCNN)


def append(notebook: str, task: str, source: str) -> Edit:
    """Add lines at the end of a cell."""

    def edit(notebooks: Notebooks) -> None:
        cell(notebooks, notebook, task)["source"] += "\n" + source

    return edit


def drop(notebook: str) -> Edit:
    """Leave a notebook out."""

    def edit(notebooks: Notebooks) -> None:
        del notebooks[notebook]

    return edit


def truncate(notebook: str) -> Callable[[Path], None]:
    """Cut the file in the middle, as a broken upload does."""

    def edit(folder: Path) -> None:
        data = (folder / notebook).read_bytes()
        (folder / notebook).write_bytes(data[: len(data) // 2])

    return edit


SEQUENTIAL = '''
class BetterCNN(nn.Sequential):
    """Two convolutions, then three linear layers, as one chain of modules."""

    def __init__(self):
        super().__init__()
        self.add_module("conv1", nn.Conv2d(1, 30, 5))
        self.add_module("relu1", nn.ReLU())
        self.add_module("pool1", nn.MaxPool2d(2))
        self.add_module("conv2", nn.Conv2d(30, 15, 3))
        self.add_module("relu2", nn.ReLU())
        self.add_module("pool2", nn.MaxPool2d(2))
        self.add_module("dropout", nn.Dropout(0.2))
        self.add_module("flatten", nn.Flatten())
        self.add_module("fc1", nn.Linear(375, 128))
        self.add_module("relu3", nn.ReLU(inplace=True))
        self.add_module("fc2", nn.Linear(128, 50))
        self.add_module("relu4", nn.ReLU(inplace=True))
        self.add_module("fc3", nn.Linear(50, 10))
'''

BY_HAND = """
torch.manual_seed(7)
model = BetterCNN().to(device)
optimiser = optim.Adam(model.parameters())
for epoch in range(10):
    model.train()
    for images, labels in trainloader:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(images.to(device)), labels.to(device))
        loss.backward()
        optimiser.step()
    print("epoch", epoch, "loss", loss.item())
model.eval()
right = 0
with torch.no_grad():
    for images, labels in testloader:
        right += (model(images.to(device)).argmax(1).cpu() == labels).sum().item()
print("test accuracy", right / len(testset))
""".strip()

COLAB_SETUP = """
!pip install -q torchbearer
!wget -q https://example.org/digits/0.PNG
%matplotlib inline
"""
PRINTED_ONE_BY_ONE = """
from scipy.misc import imread

for number in range(10):
    picture = torch.from_numpy(imread(f"{number}.PNG").astype("float32") / 255).view(1, 1, 28, 28)
    print("picture", number, "looks like a", model(picture.to("cuda:0")).argmax().item())
""".strip()
DRAWN_ONLY = """
for k in range(30):
    plt.subplot(5, 30 / 5, k + 1)
    plt.imshow(model.conv1.weight.data[k, 0])
plt.show()
""".strip()
MAPS_DRAWN_ONLY = """
def hook_function(module, given, result):
    for k in range(result.shape[1]):
        plt.subplot(5, 6, k + 1)
        plt.imshow(result.data[0, k])


hook = model.conv1.register_forward_hook(hook_function)
model(load_digit("3.PNG"))
hook.remove()
plt.show()
""".strip()


def insert_first(notebook: str, source: str) -> Edit:
    """Put a code cell before all others."""

    def edit(notebooks: Notebooks) -> None:
        new: dict[str, Any] = {
            "cell_type": "code",
            "id": "first",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        notebooks[notebook]["cells"].insert(0, new)

    return edit


def as_colab_saves(notebooks: Notebooks) -> None:
    """Lose ids and metadata of every cell, and gain what Colab adds."""
    for notebook in notebooks.values():
        notebook["nbformat_minor"] = 0
        notebook["metadata"] = {
            "colab": {"provenance": []},
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
        }
        for number, one in enumerate(notebook["cells"]):
            one.pop("id")
            one["metadata"] = {"id": f"x{number}", "colab": {"base_uri": "https://localhost:8080/"}}
            if one["cell_type"] == "code":
                one["outputs"] = [
                    {
                        "output_type": "error",
                        "ename": "NameError",
                        "evalue": "name 'x' is not defined",
                        "traceback": [],
                        "errorDetails": {"actions": []},
                    }
                ]


CASES: tuple[Case, ...] = (
    Case(
        "01-endless-loop",
        "Gradient ascent in part 3 never ends.",
        (replace(PART3, "max-activation", "for step in range(100):", "while True:"),),
    ),
    Case("02-perfect", "The reference solution."),
    Case("03-sequential", "Right, written as nn.Sequential.", rewrite_class(SEQUENTIAL)),
    Case("04-untouched", "The template, handed in as it was.", start="template"),
    Case(
        "05-relu-missing",
        "No ReLU after conv2.",
        everywhere("F.relu(self.conv2(x))", "self.conv2(x)"),
    ),
    Case(
        "06-pool-before-relu",
        "Pools before the ReLU: the same function.",
        (
            *everywhere("x = F.relu(self.conv1(x))", "x = F.max_pool2d(self.conv1(x), 2, 2)"),
            *(
                replace(notebook, task, old, "x = F.relu(x)")
                for notebook, task, old in (
                    (PART1, "bettercnn-model", "x = F.max_pool2d(x, (2, 2))  # [batch, 30, 12, 12]"),
                    (PART2, "reload-model", "x = F.max_pool2d(x, (2, 2))\n        x = F.relu(self.conv2(x))"),
                    (PART3, "load-model", "x = F.max_pool2d(x, (2, 2))\n        x = F.relu(self.conv2(x))"),
                )
            ),
            *(
                replace(notebook, task, "x = F.relu(x)", "x = F.relu(x)\n        x = F.relu(self.conv2(x))")
                for notebook, task in WITH_BETTERCNN[1:]
            ),
        ),
    ),
    Case(
        "07-wrong-kernel",
        "conv2 has 5x5 kernels instead of 3x3, and fc1 was made to fit.",
        (
            *everywhere("nn.Conv2d(30, 15, (3, 3))", "nn.Conv2d(30, 15, (5, 5))"),
            *everywhere("nn.Linear(375, 128)", "nn.Linear(240, 128)"),
        ),
    ),
    Case(
        "08-dropout-active",
        "F.dropout without training=self.training.",
        everywhere("F.dropout(x, 0.2, training=self.training)", "F.dropout(x, 0.2)"),
    ),
    Case(
        "09-whole-model-saved",
        "torch.save(model) instead of its state_dict.",
        (replace(PART1, "bettercnn-save", "model.state_dict()", "model"),),
    ),
    Case(
        "10-task-left-out",
        "raise NotImplementedError() left in part 3.",
        (rewrite(PART3, "max-activation", "# YOUR CODE HERE\nraise NotImplementedError()"),),
    ),
    Case(
        "11-syntax-error",
        "A bracket is missing in BetterCNN.",
        (replace(PART1, "bettercnn-model", "x = F.relu(self.conv1(x))", "x = F.relu(self.conv1(x)"),),
    ),
    Case(
        "12-sys-exit",
        "A cell of part 2 calls sys.exit(0).",
        (append(PART2, "reload-model", "import sys\n\nsys.exit(0)"),),
    ),
    Case("13-part-missing", "Part 3 was not handed in.", (drop(PART3),)),
    Case("14-not-json", "Part 4 was cut off while it was uploaded.", files=(truncate(PART4),)),
    Case(
        "15-by-hand",
        "A training loop by hand in plain PyTorch.",
        (rewrite(PART1, "bettercnn-train", BY_HAND),),
    ),
    Case(
        "16-nothing-trained",
        "The optimiser holds the parameters of another network.",
        (replace(PART1, "bettercnn-train", "optim.Adam(model.parameters())", "optim.Adam(simple_model.parameters())"),),
    ),
    Case(
        "17-from-colab",
        "Right, from Colab: no metadata left, packages and pictures fetched, predictions printed, filters only drawn.",
        (
            *(insert_first(notebook, COLAB_SETUP) for notebook in (PART1, PART2, PART3)),
            *(
                replace(
                    notebook, task, "set_notebook(False)  # a plain progress bar, which needs no further package", ""
                )
                for notebook, task in ((PART1, "cnn-setup"), (PART4, "top-setup"))
            ),
            replace(PART1, "bettercnn-train", "verbose=1).to(device)", 'verbose=2).to("cuda:0")'),
            append(PART1, "bettercnn-save", 'from google.colab import files\n\nfiles.download("bettercnn.weights")'),
            append(PART2, "reload-model", 'model = model.to("cuda:0")'),
            rewrite(PART2, "classify-digits", PRINTED_ONE_BY_ONE),
            rewrite(PART3, "filters", DRAWN_ONLY),
            rewrite(PART3, "feature-maps", MAPS_DRAWN_ONLY),
            as_colab_saves,
        ),
    ),
)
