"""What all sections of a configuration have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown keys are refused: a typing error must not become a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
