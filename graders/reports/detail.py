"""What the details of a check are validated by."""

from pydantic import BaseModel, ConfigDict


class Detail(BaseModel):
    """Base: strict about the types it knows, open to keys it does not."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")
