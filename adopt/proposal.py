"""Find all answers for a repository."""

from dataclasses import dataclass
from pathlib import Path

from adopt import warnings
from adopt.answers import (
    api,
    code,
    commands,
    environment,
    folders,
    front_ends,
    keeping,
    models,
    processes,
    python,
    requirements,
    system,
    testing,
    torch,
)
from adopt.findings import Finding, Notice
from adopt.survey import Project, Survey

ORDER = [
    requirements,
    torch,
    python,
    code,
    api,
    commands,
    processes,
    environment,
    testing,
    folders,
    system,
    models,
    front_ends,
    keeping,
]
"""Modules that find answers; each reads those of the ones before it."""


@dataclass
class Proposal:
    """The answers for one project of a repository."""

    project: Project
    findings: dict[str, Finding]


def propose(folder: Path) -> tuple[Survey, list[Proposal]]:
    """Return what a repository holds, and a proposal for each Python project in it.

    Raises:
        UnreadableError: if the folder cannot be adopted.
    """
    survey = Survey(folder)
    proposals: list[Proposal] = []
    for project in survey.projects:
        found: dict[str, Finding] = {}
        for module in ORDER:
            for finding in module.find(project, found):
                found[finding.answer] = finding
        proposals.append(Proposal(project, found))
    return survey, proposals


def notices(survey: Survey, proposals: list[Proposal]) -> list[Notice]:
    """Return the warnings, each once."""
    found = list(survey.repository.notices)
    for proposal in proposals:
        found += warnings.find(proposal.project, proposal.findings)
    return list(dict.fromkeys(found))
