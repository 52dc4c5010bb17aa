"""JSON Schemas of the records."""

from graders.records import Result
from graders.schemas import RECORDS, schemas


def test_every_record_has_a_schema_by_its_own_name() -> None:
    """The name is the value of the field "schema", and the schema demands it."""
    known = schemas()
    assert len(known) == len(RECORDS)
    for name, schema in known.items():
        assert schema["properties"]["schema"]["const"] == name


def test_a_result_names_the_fields_of_the_design() -> None:
    """Whoever reads result.json finds the agreed fields."""
    schema = Result.model_json_schema(mode="serialization")
    assert {"schema", "student", "score", "max_score", "checks", "flags", "provenance"} <= set(schema["properties"])
    check = schema["$defs"]["Check"]["properties"]
    assert {
        "id", "title", "outcome", "points", "max_points", "visibility", "code", "message", "details", "cell",
    } <= set(check)  # fmt: skip
