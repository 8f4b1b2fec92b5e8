"""What stages measure: a frozen record a stage, so that who asks for a figure that is not there is told so.

A stage returns its record, the run store keeps it in the manifest under `figures`, and reports, cards and
comparisons read it back with `rectune.core.figures.read_records`, which refuses what is missing, unknown or
of another type.
"""

from __future__ import annotations

from rectune.core.figures.allmrec import AllmrecItemsFigures, AllmrecLlmFigures
from rectune.core.figures.data import DataFigures, FilterFigures, QueriesFigures, RationalesFigures
from rectune.core.figures.evaluation import EvalFigures
from rectune.core.figures.fit import FitFigures
from rectune.core.figures.grounding import RecommendFigures
from rectune.core.figures.held_out_ratings import HeldOutRatingsFigures
from rectune.core.figures.leave_last_out import LeaveLastOutFigures
from rectune.core.figures.models import BaseFigures, ExportFigures
from rectune.core.figures.preferences import CandidatesFigures, TagFigures
from rectune.core.figures.publishing import PushFigures, ReportFigures
from rectune.core.figures.random_split import RandomSplitFigures
from rectune.core.figures.record import StageRecord
from rectune.core.figures.rerank import RerankFigures
from rectune.core.figures.training import DpoFigures, SftFigures

__all__ = [
    "STAGE_FIGURES",
    "AllmrecItemsFigures",
    "AllmrecLlmFigures",
    "BaseFigures",
    "CandidatesFigures",
    "DataFigures",
    "DpoFigures",
    "EvalFigures",
    "ExportFigures",
    "FilterFigures",
    "FitFigures",
    "LeaveLastOutFigures",
    "HeldOutRatingsFigures",
    "PushFigures",
    "QueriesFigures",
    "RandomSplitFigures",
    "RationalesFigures",
    "RecommendFigures",
    "ReportFigures",
    "RerankFigures",
    "SftFigures",
    "TagFigures",
]

STAGE_FIGURES: dict[str, type[StageRecord]] = {
    kind.stage: kind
    for kind in (
        DataFigures,
        LeaveLastOutFigures,
        HeldOutRatingsFigures,
        RandomSplitFigures,
        BaseFigures,
        QueriesFigures,
        FitFigures,
        AllmrecItemsFigures,
        RationalesFigures,
        FilterFigures,
        SftFigures,
        AllmrecLlmFigures,
        CandidatesFigures,
        TagFigures,
        DpoFigures,
        ExportFigures,
        RerankFigures,
        RecommendFigures,
        EvalFigures,
        ReportFigures,
        PushFigures,
    )
}
