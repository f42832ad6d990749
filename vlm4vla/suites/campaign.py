"""A campaign: policies x suites, and the table that they fill, e.g. a paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.formats import FileFormat
from vlm4vla.suites.files import file_of, read_yaml, shipped_files, validated
from vlm4vla.suites.schema import Name, Strict

CAMPAIGN_FORMAT = FileFormat("campaign")


class CampaignSuite(Strict):
    """One column of the matrix."""

    suite: str
    protocol: str = "default"
    execute: str | None = None
    """Execution mode; each policy's own if left out."""
    data: str = ""
    """What a policy for this suite is trained on: a word of the checkpoint's path."""
    recipe: str = ""
    """The training recipe that makes such a checkpoint, for the message that it is missing."""


class Reference(Strict):
    """A row of the paper that is shown and not run."""

    model: str
    """Its name as the table prints it."""
    size: str = ""


class CampaignRow(Reference):
    """One policy."""

    policy: str
    checkpoint: bool = True
    """Whether it needs trained weights."""
    options: dict[str, str] = Field(default_factory=dict)
    """Its --policy-options."""


class CampaignColumn(Strict):
    """One column of numbers."""

    title: str
    suite: str
    metric: str
    task: str = "all"
    unit: Literal["percent", "fraction", "number"]
    """How the paper prints it."""


class CampaignFile(Strict):
    """One file of `benchmarks/campaigns/`."""

    name: Name
    summary: str
    source: str = ""
    """The paper, as results/published.csv calls it."""
    table: str = ""
    checkpoints: str = "{data}/{policy}"
    """Folder of a row's checkpoint, under the folder that --checkpoints names."""
    suites: Annotated[list[CampaignSuite], Field(min_length=1)]
    rows: Annotated[list[CampaignRow], Field(min_length=1)]
    references: list[Reference] = Field(default_factory=list)
    columns: Annotated[list[CampaignColumn], Field(min_length=1)]

    def checkpoint(self, row: CampaignRow, suite: CampaignSuite) -> Path:
        """Where the row's checkpoint for that suite lies, relative to the checkpoints' folder."""
        said = self.checkpoints.format(data=suite.data, policy=row.policy)
        # Where a suite has no word for its data, `{data}/{policy}` would begin at the root.
        return Path(said if self.checkpoints.startswith("/") else said.lstrip("/"))


def campaign_names() -> list[str]:
    """The campaigns that ship."""
    return list(shipped_files("campaigns"))


def load_campaign(name_or_path: str) -> CampaignFile:
    """A shipped campaign by name, or any by path. Raises UnknownName or InvalidFile."""
    path = file_of(name_or_path, "campaign", shipped_files("campaigns"))
    content = CAMPAIGN_FORMAT.upgraded(read_yaml(path, "Campaign"), path)
    file = validated(CampaignFile, content, f"Campaign {path}")
    try:
        file.checkpoint(file.rows[0], file.suites[0])
    except (KeyError, IndexError, ValueError) as error:
        raise InvalidFile(
            f"Campaign {path}: checkpoints may name {{data}} and {{policy}} only."
        ) from error
    suites = [suite.suite for suite in file.suites]
    asked = (column.suite for column in file.columns)
    UnknownName.check(f"suite of campaign '{file.name}'", asked, suites)
    return file
