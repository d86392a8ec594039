"""Answers keep, ci, project_name, and the default branch: what the repository has besides code."""

import re
from collections.abc import Iterator

from adopt import compose
from adopt.findings import GUESS, LIKELY, SURE, Finding, Source
from adopt.requirements import table
from adopt.survey import Project


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the files that stay, the service of continuous integration, the name and the branch."""
    repository = project.repository
    kept: dict[str, Source] = {}
    if repository.has("Dockerfile"):
        kept["Dockerfile"] = Source("Dockerfile")
    if path := next((name for name in compose.FILES if repository.has(name)), ""):
        kept["compose.yaml"] = Source(path)
    if "docker" in repository.folders:
        kept["docker"] = Source("docker")
    if ".devcontainer" in repository.folders:
        kept[".devcontainer"] = Source(".devcontainer")
    if repository.has(".gitlab-ci.yml"):
        kept[".gitlab-ci.yml"] = Source(".gitlab-ci.yml")
    yield Finding("keep", list(kept), SURE, next(iter(kept.values()), None))
    yield service(project)
    yield name(project)
    yield branch(project)


def service(project: Project) -> Finding:
    """Return the service that runs continuous integration."""
    repository = project.repository
    if path := next((path for path in repository.files if path.startswith(".github/workflows/")), ""):
        return Finding("ci", "github", SURE, Source(path))
    if repository.has(".gitlab-ci.yml"):
        return Finding("ci", "gitlab", SURE, Source(".gitlab-ci.yml"))
    address = _git_file(project, "config")
    if match := re.search(r"url = .*?(github|gitlab)[\w.-]*[:/]", address):
        return Finding("ci", match[1], LIKELY, Source(".git/config"))
    return Finding("ci", "github", GUESS)


def name(project: Project) -> Finding:
    """Return the name of the project: of its package, otherwise of its folder."""
    path = project.at("pyproject.toml")
    content = project.repository.toml(path)
    declared = table(content, "project").get("name") or table(table(content, "tool"), "poetry").get("name")
    if isinstance(declared, str) and re.fullmatch(r"[A-Za-z][\w.-]{0,39}", declared):
        return Finding("project_name", declared, SURE, project.repository.where(path, r"^\s*name\s*="))
    folder = (
        project.folder.rpartition("/")[2] if len(project.survey.projects) > 1 else ""
    ) or project.repository.root.name
    return Finding("project_name", re.sub(r"[^\w .-]+", " ", folder).strip()[:56] or "My Project", LIKELY)


def branch(project: Project) -> Finding:
    """Return the default branch, as Git's files say."""
    for file in ("refs/remotes/origin/HEAD", "HEAD"):
        if match := re.match(r"ref: refs/(?:remotes/origin|heads)/(\S+)", _git_file(project, file)):
            return Finding(
                "default_branch",
                match[1],
                SURE if file != "HEAD" or match[1] in ("main", "master") else LIKELY,
                Source(f".git/{file}"),
            )
    return Finding("default_branch", "main", GUESS)


def _git_file(project: Project, name: str) -> str:
    folder = project.repository.git_folder
    if folder is None:
        return ""
    try:
        return (folder / name).read_text("utf-8", "replace")[:100_000]
    except OSError:
        return ""
