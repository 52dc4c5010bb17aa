"""JSON Schemas of the records on disk, for whoever reads them without labmark."""

from typing import Any, get_args

from graders.calibrated import Calibration
from graders.evidence import (
    Answers,
    Drawings,
    EvidenceIndex,
    Files,
    Journal,
    ModelIndex,
    ModelMeta,
    Probes,
    Shims,
    Trials,
    Variables,
)
from graders.records import Record, Result, Run

RECORDS: tuple[type[Record], ...] = (
    Run,
    Result,
    EvidenceIndex,
    Journal,
    Answers,
    Files,
    ModelIndex,
    ModelMeta,
    Trials,
    Drawings,
    Variables,
    Probes,
    Shims,
    Calibration,
)


def schemas() -> dict[str, Any]:
    """The JSON Schema of every versioned record, by the value of its "schema" field."""
    return {
        get_args(record.model_fields["schema_"].annotation)[0]: record.model_json_schema(mode="serialization")
        for record in RECORDS
    }
