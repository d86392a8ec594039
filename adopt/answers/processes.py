"""Answers processes and services: what runs beside the API, and what all of it needs."""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from adopt.answers.api import served
from adopt.answers.environment import ENV_FILES
from adopt.command_lines import CommandLine
from adopt.compose import Service
from adopt.findings import GUESS, LIKELY, SURE, Finding, Source, Sureness
from adopt.survey import Project

WORKERS = {
    "celery",
    "rq",
    "rqworker",
    "dramatiq",
    "arq",
    "huey_consumer",
    "huey_consumer.py",
    "flower",
    "streamlit",
    "taskiq",
    "faststream",
    "supercronic",
    "chainlit",
    "panel",
    "bokeh",
    "mlflow",
    "prefect",
    "dagster",
}
"""Programs that a process of a system runs."""
WORD = re.compile(r"[A-Za-z0-9_./+@=%,:-]*[A-Za-z0-9_./+@=%,-]")
IMAGES = {
    "postgres": "postgres",
    "postgis": "postgres",
    "pgvector": "postgres",
    "timescale": "postgres",
    "redis": "redis",
    "valkey": "redis",
    "keydb": "redis",
    "minio": "bucket",
    "seaweedfs": "bucket",
    "localstack": "bucket",
    "nginx": "proxy",
    "traefik": "proxy",
    "caddy": "proxy",
}
"""Parts of the names of images, and the services that they are."""
OTHER_IMAGES = re.compile(
    r"(mysql|mariadb|mongo|rabbitmq|elasticsearch|opensearch|kafka|zookeeper|memcached|clickhouse|neo4j|qdrant|weaviate|chroma|milvus|nats|influxdb|cassandra)"
)
"""Services that the template does not have."""
ADDRESSES = {
    r"postgres(ql)?(\+\w+)?://|postgis://": "postgres",
    r"rediss?://": "redis",
    r"(?i)\b(minio|s3_endpoint|aws_endpoint_url|endpoint_url)": "bucket",
}
CLIENTS = {
    "postgres": ("psycopg2", "psycopg2-binary", "psycopg", "asyncpg", "pg8000", "psycopg-binary"),
    "redis": ("redis", "rq", "aioredis", "django-redis", "celery-redbeat", "arq"),
    "bucket": ("minio",),
}
PORTS = {
    "streamlit": (8501, "/_stcore/health"),
    "gradio": (7860, "/"),
    "flower": (5555, ""),
    "mlflow": (5000, "/health"),
}


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the processes beside the API, and the services."""
    processes, source, sureness = _processes(project, found)
    yield Finding("processes", processes, sureness, source)
    yield _services(project)


def _processes(project: Project, found: dict[str, Finding]) -> tuple[dict[str, Any], Source | None, Sureness]:
    processes: dict[str, Any] = {}
    commands: set[str] = set()
    first: Source | None = None
    sureness: Sureness = SURE

    def add(name: str, text: str, source: Source, sure: Sureness, **more: Any) -> None:
        nonlocal first, sureness
        if not text or text in commands:
            return
        commands.add(text)
        name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "process"
        while name in processes or name in ("api", "dev", "cli"):
            name = f"{name}-process" if name in ("api", "dev", "cli") else f"{name}-2"
        processes[name] = {"command": text, **{key: value for key, value in more.items() if value}}
        first = first or source
        sureness = max(sureness, sure, key=[SURE, LIKELY, GUESS].index)

    services = [service for service in project.survey.services if _own(project, service)]
    kinds = {service.name: kind for service in project.survey.services if (kind := kind_of(service.image))}
    beside = {each.name for each in services if each.commands and not served(each.commands[-1])}
    for service in services:
        for line in service.commands[-1:]:
            if not served(line) and (runs_on(line) or once(line)):
                waits = [kinds.get(name, name) for name in service.waits_for if name in kinds or name in beside]
                add(
                    service.name,
                    text_of(line),
                    line.source,
                    SURE,
                    once=once(line),
                    scale=service.scale if service.scale > 1 else 0,
                    port=service.ports[0] if service.ports else 0,
                    waits_for=[each for each in waits if each != "proxy"],
                )
    for line in project.lines:
        if line.origin in ("procfile", "dockerfile") and not served(line) and (runs_on(line) or once(line)):
            add(
                line.name or line.program,
                text_of(line),
                line.source,
                SURE,
                once=once(line),
                port=PORTS.get(line.program, (0, ""))[0],
                health=PORTS.get(line.program, (0, ""))[1],
            )
    for line in project.lines:
        if (
            line.origin in ("makefile", "script", "readme", "pipeline")
            and runs_on(line)
            and not _known(line, processes)
        ):
            add(
                role_of(line),
                text_of(line),
                line.source,
                LIKELY,
                port=PORTS.get(line.program, (0, ""))[0],
                health=PORTS.get(line.program, (0, ""))[1],
            )
    _from_code(project, found, processes, add)
    return processes, first, sureness if processes else LIKELY


def _from_code(project: Project, found: dict[str, Finding], processes: dict[str, Any], add: Any) -> None:
    """Add the processes that the code has and that no command line names."""
    texts = [str(each["command"]) for each in processes.values()]
    for path, module in project.code.items():
        for part in module.parts:
            name, place = project.module_name(path), Source(path, part.line)
            if part.value == "celery" and not any(text.startswith("celery") for text in texts):
                target = f"{name}.{part.name}" if part.name not in ("app", "celery") else name
                add("worker", f"celery -A {target} worker", place, LIKELY)
                if re.search(r"beat_schedule|add_periodic_task|crontab\(", project.repository.text(path)):
                    add("beat", f"celery -A {target} beat", place, LIKELY)
                texts.append("celery")
            elif part.value == "dramatiq" and not any(text.startswith("dramatiq") for text in texts):
                add("worker", f"dramatiq {name}", place, LIKELY)
                texts.append("dramatiq")
            elif (part.value == "rq-worker" and module.guard) or (part.value == "scheduler" and module.guard):
                if not any(name in text or project.inside(path) in text for text in texts):
                    role = "worker" if part.value == "rq-worker" else "scheduler"
                    add(role, f"python {project.inside(path)}", place, LIKELY)
            elif part.value in ("streamlit", "gradio") and not processes and not _page(project, path):
                port, health = PORTS[part.value]
                main = project.inside(path)
                if part.value == "streamlit":
                    if main == main_page(project):
                        add("app", f"streamlit run {main}", place, LIKELY, port=port, health=health)
                elif module.guard or ".launch(" in project.repository.text(path):
                    add("app", f"python {main}", place, LIKELY, port=port, health=health)
    if (
        any(part.value == "rq" for module in project.code.values() for part in module.parts)
        and not any(text.startswith(("rq", "python")) for text in texts)
        and "worker" not in processes
    ):
        listing = project.listed("rq")
        add("worker", "rq worker", listing.source if listing else Source("."), LIKELY)
    if not any(each.get("once") for each in processes.values()):
        if project.repository.has(project.at("alembic.ini")):
            add("migrate", "alembic upgrade head", Source(project.at("alembic.ini")), LIKELY, once=True)
        elif manage := next((path for path in project.code if posixpath.basename(path) == "manage.py"), ""):
            if any("/migrations/0" in path for path in project.modules):
                add("migrate", f"python {project.inside(manage)} migrate", Source(manage), LIKELY, once=True)
        elif project.listed("flask-migrate") and any(
            path.startswith(project.at("migrations/")) for path in project.files
        ):
            add("migrate", "flask db upgrade", Source(project.at("migrations")), LIKELY, once=True)


def main_page(project: Project) -> str:
    """Return the script of Streamlit that is no page of another, from the folder of the project."""
    pages = [
        project.inside(path)
        for path, module in project.code.items()
        if any(part.value == "streamlit" for part in module.parts) and not _page(project, path)
    ]
    usual = ["app.py", "streamlit_app.py", "main.py", "Home.py", "home.py", "dashboard.py"]
    return min(
        pages,
        key=lambda page: (
            page.count("/"),
            usual.index(posixpath.basename(page)) if posixpath.basename(page) in usual else 9,
            page,
        ),
        default="",
    )


def _page(project: Project, path: str) -> bool:
    return "pages" in path.split("/")[:-1]


def _own(project: Project, service: Service) -> bool:
    """Return whether a service runs the image of the project."""
    if service.build is not None:
        return project.builds(service)
    names = {each.image for each in project.survey.services if each.build is not None and each.image}
    return bool(service.image) and service.image in names


def kind_of(image: str) -> str:
    """Return the service of the template that an image stands for; empty for another."""
    name = image.rpartition("/")[2].split(":")[0] if "/" in image else image.split(":")[0]
    return next((kind for part, kind in IMAGES.items() if part in (name if part != "minio" else image)), "")


def runs_on(line: CommandLine) -> bool:
    """Return whether a command line starts a process that runs on."""
    if line.program == "celery":
        return any(word in ("worker", "beat", "flower") for word in line.words)
    if line.program in ("rq", "rqworker"):
        return line.program == "rqworker" or "worker" in line.words
    if line.program == "streamlit":
        return "run" in line.words
    if line.program == "mlflow":
        return bool({"server", "ui"} & set(line.words)) and line.origin in ("compose", "procfile")
    if line.script.endswith("manage.py"):
        return bool(
            {"qcluster", "rqworker", "run_huey", "rundramatiq", "process_tasks", "celery", "db_worker"}
            & set(line.words)
        )
    return (
        line.program in WORKERS
        or bool(line.script and line.origin in ("compose", "procfile"))
        or (line.origin in ("compose", "procfile") and line.is_python and line.words[1:2] == ("-m",))
    )


def once(line: CommandLine) -> bool:
    """Return whether a command line migrates a database."""
    if line.program == "alembic" or line.words[-2:] == ("db", "upgrade"):
        return "upgrade" in line.words
    return (line.script.endswith("manage.py") and "migrate" in line.words) or (
        line.origin in ("compose", "procfile") and bool(re.search(r"migrat", " ".join(line.words)))
    )


def role_of(line: CommandLine) -> str:
    """Return a name for a process."""
    for word in ("beat", "flower", "worker"):
        if word in line.words:
            return word
    return "app" if line.program in ("streamlit", "chainlit", "panel") else "worker"


def text_of(line: CommandLine) -> str:
    """Return the words of a command line that need no shell."""
    words = list(line.words)
    words[0] = re.sub(r"^python3(\.\d+)?$", "python", words[0])
    kept: list[str] = []
    for word in words:
        if not WORD.fullmatch(word):
            if kept and kept[-1].startswith("-"):
                kept.pop()
            continue
        kept.append(word)
    return " ".join(kept)


def _known(line: CommandLine, processes: dict[str, Any]) -> bool:
    return any(
        str(each["command"]).split()[0] == line.words[0]
        and (role_of(line) in str(each["command"]).split() or line.program == "streamlit")
        for each in processes.values()
    )


def _services(project: Project) -> Finding:
    kinds: dict[str, tuple[Source, Sureness]] = {}
    for service in project.survey.services:
        if kind := kind_of(service.image):
            kinds.setdefault(kind, (service.source, SURE))
    for path in project.repository.named(ENV_FILES):
        for number, line in project.repository.lines(path):
            for pattern, kind in ADDRESSES.items():
                if re.search(pattern, line) and not line.lstrip().startswith("#"):
                    kinds.setdefault(kind, (Source(path, number), LIKELY))
    for kind, names in CLIENTS.items():
        if listed := project.listed(*names):
            kinds.setdefault(kind, (listed.source, LIKELY if kind != "bucket" else GUESS))
    for file in project.dependency_files:
        for each in file.every():
            if each.name in ("celery", "kombu", "dramatiq", "huey") and "redis" in each.extras:
                kinds.setdefault("redis", (each.source, LIKELY))
    order = [kind for kind in ("postgres", "redis", "bucket", "proxy") if kind in kinds]
    worst = max((kinds[kind][1] for kind in order), key=[SURE, LIKELY, GUESS].index, default=LIKELY)
    return Finding("services", order, worst, kinds[order[0]][0] if order else None)
