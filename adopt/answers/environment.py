"""Answer environment: variables with addresses of PostgreSQL and Redis, as the template's containers reach them."""

import re
from collections.abc import Iterator

from adopt.findings import LIKELY, Finding, Source
from adopt.survey import Project

ENV_FILES = r"\.?(env|dotenv)([._-](example|sample|template|dist|dev|local|test|docker))*|example\.env|env\.example"
POSTGRES = re.compile(r"(postgres(?:ql)?(?:\+\w+)?|postgis)://\S*")
REDIS = re.compile(r"redis://\S*?(/\d+)?(?:[\"'\s]|$)")

HOST = r"(?P<host>HOST|HOSTNAME|SERVER)|(?P<port>PORT)|(?P<password>PASSWORD|PASS)"
PARTS = {
    "postgres": re.compile(
        r"(?P<whose>(?!\w*(MYSQL|MARIA|MONGO|MSSQL))\w*?(DB|DATABASE|POSTGRES|POSTGRESQL|PG|SQL)_?)"
        rf"({HOST}|(?P<user>USER|USERNAME)|(?P<name>NAME|DB|DATABASE))"
    ),
    "redis": re.compile(rf"(?P<whose>\w*?REDIS_?)({HOST})"),
}
"""Names of variables that hold one part of the address of a service."""
VALUES = {
    "postgres": {
        "host": "postgres",
        "port": "5432",
        "password": "{database_password}",
        "user": "app",
        "name": "app",
    },
    "redis": {"host": "redis", "port": "6379", "password": "{broker_password}"},
}


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the variables; the passwords in them stand for the files of secrets."""
    variables: dict[str, str] = {}
    first: Source | None = None
    given = [each for each in named(project) if re.fullmatch(r"[A-Za-z_]\w*", each[0])]
    parts = in_parts({name for name, _, _ in given}, found["services"].value)
    for name, value, source in given:
        if name not in variables and (address := reached(value) or parts.get(name, "")):
            variables[name] = address
            first = first or source
    yield Finding("environment", variables, LIKELY, first)


def in_parts(names: set[str], services: list[str]) -> dict[str, str]:
    """Return the values of variables such as DB_HOST and DB_PASSWORD; those without a host are of something else."""
    found: dict[str, str] = {}
    for service in PARTS.keys() & set(services):
        matches = {name: match for name in names if (match := PARTS[service].fullmatch(name.upper()))}
        whose = {match["whose"] for match in matches.values() if match["host"]}
        for name, match in matches.items():
            if match["whose"] in whose:
                found[name] = next(value for part, value in VALUES[service].items() if match[part])
    return found


def reached(value: str) -> str:
    """Return the address of the same service beside the containers of the template; empty for any other value."""
    if match := POSTGRES.match(value):
        return f"{match[1]}://app:{{database_password}}@postgres/app"
    if match := REDIS.match(value):
        return f"redis://:{{broker_password}}@redis:6379{match[1] or '/0'}"
    return ""


def named(project: Project) -> Iterator[tuple[str, str, Source]]:
    """Yield the variables of compose, of files such as .env.example and of the code, with their values or defaults."""
    for service in project.survey.services:
        if project.builds(service):
            for name, value in service.environment.items():
                default = re.fullmatch(r"\$\{\w+:?-(.*)\}", value)
                yield name, default[1] if default else value, service.source
    for path in project.repository.named(ENV_FILES):
        for number, line in project.repository.lines(path):
            name, equals, value = line.partition("=")
            if equals:
                yield name.removeprefix("export ").strip(), value.strip().strip("\"'"), Source(path, number)
    for path, module in project.code.items():
        for each in module.environment:
            yield each.name, each.value, Source(path, each.line)
