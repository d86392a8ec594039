"""Update this project to the newest release of its template, Slipway.

    make update                                    # existing code: python3 docker/update.py
    make update ARGS="--dry-run"                   # show what would change
    make update ARGS="--data training=manual"      # change an answer too

Options that are not listed below are passed on to `copier update`.

Exit codes: 0 updated, or nothing to do; 1 refused, and nothing was changed; 2 wrong options; 3 files have conflicts;
4 the update is in place, but locking or the tests failed; 5 Copier failed half-way; 130 interrupted.
"""

import argparse
import fnmatch
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

YOURS = (
    "README.md",
    "services.yml",
    "docker/packages.txt",
    "docker/build-packages.txt",
    "slipway/packages.txt",
    "slipway/build-packages.txt",
    "src/*/settings.py",
    "src/*/model.py",
    "src/*/ratings.py",
    "src/*/schemas.py",
    "src/*/routes.py",
    "src/*/job_types.py",
    "src/*/training_task.py",
    "src/*/training.yaml",
    "src/*/commands/*",
    "deploy/kubernetes/overlays/*",
    "docker/kubernetes/overlays/*",
    "slipway/kubernetes/overlays/*",
    "tests/example.py",
    "tests/test_model.py",
    "tests/test_routes.py",
    "tests/test_job_types.py",
    "eslint.config.js",
    "index.html",
    "package.json",
    "public/*",
    "src/*.css",
    "src/*.ts",
    "src/*.tsx",
    "tsconfig.json",
    "vite.config.ts",
)
"""The owner's files, which updates do not change."""

NEEDED_BY_NOTHING = ("README.md", "tests/test_*.py")
"""Those of the owner's files that no other file needs: once deleted, they stay deleted."""

WITHOUT_PACKAGE = ("existing", "frontend")
"""Presets that make no Python package: `make lock test` is no command there."""

OLDEST_RELEASE = (0, 2)
"""Projects of an older release cannot be updated."""

UNDO = "git reset --hard && git clean -fd"
MAX_BACKUP_BYTES = 1_000_000

UPDATED, REFUSED, CONFLICTS, CHECKS_FAILED, COPIER_FAILED, INTERRUPTED = 0, 1, 3, 4, 5, 130


class UpdateError(Exception):
    """The update cannot go on; its message is one line that says what to do."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        """Keep the exit code of the program."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Answers:
    """The answers file of a project."""

    path: Path
    text: str

    @property
    def body(self) -> list[str]:
        """Return its lines without the comments."""
        return [line for line in self.text.splitlines() if line.strip() and not line.startswith("#")]

    @property
    def values(self) -> dict[str, str]:
        """Return each answer as text; of a list or a mapping, its lines."""
        found: dict[str, str] = {}
        name = ""
        for line in self.body:
            top = re.match(r"([A-Za-z_]\w*):(?: (.*))?$", line)
            if top:
                name = top[1]
                found[name] = _unquoted(top[2] or "")
            elif name and re.match(r"[ -]", line):
                found[name] += f"\n{line}"
            else:
                number = self.text.splitlines().index(line) + 1
                raise UpdateError(f"line {number} of {self.path.name} is not an answer: {line!r}; {self.remedy}")
        return found

    @property
    def is_intact(self) -> bool:
        """Return whether Copier wrote these answers; their checksum leaves out what an owner may change by hand."""
        noted = re.search(r"^# Checksum: ([0-9a-f]+)$", self.text, re.MULTILINE)
        kept: list[str] = []
        skipped = False
        for line in self.body:
            if not re.match(r"[ -]", line):
                skipped = line.startswith(("_src_path:", "package_name:"))
            if not skipped:
                kept.append(f"{line}\n")
        return noted is not None and noted[1] == hashlib.sha256("".join(kept).encode()).hexdigest()

    @property
    def remedy(self) -> str:
        """Return how to get back the answers that Copier wrote last."""
        revision = _last_intact(self.path)
        source = f"git checkout {revision[:10]} -- {self.path.name}" if revision else "a backup"
        return f"restore the file with: {source}; commit it and update again"


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    return value.strip('"')


def _last_intact(path: Path) -> str:
    """Return the last commit whose answers file is as Copier wrote it, or nothing."""
    for revision in output(["git", "log", "--format=%H", "--", path.name], path.parent).split():
        shown = attempt(["git", "show", f"{revision}:./{path.name}"], path.parent)
        if shown.returncode == 0 and Answers(path, shown.stdout).is_intact:
            return revision
    return ""


@dataclass
class Changes:
    """Changes that an update made to the files of a project."""

    conflicts: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    stays_deleted: list[str] = field(default_factory=list)
    kept_ignored: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return them as lines of Markdown."""
        yours = [name for name in self.deleted if is_yours(name)]
        parts = [
            ("Conflicts, for you to solve", self.conflicts),
            ("Deleted, and they were yours; `git show HEAD:FILE` has them", yours),
            ("Deleted", [name for name in self.deleted if name not in yours]),
            ("Added", self.added),
            ("Deleted by you earlier, and left out again", self.stays_deleted),
            ("Not taken from the release, because Git ignores your file of that name", self.kept_ignored),
        ]
        found = [f"Files: {len(self.modified)} changed, {len(self.added)} added, {len(self.deleted)} deleted."]
        for title, files in parts:
            if files:
                found += ["", f"{title}:", "", *[f"- {name}" for name in files]]
        return found


def is_yours(name: str, patterns: tuple[str, ...] = YOURS) -> bool:
    """Return whether a file is the owner's. A star stands for a part of one name, or at the end of all of a folder."""
    return any(_matches(name.split("/"), pattern.split("/")) for pattern in patterns)


def _matches(names: list[str], patterns: list[str]) -> bool:
    if patterns[-1] == "*":
        names = names[: len(patterns)]
    if len(names) != len(patterns):
        return False
    return all(fnmatch.fnmatch(name, pattern) for name, pattern in zip(names, patterns, strict=True))


# Programs


def attempt(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program without a terminal and return what it wrote; after Ctrl-C, wait until it has ended."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, text=True, env={**os.environ, **environment}, **pipes) as process:
        try:
            out, err = process.communicate(timeout=None)
        except KeyboardInterrupt:
            process.communicate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def output(command: list[str], folder: Path) -> str:
    """Return what a program printed, or nothing where it failed."""
    done = attempt(command, folder)
    return done.stdout if done.returncode == 0 else ""


def shown(command: list[str], folder: Path) -> int:
    """Run a program at the terminal and return its exit code."""
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def names(command: list[str], folder: Path) -> list[str]:
    """Return the file names that a Git command prints with -z."""
    return sorted(set(filter(None, output(command, folder).split("\0"))))


def last_line(text: str) -> str:
    """Return the last line that is not blank."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def some(found: list[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def copier_command() -> list[str]:
    """Return the command line that starts Copier."""
    if shutil.which("copier"):
        return ["copier"]
    if shutil.which("uvx"):
        return ["uvx", "copier"]
    if shutil.which("pipx"):
        return ["pipx", "run", "copier"]
    raise UpdateError("copier is not installed: install it with `pipx install copier`, and update again")


# Checks, which change nothing


def project_folder() -> Path:
    """Return the folder of the project: the one that holds the folder of this file."""
    folder = Path(__file__).resolve().parent.parent
    if not shutil.which("git"):
        raise UpdateError("git is not installed: install it, and update again")
    if attempt(["git", "rev-parse", "--show-toplevel"], folder).returncode:
        raise UpdateError(f"{folder} is in no Git repository: run `git init`, commit everything, and update again")
    if attempt(["git", "rev-parse", "--verify", "HEAD"], folder).returncode:
        raise UpdateError("nothing is committed yet: commit everything, and update again")
    return folder


def check_tree(folder: Path) -> None:
    """Raise UpdateError where an update could mix with other changes."""
    if unmerged := names(["git", "diff", "--name-only", "--diff-filter=U", "-z"], folder):
        raise UpdateError(f"an earlier merge or update left conflicts in {some(unmerged)}: solve and commit them first")
    marked = names(["git", "grep", "-lzE", "^<{7} before updating"], folder)
    if marked:
        raise UpdateError(f"conflict markers of an earlier update are in {some(marked)}: solve and commit them first")
    if dirty := [line[3:] for line in output(["git", "status", "--porcelain"], folder).splitlines()]:
        raise UpdateError(f"uncommitted changes in {some(dirty)}: commit or stash them (`git stash -u`) first")


def read_answers(folder: Path, name: str) -> Answers:
    """Return the answers of the project; raise UpdateError unless they are as Copier wrote them."""
    path = folder / name
    try:
        answers = Answers(path, path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        deleted = Answers(path, "")
        raise UpdateError(f"{name} is missing, and Copier needs it; {deleted.remedy}") from None
    except UnicodeDecodeError:
        raise UpdateError(f"{name} is not UTF-8; {Answers(path, '').remedy}") from None
    values = answers.values
    missing = [key for key in ("_commit", "_src_path", "preset") if not values.get(key)]
    if values.get("preset") not in WITHOUT_PACKAGE and not values.get("package_name"):
        missing.append("package_name")
    if missing:
        raise UpdateError(f"{name} lacks {some(missing)}; {answers.remedy}")
    return answers


def check_release(answers: Answers) -> None:
    """Raise UpdateError for a project that is too old, or for answers that somebody edited."""
    commit = answers.values["_commit"]
    release = version(commit)
    if release and release < OLDEST_RELEASE:
        oldest = ".".join(map(str, OLDEST_RELEASE))
        raise UpdateError(
            f"this project is of Slipway {commit}, and only projects since {oldest} can be updated: "
            "make a new project and move your code into it"
        )
    if answers.is_intact:
        return
    revision = _last_intact(answers.path)
    before = output(["git", "show", f"{revision}:./{answers.path.name}"], answers.path.parent)
    old, new = Answers(answers.path, before).values, answers.values
    edited = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)) if revision else []
    what = f"{answers.path.name} was edited by hand{f' ({some(edited)})' if edited else ''}"
    raise UpdateError(f'{what}; {answers.remedy}, with your answers as ARGS="--data NAME=VALUE"')


def check_package(folder: Path, answers: Answers, options: list[str]) -> None:
    """Raise UpdateError unless the package is where the answers say."""
    package = answers.values.get("package_name")
    if answers.values["preset"] in WITHOUT_PACKAGE or not package:
        return
    name = answers.path.name
    given = [option.partition("package_name=")[2] for option in options if "package_name=" in option]
    if given and given[-1] != package:
        raise UpdateError(
            f"--data does not rename a package, your edits would be lost: run `git mv src/{package} src/{given[-1]}`, "
            f"change your imports, write `package_name: {given[-1]}` into {name}, commit, and update again"
        )
    if (folder / "src" / package).is_dir():
        return
    others = sorted(path.parent.name for path in (folder / "src").glob("*/base_settings.py"))
    if others:
        raise UpdateError(
            f"{name} says that the package is src/{package}, but it is src/{others[0]}: "
            f"write `package_name: {others[0]}` into {name}, commit, and update again"
        )
    raise UpdateError(f"the package src/{package} of {name} is missing: restore the folder, commit, and update again")


# The template


def version(release: str) -> tuple[int, ...]:
    """Return the numbers of a release such as v1.2.0 or v1.2.0-3-g1a2b3c4; of other names, nothing."""
    found = re.match(r"v?(\d+(?:\.\d+)+)(?=$|[^0-9A-Za-z]|[a-z]+\d)", release)
    return tuple(map(int, found[1].split("."))) if found else ()


def is_final(release: str) -> bool:
    """Return whether the name is that of a release which is no preview."""
    return re.fullmatch(r"v?\d+(\.\d+)+", release) is not None


def source(answers: Answers) -> str:
    """Return the template's address as Git understands it."""
    given = answers.values["_src_path"]
    for short, address in (("gh:", "https://github.com/"), ("gl:", "https://gitlab.com/")):
        if given.startswith(short):
            return f"{address}{given.removeprefix(short).removesuffix('.git')}.git"
    given = given.removeprefix("git+")
    if "://" in given or re.match(r"[^/\\]+@[^/\\]+:", given):
        return given
    return str((answers.path.parent / Path(given).expanduser()).resolve())


@contextmanager
def cloned(answers: Answers) -> Iterator[Path]:
    """Clone the template into a temporary folder; raise UpdateError where it cannot be reached."""
    address = source(answers)
    given = answers.values["_src_path"]
    with tempfile.TemporaryDirectory(prefix="slipway-update-") as folder:
        command = ["git", "clone", "--quiet", "--bare", address, "template"]
        done = attempt(command, Path(folder), GIT_TERMINAL_PROMPT="0")
        if done.returncode:
            why = "there is no such folder" if address.startswith("/") and not Path(address).exists() else ""
            raise UpdateError(
                f"the template cannot be read at {given} ({why or last_line(done.stderr)}): "
                f"if it has moved, write its new address into {answers.path.name} as _src_path, commit, and try again"
            )
        yield Path(folder) / "template"


def has_commit(template: Path, name: str) -> bool:
    """Return whether the template has a commit of that name."""
    return attempt(["git", "rev-parse", "--quiet", "--verify", name + "^{commit}"], template).returncode == 0


def is_same_commit(template: Path, one: str, other: str) -> bool:
    """Return whether two names are those of the same commit, as HEAD and the last commit of a template without tags."""
    first, second = (output(["git", "rev-parse", name + "^{commit}"], template) for name in (one, other))
    return first == second != ""


def target_release(template: Path, answers: Answers, wanted: str) -> str:
    """Return the release to update to: the one that was asked for, or else the newest one."""
    commit = answers.values["_commit"]
    if not has_commit(template, commit):
        raise UpdateError(
            f"the template at {answers.values['_src_path']} has no {commit}, which this project was made from: "
            f"push that commit there, or write an address that has it into {answers.path.name} as _src_path"
        )
    if wanted == ":current:":
        return commit
    if wanted:
        if not has_commit(template, wanted):
            raise UpdateError(f"the template has no release {wanted}: name another one with --vcs-ref")
        return wanted
    finals = [tag for tag in output(["git", "tag"], template).split() if is_final(tag)]
    newest = max(finals, key=version, default="HEAD")
    if newest != "HEAD" and version(newest) < version(commit):
        raise UpdateError(f"the newest release, {newest}, is older than this project's {commit}: wait for the next one")
    return newest


def changelog(template: Path, before: str, after: str) -> str:
    """Return the entries of the changelog that are newer than the one release and not newer than the other."""
    text = output(["git", "show", f"{after}:CHANGELOG.md"], template)
    entries = []
    for entry in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]:
        release = version(entry.removeprefix("## ").lstrip("["))
        if version(before) < release and (not is_final(after) or release <= version(after)):
            entries.append(entry.strip())
    return "\n\n".join(entries)


# The update


@contextmanager
def ignored_files_kept(folder: Path, changes: Changes) -> Iterator[None]:
    """Restore files that Git ignores where the update overwrote them: nothing else could bring them back."""
    status = output(["git", "status", "--porcelain", "--ignored", "-z", "."], folder).split("\0")
    top = Path(output(["git", "rev-parse", "--show-toplevel"], folder).strip())
    found = [top / line[3:] for line in status if line.startswith("!! ") and not line.endswith("/")]
    before = {path: path.read_bytes() for path in found if path.is_file() and path.stat().st_size <= MAX_BACKUP_BYTES}
    try:
        yield
    finally:
        for path, content in before.items():
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                changes.kept_ignored.append(str(path.relative_to(folder)))


def run_copier(folder: Path, release: str, options: list[str]) -> Changes:
    """Run `copier update` and return what it changed."""
    changes = Changes()
    reference = [] if release == "HEAD" else [f"--vcs-ref={release}"]
    command = [*copier_command(), "update", "--quiet", *reference, *options]
    with ignored_files_kept(folder, changes):
        if "--defaults" in options:
            done = attempt(command, folder)
            code, said = done.returncode, last_line(done.stderr)
        else:
            code, said = shown(command, folder), "see above"
    if code:
        if output(["git", "status", "--porcelain"], folder):
            raise UpdateError(f"Copier failed half-way ({said}); undo it with: {UNDO}", COPIER_FAILED)
        raise UpdateError(f"Copier refused the update, and nothing was changed: {said}")
    changes.conflicts = names(["git", "diff", "--relative", "--name-only", "--diff-filter=U", "-z"], folder)
    changes.deleted = names(["git", "diff", "--relative", "--name-only", "--diff-filter=D", "-z", "HEAD"], folder)
    modified = names(["git", "diff", "--relative", "--name-only", "--diff-filter=MT", "-z", "HEAD"], folder)
    changes.modified = [name for name in modified if name not in changes.conflicts]
    for name in names(["git", "ls-files", "--others", "--exclude-standard", "-z"], folder):
        if was_deleted_by_owner(folder, name):
            (folder / name).unlink()
            changes.stays_deleted.append(name)
        else:
            changes.added.append(name)
    return changes


def was_deleted_by_owner(folder: Path, name: str) -> bool:
    """Return whether the owner, and no update, deleted one of the owner's files that nothing needs."""
    if not is_yours(name, NEEDED_BY_NOTHING) or not is_yours(name):
        return False
    revision = output(["git", "log", "-1", "--diff-filter=D", "--format=%H", "--", name], folder).strip()
    if not revision:
        return False
    # An update that deletes files with a part that is switched off changes the answers in the same commit.
    touched = output(["git", "show", "--format=", "--relative", "--name-only", revision], folder).splitlines()
    return not any(each.startswith(".copier-answers") for each in touched)


def dry_run(folder: Path, answers: Answers, release: str, options: list[str]) -> Changes:
    """Update a temporary clone of the project, show the differences, and return what changed there."""
    prefix = output(["git", "rev-parse", "--show-prefix"], folder).strip()
    top = output(["git", "rev-parse", "--show-toplevel"], folder).strip()
    with tempfile.TemporaryDirectory(prefix="slipway-dry-run-") as temporary:
        done = attempt(["git", "clone", "--quiet", top, "project"], Path(temporary))
        if done.returncode:
            raise UpdateError(f"the project cannot be cloned into a temporary folder: {last_line(done.stderr)}")
        clone = Path(temporary) / "project" / prefix
        copy = clone / answers.path.name
        # A relative address would lead elsewhere from the clone.
        text = re.sub(r"^_src_path: .*$", f"_src_path: {source(answers)}", answers.text, flags=re.MULTILINE)
        if text != answers.text and not re.match(r"\w\w:", answers.values["_src_path"]):
            copy.write_text(text, "utf-8")
            identity = ["-c", "user.name=Slipway", "-c", "user.email=slipway@localhost", "-c", "commit.gpgsign=false"]
            attempt(["git", *identity, "commit", "--quiet", "--no-verify", "--all", "--message=Dry run"], clone)
        changes = run_copier(clone, release, options)
        attempt(["git", "add", "--intent-to-add", "."], clone)
        sys.stdout.flush()
        shown(["git", "--no-pager", "diff", "--stat", "HEAD"], clone)
    return changes


def lock_and_test(folder: Path, changes: Changes, options: argparse.Namespace) -> str:
    """Run `make lock` where dependencies changed, and `make test`; return the command that failed, or nothing."""
    changed = {"pyproject.toml", "torch-constraints.txt", ".python-version"} & {*changes.modified, *changes.added}
    commands = []
    if changed and options.lock:
        commands.append(["make", "lock"])
    if options.test:
        commands.append(["make", "test"])
    for command in commands:
        print(f"\n$ {shlex.join(command)}", flush=True)
        if shown(command, folder):
            return shlex.join(command)
    return ""


def write_report(path: Path, title: str, entries: str, changes: Changes, failed: str) -> None:
    """Write what the update did as Markdown, for a pull request."""
    outcome = f"`{failed}` failed." if failed else ""
    parts = [title, outcome, entries.replace("\n## ", "\n### ").removeprefix("#"), "\n".join(changes.lines())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(filter(None, parts)) + "\n", "utf-8")


def parsed(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of this program, and those of `copier update`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("-n", "--dry-run", "--pretend", action="store_true", help="show what would change")
    parser.add_argument("-r", "--vcs-ref", default="", help="another release than the newest; :current: for none")
    parser.add_argument("-a", "--answers-file", default=".copier-answers.yml", help="where the answers are")
    parser.add_argument("--ask", action="store_true", help="ask the questions again, at the terminal")
    parser.add_argument("--no-lock", dest="lock", action="store_false", help="do not run `make lock`")
    parser.add_argument("--no-test", dest="test", action="store_false", help="do not run `make test`")
    parser.add_argument("--report", type=Path, help="write what happened to this file, as Markdown")
    options, others = parser.parse_known_args(arguments)
    if options.answers_file != ".copier-answers.yml":
        others.append(f"--answers-file={options.answers_file}")
    return options, others


def update(arguments: list[str]) -> int:
    """Check the project, update it, and say what happened; return the exit code."""
    options, others = parsed(arguments)
    folder = project_folder()
    check_tree(folder)
    answers = read_answers(folder, options.answers_file)
    check_release(answers)
    check_package(folder, answers, others)
    copier_command()
    before = answers.values["_commit"]
    with cloned(answers) as template:
        release = target_release(template, answers, options.vcs_ref)
        if is_same_commit(template, release, before) and not others and not options.ask:
            print(f"Nothing to update: this project is at {before}.")
            return UPDATED
        entries = changelog(template, before, release)
    title = f"Update from Slipway {before} to {release}" if release != before else f"Change answers at Slipway {before}"
    print(f"{title}\n\n{entries}".strip() + "\n", flush=True)
    passed = others if options.ask else ["--defaults", *others]
    if options.dry_run:
        changes = dry_run(folder, answers, release, passed)
        print("\n".join(["", *changes.lines(), "", "This was a dry run: nothing was changed."]))
        return UPDATED
    try:
        changes = run_copier(folder, release, passed)
        print("\n".join(changes.lines()), flush=True)
        is_project = answers.values["preset"] not in WITHOUT_PACKAGE
        failed = lock_and_test(folder, changes, options) if is_project and not changes.conflicts else ""
    except KeyboardInterrupt:
        raise UpdateError(f"interrupted; undo what was done with: {UNDO}", INTERRUPTED) from None
    if options.report:
        write_report(options.report, title, entries, changes, failed)
    print(f"\n{next_step(changes, failed, is_project)}\nTo undo the update: {UNDO}")
    return CONFLICTS if changes.conflicts else CHECKS_FAILED if failed else UPDATED


def next_step(changes: Changes, failed: str, is_project: bool) -> str:
    """Return what the owner should do now."""
    check = "run `make lock test`" if is_project else "build the image and run the tests"
    if changes.conflicts:
        return f"Solve the conflicts between <<<<<<< and >>>>>>>, `git add` the files, {check}, and commit."
    if failed:
        return f"`{failed}` failed: fix what it reports, and commit."
    return "Read `git diff`, and commit." if is_project else f"Read `git diff`, {check}, and commit."


def main() -> int:
    """Run the program; print one line for each failure."""
    try:
        return update(sys.argv[1:])
    except UpdateError as error:
        print(f"update: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("\nupdate: interrupted; nothing was changed", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
