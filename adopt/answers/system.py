"""System packages, for running and for building: of requirements, and of apt-get lines of Dockerfiles."""

import re
from collections.abc import Iterator

from adopt import tables
from adopt.findings import LIKELY, Finding, Source
from adopt.survey import Project

NEEDS = tables.read("system")
RENAMED = {
    "libgl1-mesa-glx": "libgl1",
    "libglib2.0-0": "libglib2.0-0t64",
    "libmagic1": "libmagic1t64",
    "mysql-client": "default-mysql-client",
}
"""Names of earlier Debian and Ubuntu releases."""
NOT_NEEDED = re.compile(
    r"curl|wget|ca-certificates|gnupg2?|vim|nano|less|htop|tree|unzip|zip|sudo|tini|dumb-init|apt-transport-https|locales|"
    r"software-properties-common|python3?(\.\d+)?(-.*)?|nvidia-.*|cuda-.*|libcudnn.*|procps|netcat.*|tzdata|bash|jq|nginx|supervisor|cron|lsb-release|openssh-client|iputils-ping"
)
"""Packages that a Dockerfile installs for itself or for people, or that the image has."""
FOR_BUILDS = re.compile(
    r"gcc|g\+\+|build-essential|make|cmake|ninja-build|clang|pkg-config|pkgconf|gfortran|rustc|cargo|swig|.*-dev|autoconf|automake|libtool|git"
)


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the packages that images need to run, and those that builds need."""
    run: dict[str, Source] = {}
    build: dict[str, Source] = {}
    for file in project.dependency_files:
        for each in file.every():
            needs = NEEDS.get(each.name, {})
            if each.name == "psycopg" and not each.extras & {"binary", "c"} and not project.listed("psycopg-binary"):
                needs = {"run": ["libpq5"]}
            elif (each.name == "psycopg" and "c" in each.extras) or each.name == "psycopg-c":
                needs = NEEDS["psycopg2"]
            for packages, kind in ((run, "run"), (build, "build")):
                for name in needs.get(kind, []):
                    packages.setdefault(name, each.source)
    for path in project.files:
        if path.endswith((".c", ".cpp", ".pyx")) and any(
            file.kind in ("setup", "pyproject") for file in project.dependency_files
        ):
            build.setdefault("g++" if path.endswith(".cpp") else "gcc", Source(path))
            break
    for file in project.survey.dockerfiles:
        if project.holds(file.path):
            for name, source in file.system_packages:
                if not NOT_NEEDED.fullmatch(name):
                    (build if FOR_BUILDS.fullmatch(name) else run).setdefault(RENAMED.get(name, name), source)
    for path in project.repository.named(r"[Aa]ptfile|packages\.txt|apt\.txt"):
        if not path.startswith("docker/"):
            for number, line in project.repository.lines(path):
                if re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name := line.strip()):
                    (build if FOR_BUILDS.fullmatch(name) else run).setdefault(
                        RENAMED.get(name, name), Source(path, number)
                    )
    if "gcc" in build and not {"g++", "build-essential"} & build.keys():
        build.setdefault("libc6-dev", build["gcc"])  # the headers of C, which gcc merely recommends
    for answer, packages in (("system_packages", run), ("build_packages", build)):
        yield Finding(answer, list(packages), LIKELY, next(iter(packages.values()), None))
