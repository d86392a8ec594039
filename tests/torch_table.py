"""Compare extensions/torch.yml with what a package registry says about torch: ``python -m tests.torch_table``.

Reads the registry's simple API (JSON or HTML) and the metadata files beside the wheels, never a wheel.
Exits with 0 when nothing differs, 1 when something does, 2 when the registry cannot be read.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

import httpx
import yaml
from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

TABLE = Path(__file__).resolve().parent.parent / "extensions" / "torch.yml"
OLDEST = Version("2.6")
STALE_DAYS = 90
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
LINUX = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}


class Wheel(NamedTuple):
    """A wheel for CPython (with its lock) on Linux x86-64, as the registry lists it."""

    version: Version
    python: str
    build: tuple[Any, ...]
    url: str
    yanked: bool


class Difference(NamedTuple):
    """One thing that the table and the registry do not agree about."""

    release: str
    what: str
    table: str
    registry: str


class Links(HTMLParser):
    """The links of an HTML page of the simple API, in the shape of the JSON one."""

    def __init__(self, page: str) -> None:
        """Read the page."""
        super().__init__()
        self.files: list[dict[str, Any]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a link."""
        found = dict(attrs)
        if tag == "a" and (url := found.get("href")):
            name = unquote(urlsplit(url).path.rpartition("/")[2])
            self.files.append({"filename": name, "url": url, "yanked": "data-yanked" in found})


def default_index() -> str:
    """Return pip's configured index, from its files or the environment, else its built-in one."""
    try:
        from pip._internal.commands import create_command
    except ImportError:
        raise ValueError("pip is not installed here to take the address from: give --index-url") from None
    return str(create_command("install").parser.get_default_values().index_url)


def linux_wheels(files: Iterable[dict[str, Any]], base: str = "") -> list[Wheel]:
    """Return the stable releases' manylinux x86-64 wheels for CPython, without free-threaded ones (cp313t)."""
    wheels = []
    for file in files:
        try:
            _, version, build, tags = parse_wheel_filename(file["filename"])
        except InvalidWheelFilename:
            continue
        for tag in tags:
            match = re.fullmatch(r"cp(\d)(\d+)-cp\1\2-manylinux\w*_x86_64", str(tag))
            if match and not version.is_prerelease:
                python, url = f"{match[1]}.{match[2]}", urljoin(base, file["url"]).partition("#")[0]
                yanked = file.get("yanked", False) is not False
                wheels.append(Wheel(version, python, build, url, yanked))
                break
    return wheels


def cuda_of(requirements: Iterable[str]) -> str | None:
    """Return what a Linux wheel with these requirements was built for (cu126), None where they do not tell.

    Up to 2.10 they pin ``nvidia-cuda-runtime-cu12==12.6.77``, from 2.11 on ``cuda-toolkit[...]==13.0.2``.
    """
    nvidia = False
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate(dict(LINUX)):
            continue
        name = canonicalize_name(requirement.name)
        nvidia = nvidia or name.startswith(("nvidia-", "cuda-"))
        if re.fullmatch(r"cuda-toolkit|nvidia-cuda-runtime(-cu\d+)?", name):
            for pin in requirement.specifier:
                if match := re.match(r"===?(\d+)\.(\d+)", str(pin)):
                    return "cu{}{}".format(*match.groups())
    return None if nvidia else "cpu"


def get(client: httpx.Client, url: str) -> httpx.Response | None:
    """Return the answer for this address, None where there is no such page."""
    response = client.get(url)
    if response.is_server_error:
        raise ValueError(f"the server answers {response.status_code}")
    return response if response.is_success else None


def read_index(client: httpx.Client, index: str) -> list[Wheel]:
    """Torch's wheels on this index."""
    response = get(client, f"{index}/torch/")
    if response is None:
        raise ValueError("no page for torch there")
    is_json = "json" in response.headers.get("content-type", "")
    wheels = linux_wheels(
        response.json().get("files", []) if is_json else Links(response.text).files, str(response.url)
    )
    if not wheels:
        raise ValueError("no Linux x86-64 wheels of torch there")
    return wheels


def read_cuda(client: httpx.Client, index: str, wheels: list[Wheel]) -> str | None:
    """Return what one release's wheels were built for, from the first metadata file: mostly one request.

    Where a mirror has none, the JSON API may tell; it may also describe another platform's wheel, without CUDA.
    """
    for wheel in sorted(wheels, key=lambda wheel: wheel.build, reverse=True):
        response = get(client, f"{wheel.url}.metadata")
        if response and (requirements := parse_email(response.content)[0].get("requires_dist")):
            return cuda_of(requirements)
    version, root = str(wheels[0].version), index.removesuffix("/simple")
    for page in (f"{root}/pypi/torch/{version}/json", f"{root}/pypi/torch/json"):
        if (response := get(client, page)) and (info := response.json()["info"])["version"] == version:
            cuda = cuda_of(info["requires_dist"] or [])
            return None if cuda == "cpu" else cuda
    return None


def by_release(wheels: Iterable[Wheel]) -> dict[str, list[Wheel]]:
    """Return the wheels that were not yanked, by release; a release whose wheels all were has an empty list."""
    releases: dict[str, list[Wheel]] = {}
    for wheel in wheels:
        releases.setdefault(str(wheel.version), []).extend([] if wheel.yanked else [wheel])
    return releases


def newest_patches(releases: dict[str, list[Wheel]]) -> list[str]:
    """Return the newest patch of each minor that the table should know."""
    newest: dict[tuple[int, ...], Version] = {}
    for version in sorted(Version(release) for release, wheels in releases.items() if wheels):
        if version >= OLDEST:
            newest[version.release[:2]] = version
    return [str(version) for version in newest.values()]


def pythons(wheels: Iterable[Wheel]) -> str:
    """Return the CPython versions that these wheels are for."""
    return " ".join(sorted({wheel.python for wheel in wheels}, key=Version))


def compare(
    table: dict[str, Any], releases: dict[str, list[Wheel]], cuda: dict[str, str | None]
) -> Iterator[Difference]:
    """Return the differences between the table and the registry."""
    for release, row in table["releases"].items():
        if not (wheels := releases.get(release)):
            yield Difference(release, "release", "listed", "missing" if wheels is None else "yanked")
            continue
        if (listed := " ".join(row["python"])) != (found := pythons(wheels)):
            yield Difference(release, "python", listed, found)
        if row["default_wheel"] != cuda[release]:
            yield Difference(release, "default_wheel", row["default_wheel"], cuda[release] or "does not say")
    for release in newest_patches(releases):
        if release not in table["releases"]:
            found = f"{cuda[release] or 'CUDA unknown'}, python {pythons(releases[release])}"
            yield Difference(release, "release", "missing", found)


def check(table: dict[str, Any], index: str) -> list[Difference]:
    """Read the registry and compare; at a terminal, count the releases on stderr."""
    with httpx.Client(headers={"Accept": ACCEPT}, timeout=30, follow_redirects=True) as client:
        releases = by_release(read_index(client, index))
        known = dict.fromkeys([*table["releases"], *newest_patches(releases)])
        wanted = [name for name in known if releases.get(name)]
        cuda: dict[str, str | None] = {}
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(partial(read_cuda, client, index), (releases[name] for name in wanted))
            for count, (name, built_for) in enumerate(zip(wanted, found, strict=True), start=1):
                cuda[name] = built_for
                if sys.stderr.isatty():
                    end = "\r\033[K" if count == len(wanted) else ""
                    print(f"\rtorch releases read: {count}/{len(wanted)}", end=end, file=sys.stderr, flush=True)
    return list(compare(table, releases, cuda))


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.torch_table", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--index-url", help="simple API of the registry to ask (the one that pip uses)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    age = (date.today() - table["read"]).days
    if age > STALE_DAYS:
        print(f"warning: the table was read {age} days ago ({table['read']})", file=sys.stderr)
    host = ""
    try:
        index = (options.index_url or default_index()).rstrip("/")
        host = urlsplit(index).netloc.rpartition("@")[2]
        differences = check(table, index)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as problem:
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        print(f"error: cannot read the registry {host}: {reason}", file=sys.stderr)
        return 2
    if options.json:
        found = [difference._asdict() for difference in differences]
        print(
            json.dumps({"index": host, "read_days_ago": age, "releases": len(table["releases"]), "differences": found})
        )
        return int(bool(found))
    if differences:
        rows = [("torch", "what", "table", "registry"), *differences]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  ".join(map(str.ljust, row, widths)).rstrip())
    count = f"{len(differences)} difference{'' if len(differences) == 1 else 's'}"
    print(f"{len(table['releases'])} releases compared with {host}: {count if differences else 'nothing differs'}.")
    return int(bool(differences))


if __name__ == "__main__":
    sys.exit(main())
