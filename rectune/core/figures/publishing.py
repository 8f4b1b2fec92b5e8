"""What the stages `report` and `push` say of themselves."""

from __future__ import annotations

from typing import ClassVar

from rectune.core.figures.record import Count, Record, StageRecord


class ReportFigures(StageRecord):
    """The stage `report`."""

    stage: ClassVar[str] = "report"

    stages: Count
    """Finished stages that it is about."""
    simulated: bool
    """Whether preferences come from the simulated annotator."""
    verdict: str
    """What may be concluded of the ranking; empty where nothing was ranked."""
    plots: tuple[str, ...]
    """The names of the pictures."""
    html_bytes: Count
    """The size of report.html, in bytes."""


class FileSize(Record):
    """A file that goes to the Hub."""

    path: str
    """Its name in the repository."""
    bytes: Count
    """Its size in bytes."""


class UploadFigures(Record):
    """One commit."""

    kind: str
    """What it is: adapter, merged, gguf, dataset or preferences."""
    repo_type: str
    """The kind of the repository: model or dataset."""
    files: tuple[FileSize, ...]
    """Its files."""


class PushListing(Record):
    """What is to be sent, in files.json."""

    repo: str
    """The repository, user/name; may be empty in a dry run."""
    private: bool
    """Whether it is private."""
    dry_run: bool
    """Whether nothing was sent."""
    tag: str
    """The tag: the key of the export."""
    uploads: tuple[UploadFigures, ...]
    """The commits."""
    left_out: dict[str, Count]
    """Rows withheld for their licence, by domain."""
    by_hand: Count
    """Rows that release.exclude_ids leaves out."""


class PushResult(Record):
    """What an upload came to."""

    commits: dict[str, str]
    """The address of each commit, by kind."""
    strays: dict[str, tuple[str, ...]]
    """Files that lie in the repository where this run's lie and are not of it, by kind."""


class PushFigures(PushListing, StageRecord):
    """The stage `push`."""

    stage: ClassVar[str] = "push"

    bytes: Count
    """The size of all files, in bytes; one that goes with several commits counts each time."""
    sent: PushResult | None
    """What the upload came to; None in a dry run."""
