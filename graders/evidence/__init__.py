"""What a run leaves behind, and how graders and reports read it.

Ground floor beside `records`: the kernel's runtime and the runner write these files, graders and reports
read them, through this module only. Nothing here imports torch; nothing unpickles. All of it is a student's
word until it is recomputed: JSON is parsed strictly and validated, tensors are safetensors read into numpy.

Layout of `students/<id>/evidence/`:

    evidence.json             EvidenceIndex
    <notebook stem>/
      journal.json            Journal: what the harness itself saw
      answers.json            Answers: written answers and touched tasks, read from the submitted notebook
      executed.ipynb
      variables.json          Variables: JSON scalars and lists by name
      tensors.safetensors     arrays by the name of their variable
      models/index.json       ModelIndex: the events
      models/<n>/model.json   ModelMeta
      models/<n>/graph.json   see `graders.models` for its schema
      models/<n>/weights.safetensors
      inputs.safetensors      small batches that passed through models ("i0", "i1", ...)
      trials.json             Trials
      trained_images.safetensors  hashes of the images that trainings were fed ("trial0", "loop0", ...)
      drawn.json              Drawings; drawn.safetensors the arrays
      probes.json             Probes; probes.safetensors the tensors
      shims.json              Shims: what was mended, capped or refused
      files/index.json        Files: files kept by whitelisted name, and what a weights file holds
      files/<name>, files/<name>.safetensors
      figures/*.png
"""

from graders.evidence.reader import (
    Array,
    Evidence,
    NotebookEvidence,
    Snapshot,
    read_bytes,
    read_record,
    read_tensors,
    strict_json,
)
from graders.evidence.schema import (
    Answer,
    Answers,
    CellError,
    Drawing,
    Drawings,
    EvidenceIndex,
    ExportMeta,
    FileEntry,
    Files,
    Journal,
    JournalCell,
    ModelEvent,
    ModelIndex,
    ModelMeta,
    NotebookRun,
    Probe,
    Probes,
    Shims,
    TensorMeta,
    Variable,
    Variables,
)
from graders.evidence.trainings import Evaluation, Loader, Loop, Steps, Trial, TrialRun, Trials

__all__ = [
    "Answer",
    "Answers",
    "Array",
    "CellError",
    "Drawing",
    "Drawings",
    "Evaluation",
    "Evidence",
    "EvidenceIndex",
    "ExportMeta",
    "FileEntry",
    "Files",
    "Journal",
    "JournalCell",
    "Loader",
    "Loop",
    "ModelEvent",
    "ModelIndex",
    "ModelMeta",
    "NotebookEvidence",
    "NotebookRun",
    "Probe",
    "Probes",
    "Shims",
    "Snapshot",
    "Steps",
    "TensorMeta",
    "Trial",
    "TrialRun",
    "Trials",
    "Variable",
    "Variables",
    "read_bytes",
    "read_record",
    "read_tensors",
    "strict_json",
]
