"""Small packages whose build reads more than the package: files beside it, Git, and programs of their own."""

import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.program import run
from tests.releases import commit, git

SCM = 'dynamic = ["version"]\n'


def pyproject(requires: str, project: str, more: str = "", backend: str = "setuptools.build_meta") -> str:
    """Return a pyproject.toml."""
    build = f'[build-system]\nrequires = [{requires}]\nbuild-backend = "{backend}"\n'
    return f'{build}\n[project]\nname = "our-pkg"\n{project}\n{more}'


@dataclass(frozen=True)
class Package:
    """A repository that holds one package."""

    files: dict[str, str]
    tag: str = ""
    """A tag of the first commit, which the version comes from; empty if a file states the version."""
    version: str = "1.0"
    """The version of the wheel at the first commit."""
    holds: list[str] = field(default_factory=list)
    """Files that the wheel must hold beside our_pkg/__init__.py."""
    with_commit: str = ""
    """A file of the wheel that holds the commit and its date, which are not in the build context."""
    folder: str = ""
    """The folder of the package in the repository."""
    later: bool = False
    """Whether the version after the tag is that of setuptools-scm, which a build from `git describe` can give."""

    def write(self, folder: Path) -> Path:
        """Write the repository, and commit and tag it."""
        for name, content in {f"{self.folder}{name}": text for name, text in self.files.items()}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        git(folder, "init", "--quiet")
        git(folder, "add", "--force", "--all")
        commit(folder, "Theirs", *([self.tag] if self.tag else []))
        return folder


HOOK = """
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        words = Path(self.root, "tools/words.txt").read_text()
        Path(self.root, "our_pkg/words.py").write_text(f"WORDS = {words.split()}")
        build_data["artifacts"].append("our_pkg/words.py")
"""

SETUP = """
from pathlib import Path

from setuptools import setup

here = Path(__file__).parent
setup(
    name="our-pkg",
    version=(here / "our_pkg/VERSION").read_text().strip(),
    long_description=(here / "docs/long.rst").read_text(),
    packages=["our_pkg"],
    install_requires=(here / "requirements.txt").read_text().split(),
    package_data={"our_pkg": ["VERSION"]},
)
"""

INIT = {"our_pkg/__init__.py": ""}
SRC = {"src/our_pkg/__init__.py": "", "src/our_pkg/table.csv": "a,b\n", ".gitignore": "_version.py\n*.csv\n"}

PACKAGES = {
    "manifest": Package(
        {
            "pyproject.toml": pyproject(
                '"setuptools"',
                'dynamic = ["version"]\nreadme = "docs/README.md"\nlicense = "MIT"\nlicense-files = ["legal/*.txt"]',
                '[tool.setuptools]\npackages = ["our_pkg"]\n[tool.setuptools.dynamic]\nversion = {file = "VERSION"}\n',
            ),
            "MANIFEST.in": "recursive-include our_pkg *.json\n",
            "VERSION": "1.0\n",
            "docs/README.md": "# Read me\n",
            "legal/MIT.txt": "You may.\n",
            "our_pkg/data/deep/labels.json": "{}\n",
            **INIT,
        },
        holds=["our_pkg/data/deep/labels.json", "our_pkg-1.0.dist-info/licenses/legal/MIT.txt"],
    ),
    "setup.py": Package(
        {
            "setup.py": SETUP,
            "requirements.txt": "six>=1\n",
            "docs/long.rst": "Long\n====\n",
            "our_pkg/VERSION": "1.0",
            **INIT,
        },
        holds=["our_pkg/VERSION"],
    ),
    "flat": Package(
        {
            "pyproject.toml": pyproject(
                '"setuptools"',
                'version = "1.0"\ndynamic = ["dependencies"]',
                '[tool.setuptools.dynamic]\ndependencies = {file = ["requirements/base.txt"]}\n',
            ),
            "requirements/base.txt": "six>=1\n",
            **INIT,
        }
    ),
    "setuptools-scm": Package(
        {
            "pyproject.toml": pyproject(
                '"setuptools>=64", "setuptools-scm>=8"',
                SCM,
                '[tool.setuptools_scm]\nversion_file = "src/our_pkg/_version.py"\n',
            ),
            **SRC,
        },
        tag="v1.2.3",
        version="1.2.3",
        holds=["our_pkg/_version.py", "our_pkg/table.csv"],
        later=True,
    ),
    "setup.cfg": Package(
        {
            "setup.py": "from setuptools import setup\nsetup(use_scm_version=True)\n",
            "setup.cfg": "[metadata]\nname = our-pkg\n[options]\npackages = our_pkg\n",
            "pyproject.toml": '[build-system]\nrequires = ["setuptools", "setuptools-scm"]\n'
            'build-backend = "setuptools.build_meta"\n',
            **INIT,
        },
        tag="our-pkg-1.2.3rc1",
        version="1.2.3rc1",
        later=True,
    ),
    "hatch-vcs": Package(
        {
            "pyproject.toml": pyproject(
                '"hatchling", "hatch-vcs"',
                SCM + 'readme = "README.rst"',
                '[tool.hatch.version]\nsource = "vcs"\n'
                '[tool.hatch.build.hooks.vcs]\nversion-file = "our_pkg/version.py"\n'
                '[tool.hatch.build.targets.wheel.force-include]\n"config/defaults.yaml" = "our_pkg/defaults.yaml"\n',
                "hatchling.build",
            ),
            "README.rst": "Read me\n",
            "config/defaults.yaml": "a: 1\n",
            "our_pkg/__init__.py": "",
        },
        tag="v1.2.3",
        version="1.2.3",
        holds=["our_pkg/defaults.yaml", "our_pkg/version.py"],
        later=True,
    ),
    "build hook": Package(
        {
            "pyproject.toml": pyproject(
                '"hatchling"', 'version = "1.0"', "[tool.hatch.build.hooks.custom]\n", "hatchling.build"
            ),
            "hatch_build.py": HOOK,
            "tools/words.txt": "one two\n",
            "our_pkg/__init__.py": "",
            "our_pkg/notes.tmp": "",
            ".gitignore": "*.tmp\nwords.py\n",
        },
        holds=["our_pkg/words.py"],
        folder="backend/",
    ),
    "pdm": Package(
        {
            "pyproject.toml": pyproject('"pdm-backend"', SCM, '[tool.pdm.version]\nsource = "scm"\n', "pdm.backend"),
            **INIT,
        },
        tag="v1.2.3",
        version="1.2.3",
        later=True,
    ),
    "poetry": Package(
        {
            "pyproject.toml": '[tool.poetry]\nname = "our-pkg"\nversion = "0.0.0"\ndescription = ""\nauthors = []\n'
            'packages = [{include = "our_pkg"}]\n[tool.poetry-dynamic-versioning]\nenable = true\n[build-system]\n'
            'requires = ["poetry-core", "poetry-dynamic-versioning>=1,<2"]\n'
            'build-backend = "poetry_dynamic_versioning.backend"\n',
            "our_pkg/table.csv": "a,b\n",
            ".gitignore": "*.csv\n",
            **INIT,
        },
        tag="v1.2.3",
        version="1.2.3",
        holds=["our_pkg/table.csv"],
    ),
    "uv": Package(
        {
            "pyproject.toml": pyproject(
                '"hatchling", "uv-dynamic-versioning"',
                SCM,
                '[tool.hatch.version]\nsource = "uv-dynamic-versioning"\n',
                "hatchling.build",
            ),
            **INIT,
        },
        tag="v1.2.3",
        version="1.2.3",
    ),
    "versioneer": Package(
        {
            "pyproject.toml": pyproject(
                '"setuptools", "versioneer[toml]"',
                SCM,
                '[tool.versioneer]\nVCS = "git"\nstyle = "pep440"\nversionfile_source = "our_pkg/_version.py"\n'
                'versionfile_build = "our_pkg/_version.py"\ntag_prefix = "v"\n',
            ),
            "setup.py": "import versioneer\nfrom setuptools import setup\n"
            "setup(version=versioneer.get_version(), cmdclass=versioneer.get_cmdclass(), packages=['our_pkg'])\n",
            **INIT,
        },
        tag="v1.2.3",
        version="1.2.3",
        holds=["our_pkg/_version.py"],
        with_commit="our_pkg/_version.py",
    ),
    "versioningit": Package(
        {"pyproject.toml": pyproject('"setuptools", "versioningit"', SCM, "[tool.versioningit]\n"), **INIT},
        tag="v1.2.3",
        version="1.2.3",
    ),
}
"""What the version and the files of a wheel can come from."""


def own_wheel(repository: Path, package: Package, folder: Path) -> Path:
    """Return the wheel that the build of a repository gives in a fresh clone."""
    clone, out = folder / "clone", folder / "own"
    git(folder, "clone", "--quiet", repository, clone)
    built = run(["uv", "build", "--wheel", "--out-dir", out], cwd=clone / package.folder)
    assert built.returncode == 0, built.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, str]:
    """Return the digest of each file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {each: hashlib.sha256(archive.read(each)).hexdigest() for each in archive.namelist()}
