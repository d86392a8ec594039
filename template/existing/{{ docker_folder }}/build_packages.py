"""Run a command that builds distributions from source, and name what they lack: build_packages.py COMMAND...

Prints the output of the command. If it fails because a distribution lacks a program or a library, ends with one line
that names the Debian package for build-packages.txt.
"""

import re
import subprocess
import sys
from collections import deque
from pathlib import Path

LIST = f"{Path(__file__).resolve().parent.name}/build-packages.txt"
MAX_LINES = 5000
"""Maximum length of the output in which the reason is searched, from its end."""

SIGNS = {
    r"pg_config executable not found|libpq-fe\.h": "libpq-dev",
    r"mysql_config|Can not find valid pkg-config name|mysql\.h": "default-libmysqlclient-dev pkg-config",
    r"gfortran|Fortran compiler": "gfortran",
    r"(?i)can't find rust compiler|cargo, the rust package manager|'(cargo|rustc)'": "cargo",
    r"(?i)cmake must be installed|could not find cmake|no such file or directory: '?cmake|cmake: not found": "cmake",
    r"(?i)pkg-config: not found|did not find pkg-config|no such file or directory: '?pkg-config": "pkg-config",
    r"(?i)no such file or directory: '?swig|swig: not found|unable to execute 'swig'": "swig",
    r"'?[\w./-]*\b(gcc|cc|g\+\+|c\+\+|make|ninja)'? failed: No such file|Unknown compiler|No CMAKE_CXX?_COMPILER"
    r"|no acceptable C compiler|[Nn]o such file or directory: '(gcc|cc|g\+\+|c\+\+|make)'"
    r"|(gcc|g\+\+|cc|make): not found"
    r"|[Uu]nable to find (a )?compiler|fatal error: (assert|limits|stdio|stdlib|string)\.h": "build-essential",
}
"""What a build prints that lacks a program -> the Debian packages that have it."""

HEADERS = {
    "bzlib.h": "libbz2-dev",
    "curl/": "libcurl4-openssl-dev",
    "Eigen/": "libeigen3-dev",
    "ffi.h": "libffi-dev",
    "fftw3.h": "libfftw3-dev",
    "freetype": "libfreetype-dev",
    "gdal": "libgdal-dev",
    "geos_c.h": "libgeos-dev",
    "gmp.h": "libgmp-dev",
    "graphviz/": "libgraphviz-dev",
    "hdf5.h": "libhdf5-dev",
    "jpeglib.h": "libjpeg-dev",
    "krb5": "libkrb5-dev",
    "lber.h": "libldap-dev",
    "ldap.h": "libldap-dev",
    "libxml/": "libxml2-dev",
    "libxslt/": "libxslt1-dev",
    "lzma.h": "liblzma-dev",
    "mpi.h": "libopenmpi-dev",
    "mpfr.h": "libmpfr-dev",
    "openssl/": "libssl-dev",
    "portaudio.h": "portaudio19-dev",
    "proj": "libproj-dev",
    "sasl/": "libsasl2-dev",
    "snappy": "libsnappy-dev",
    "sndfile.h": "libsndfile1-dev",
    "sql.h": "unixodbc-dev",
    "sqlite3.h": "libsqlite3-dev",
    "yaml.h": "libyaml-dev",
    "zlib.h": "zlib1g-dev",
}
"""Start of the path of a header -> the Debian package that has it."""


def needed(output: str) -> list[str]:
    """Return the Debian packages, as far as known, that a build lacked by its output."""
    packages = [found for sign, found in SIGNS.items() if re.search(sign, output)][:1]
    headers = re.findall(r"fatal error: ([\w./+-]+): No such file", output)
    known = [found for header in headers for start, found in HEADERS.items() if header.startswith(start)]
    unknown = [f"the package that has {header}" for header in headers if not header.startswith(tuple(HEADERS))]
    linked = [f"lib{name}-dev" for name in re.findall(r"cannot find -l([\w.+-]+)", output)]
    return [*dict.fromkeys([*packages, *known, *linked])] or unknown[:1]


def missing(output: str) -> str:
    """Return one line that says what to add for the distribution that failed to build; empty if none did."""
    failed = re.search(r"Failed to (?:download and )?build `?([^\s`@=]+)|Building wheel for (\S+).*error", output)
    if not failed and "Call to `" not in output and "build backend" not in output:
        return ""
    who = f"{failed[1] or failed[2]} is" if failed else "a distribution is"
    if found := needed(output):
        return f"{who} built from source: add {' and '.join(found)} to {LIST}"
    return f"{who} built from source: if the output names a missing program or header, add its package to {LIST}"


def main(command: list[str]) -> None:
    """Run the command; exit with its code."""
    lines: deque[str] = deque(maxlen=MAX_LINES)
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace") as process:
        for line in process.stderr or ():
            sys.stderr.write(line)
            lines.append(line)
    if process.returncode and (what := missing("".join(lines))):
        print(f"build: {what}", file=sys.stderr)
    sys.exit(process.returncode)


if __name__ == "__main__":
    main(sys.argv[1:])
