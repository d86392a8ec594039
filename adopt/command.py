"""Propose answers for a repository with code, and add containers to it.

Prints each answer with its value, the file and line that it comes from, and how sure it is; then warnings. At a
terminal each answer that is not sure can be corrected. None of your files is changed, and none of your code runs.
"""

import argparse
import shlex
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import yaml

from adopt import copying, table, workspace
from adopt.correction import corrected
from adopt.emission import answers
from adopt.proposal import notices, propose
from adopt.repository import UnreadableError


def main() -> NoReturn:
    """Run the command and exit with its code."""
    try:
        sys.exit(_run(_options()))
    except (UnreadableError, copying.CopyError) as error:
        sys.exit(f"adopt: {error}")
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nadopt: stopped; nothing was written")
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        # A repository of a kind that nobody tried: one line for its owner, the place of the fault for us.
        place = traceback.extract_tb(error.__traceback__)[-1]
        sys.exit(f"adopt: fault in {Path(place.filename).name}:{place.lineno}: {error!r:.200}; please report it")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("slipway-adopt", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="PATH", help="folder of the repository")
    parser.add_argument("--yes", action="store_true", help="take all answers, and add the containers")
    parser.add_argument(
        "--print", action="store_true", help="print the answers and the command of Copier; change nothing"
    )
    parser.add_argument("--project", metavar="FOLDER", help="the project to adopt, if the repository has several")
    parser.add_argument("--template", metavar="ADDRESS", help="address or clone of the template; default: this one")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
    survey, proposals = propose(options.folder)
    if options.project is not None:
        proposals = [each for each in proposals if each.project.folder == options.project.strip("/")]
        if not proposals:
            raise UnreadableError(f"there is no Python project in {options.project}")
    report = sys.stderr if options.print else sys.stdout
    for proposal in proposals:
        if len(proposals) > 1:
            print(f"\nProject {proposal.project.folder or 'at the root'}", file=report)
        print(table.table(proposal.findings.values()), file=report)
    if warnings := table.warnings(notices(survey, proposals)):
        print(f"\n{warnings}", file=report)
    template, reference = (options.template, "") if options.template else copying.source()
    if options.print:
        if options.project is None and workspace.is_system(proposals):
            print(workspace.text(proposals, template))
        for proposal in proposals:
            words = copying.command(template, reference, "FILE", options.folder)
            print(f"# {shlex.join(words)}\n{yaml.safe_dump(answers(proposal.findings), sort_keys=False)}", end="")
            for answer, file in copying.PACKAGE_LISTS.items():
                if packages := proposal.findings[answer].value:
                    print(f"# {file}: {' '.join(packages)}")
        return 0
    if len(proposals) > 1:
        names = ", ".join(proposal.project.folder or "." for proposal in proposals)
        raise UnreadableError(
            f"the repository has several projects: {names}; name one with --project, or see --print for a workspace"
        )
    (proposal,) = proposals
    if "requirements_file" not in proposal.findings:
        raise UnreadableError("no file lists the dependencies; write a requirements.txt first")
    if not options.yes:
        if not sys.stdin.isatty():
            raise UnreadableError("this is no terminal; take all answers with --yes, or print them with --print")
        proposal.findings = corrected(proposal.findings, list(answers(proposal.findings))[1:])
        if input("\nAdd containers with these answers? [Y/n] ").strip().lower() not in ("", "y", "yes"):
            raise EOFError
    copying.copy(template, reference, answers(proposal.findings), options.folder)
    packages = copying.list_packages(options.folder, proposal.findings)
    page = f"{copying.our_folder(proposal.findings)}/README.md"
    print(f"\nAdded containers to {options.folder}; none of your files was changed. {page} has the commands.")
    if packages:
        print(f"System packages are listed in {' and '.join(packages)}.")
    return 0
