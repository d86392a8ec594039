"""Files of several owners in one storage, with many writers at once."""

import io
import os
import subprocess
import sys
import threading
import time
import unicodedata
import zipfile
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest
from databases import empty_database
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from my_project.db import migrate
from my_project.db.engine import connect
from my_project.db.models import DEFAULT_OWNER, StoredFile
from my_project.errors import InvalidInputError
from my_project.jobs import files as module
from my_project.jobs.files import OwnedFiles
from my_project.jobs.owner import OPERATOR, Owner, QuotaExceededError
from my_project.settings import Settings
from my_project.storage import NoSuchFileError, Storage

Of = Callable[..., OwnedFiles]

ADMIN = Owner("admin", is_admin=True)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """Return a database without rows."""
    with empty_database(tmp_path) as address:
        engine = connect(Settings(database=address, database_pool_size=20))
        migrate.migrate(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Return a storage without files."""
    return Storage(Settings(storage=str(tmp_path / "files")))


@pytest.fixture
def of(storage: Storage, database: Engine) -> Of:
    """Return the function that returns the files of an owner."""

    def of(owner: str | Owner, **options: int) -> OwnedFiles:
        return OwnedFiles(storage, database, owner if isinstance(owner, Owner) else Owner(owner), **options)

    return of


def write(files: OwnedFiles | Storage, path: str, content: bytes) -> None:
    """Write a file."""
    with files.write(path) as stream:
        stream.write(content)


def read(files: OwnedFiles, path: str) -> bytes:
    """Return the content of a file."""
    with files.read(path) as stream:
        return stream.read()


def rows(database: Engine) -> dict[str, tuple[str, int]]:
    """Return owner and size by path."""
    with Session(database) as session:
        return {each.path: (each.owner, each.size) for each in session.scalars(select(StoredFile))}


def refusal(function: Callable[..., object], *arguments: object) -> str:
    """Return why an owner is refused."""
    with pytest.raises(NoSuchFileError) as refused:
        function(*arguments)
    return str(refused.value)


def test_a_file_of_somebody_else_is_like_none(of: Of, database: Engine) -> None:
    write(of("me"), "a.txt", b"mine")
    for name in ("you", "Me", "ME", "", DEFAULT_OWNER):
        files = of(name)
        assert not files.exists("a.txt")
        for method in (partial(read, files), files.size, files.delete, files.require_writable):
            assert refusal(method, "a.txt") == "a.txt: no such file in the storage"
        assert refusal(write, files, "a.txt", b"yours") == "a.txt: no such file in the storage"
        assert refusal(read, files, "b.txt") == "b.txt: no such file in the storage"
        assert list(files.find()) == []
    assert read(of("me"), "a.txt") == b"mine"
    assert rows(database) == {"a.txt": ("me", 4)}


def test_an_administrator_uses_all_files_and_takes_none(of: Of, database: Engine) -> None:
    write(of("me"), "a.txt", b"mine")
    for admin in (ADMIN, OPERATOR):
        assert read(of(admin), "a.txt") == b"mine"
        assert [each.path for each in of(admin).find()] == ["a.txt"]
    write(of(ADMIN), "a.txt", b"corrected")
    assert rows(database) == {"a.txt": ("me", 9)}
    assert read(of("me"), "a.txt") == b"corrected"
    of(ADMIN).delete("a.txt")
    assert rows(database) == {}


def test_a_file_without_a_row_belongs_to_default(of: Of, storage: Storage, database: Engine) -> None:
    write(storage, "old.txt", b"old")
    for method in (partial(read, of("me")), of("me").delete, of("me").require_writable):
        assert refusal(method, "old.txt") == "old.txt: no such file in the storage"
    refusal(write, of("me"), "old.txt", b"new")
    assert read(of(DEFAULT_OWNER), "old.txt") == read(of(ADMIN), "old.txt") == b"old"
    write(of(ADMIN), "old.txt", b"newer")
    assert rows(database) == {"old.txt": (DEFAULT_OWNER, 5)}
    write(of(DEFAULT_OWNER), "old.txt", b"new")
    of(DEFAULT_OWNER).delete("old.txt")
    assert rows(database) == {}
    write(of("me"), "old.txt", b"mine")
    assert rows(database) == {"old.txt": ("me", 4)}


def test_the_first_of_two_owners_to_finish_a_new_file_has_it(of: Of, storage: Storage, database: Engine) -> None:
    barrier = threading.Barrier(4)

    def upload(name: str, path: str) -> bool:
        try:
            with of(name).write(path) as stream:
                stream.write(name.encode())
                barrier.wait(60)
        except NoSuchFileError:
            return False
        return True

    for number in range(10):
        path = f"{number}.txt"
        with ThreadPoolExecutor(4) as pool:
            names = ["anna", "bob", "cleo", "dora"]
            won = dict(zip(names, pool.map(lambda name, path=path: upload(name, path), names), strict=True))
        [winner] = [name for name, has_won in won.items() if has_won]
        with storage.read(path) as stream:
            assert stream.read() == winner.encode()
        assert rows(database)[path] == (winner, len(winner))


def test_uploads_of_one_owner_to_one_path_all_succeed_and_its_size_is_that_of_the_last(
    of: Of, storage: Storage, database: Engine
) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write(of("me"), "a.txt", b"x" * number), range(40)))
    assert rows(database) == {"a.txt": ("me", storage.size("a.txt"))}


@pytest.mark.parametrize("owner", [Owner("me"), Owner(DEFAULT_OWNER), ADMIN], ids=lambda owner: owner.name)
def test_a_file_that_appears_while_its_path_is_examined_is_known_by_its_row(
    tmp_path: Path, of: Of, database: Engine, owner: Owner
) -> None:
    """The first upload finds no row of its path, and then the file of another upload that ended in between."""

    class First(Storage):
        def exists(self, path: str) -> bool:
            if not rows(database):
                write(of("me"), path, b"second")
            return super().exists(path)

    first = OwnedFiles(First(Settings(storage=str(tmp_path / "files"))), database, owner)
    if owner.name == DEFAULT_OWNER:
        assert refusal(write, first, "a.txt", b"1st") == "a.txt: no such file in the storage"
        assert rows(database) == {"a.txt": ("me", 6)}
    else:
        write(first, "a.txt", b"1st")
        assert rows(database) == {"a.txt": ("me", 3)}


Act = Callable[[OwnedFiles], None]


@pytest.fixture
def beside(tmp_path: Path, database: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that lets an owner act on a file while another acts between the first one's row and file."""
    waits = threading.Event()

    def wait(seconds: float) -> None:
        waits.set()
        time.sleep(seconds)

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=wait))

    def beside(owner: str, first: Act, other: Callable[[], None]) -> None:
        def begin() -> None:
            begun.append(pool.submit(other))
            begun[0].add_done_callback(lambda _: waits.set())
            assert waits.wait(60)

        class Slow(Storage):
            @contextmanager
            def write(self, path: str) -> Generator[IO[bytes]]:
                with super().write(path) as stream:
                    yield stream
                    begin()

            def delete(self, path: str) -> None:
                begin()
                super().delete(path)

        begun: list[Future[None]] = []
        with ThreadPoolExecutor(1) as pool:
            first(OwnedFiles(Slow(Settings(storage=str(tmp_path / "files"))), database, Owner(owner)))
            begun[0].result(60)

    return beside


def upload(content: bytes) -> Act:
    """Return the action that stores a file."""
    return lambda files: write(files, "a.txt", content)


def remove(files: OwnedFiles) -> None:
    """Delete the file, which may be deleted already."""
    with suppress(NoSuchFileError):
        files.delete("a.txt")


def test_of_uploads_at_once_the_last_row_is_that_of_the_last_file(
    beside: Callable[..., None], of: Of, database: Engine
) -> None:
    beside("me", upload(b"1st"), lambda: upload(b"second")(of("me")))
    assert rows(database) == {"a.txt": ("me", 6)}
    assert read(of("me"), "a.txt") == b"second"


def test_a_delete_beside_an_upload_leaves_no_file_without_a_row(
    beside: Callable[..., None], of: Of, storage: Storage, database: Engine
) -> None:
    """Such a file would be one of DEFAULT_OWNER."""
    write(of("me"), "a.txt", b"old")
    beside("me", upload(b"new"), lambda: remove(of("me")))
    assert rows(database) == {} and not storage.exists("a.txt")


@pytest.mark.parametrize("owner", ["me", DEFAULT_OWNER])
def test_a_delete_never_takes_the_file_that_somebody_else_stores_after_another_delete(
    beside: Callable[..., None], of: Of, storage: Storage, database: Engine, owner: str
) -> None:
    write(storage if owner == DEFAULT_OWNER else of(owner), "a.txt", b"old")

    def replace() -> None:
        remove(of(owner))
        upload(b"yours")(of("you"))

    beside(owner, remove, replace)
    assert rows(database) == {"a.txt": ("you", 5)}
    assert read(of("you"), "a.txt") == b"yours"


def test_an_upload_beside_a_delete_is_stored(beside: Callable[..., None], of: Of, database: Engine) -> None:
    write(of("me"), "a.txt", b"old")
    beside("me", remove, lambda: upload(b"second")(of("me")))
    assert rows(database) == {"a.txt": ("me", 6)}
    assert read(of("me"), "a.txt") == b"second"


@pytest.mark.parametrize("before", [b"old", b""])
def test_uploads_that_fail_at_once_leave_the_row_of_the_file_that_is_there(
    beside: Callable[..., None], of: Of, storage: Storage, database: Engine, before: bytes
) -> None:
    if before:
        write(of("me"), "a.txt", before)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "replace", lambda *_: exec('raise OSError("no luck")'))

        def failing(files: OwnedFiles) -> None:
            with pytest.raises(OSError, match="no luck"):
                write(files, "a.txt", b"a longer file")

        beside("me", failing, lambda: failing(of("me")))
    assert rows(database) == ({"a.txt": ("me", 3)} if before else {})
    assert storage.exists("a.txt") == bool(before)


def test_a_write_that_fails_changes_nothing(
    of: Of, storage: Storage, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(of("me"), "old.txt", b"old")
    for path in ("old.txt", "new.txt"):
        with pytest.raises(RuntimeError, match="no luck"), of("me").write(path) as stream:
            stream.write(b"half")
            raise RuntimeError("no luck")
        with monkeypatch.context() as patched, pytest.raises(OSError, match="no luck"):
            patched.setattr(Path, "replace", lambda *_: exec('raise OSError("no luck")'))
            write(of("me"), path, b"whole")
    assert rows(database) == {"old.txt": ("me", 3)}
    assert read(of("me"), "old.txt") == b"old"
    write(of("you"), "new.txt", b"yours")


KILLED = """import os
import sys
from pathlib import Path
from my_project.db.engine import connect
from my_project.jobs.files import OwnedFiles
from my_project.jobs.owner import Owner
from my_project.settings import Settings
from my_project.storage import Storage
settings = Settings()
with OwnedFiles(Storage(settings), connect(settings), Owner("me")).write("a.txt") as stream:
    stream.write(b"half")
    if sys.argv[1] == "early":
        os._exit(9)
    Path.replace = lambda *_: os._exit(9)
"""


@pytest.mark.parametrize("moment", ["early", "late"])
def test_a_killed_upload_keeps_no_path_for_ever(
    of: Of, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    address = database.url.render_as_string(hide_password=False)
    environment = os.environ | {"MY_PROJECT_DATABASE": address, "MY_PROJECT_STORAGE": f"{tmp_path}/files"}
    killed = subprocess.run([sys.executable, "-c", KILLED, moment], env=environment, timeout=60)
    assert killed.returncode == 9
    if moment == "late":
        left = rows(database)
        assert left.pop("a.txt") == ("me", 4)
        assert [(path.startswith(module.RESERVATIONS), size) for path, (_, size) in left.items()] == [
            (True, 0)
        ]  # a lock
        refusal(write, of("you"), "a.txt", b"yours")
        assert not of("me").exists("a.txt")
    monkeypatch.setattr(module, "ABANDONED", timedelta(0))
    monkeypatch.setattr(module, "LOCK_DURATION", timedelta(0))
    write(of("you"), "a.txt", b"yours")
    assert rows(database) == {"a.txt": ("you", 5)}
    assert read(of("you"), "a.txt") == b"yours"


def test_the_row_of_a_file_that_is_gone_goes_when_it_is_used(
    of: Of, storage: Storage, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = of("me")
    for use in (partial(read, files), files.delete):
        write(files, "a.txt", b"mine")
        storage.delete("a.txt")
        refusal(use, "a.txt")
        assert rows(database), "it may be about to appear"
        monkeypatch.setattr(module, "ABANDONED", timedelta(0))
        refusal(partial(read, of("you")), "a.txt")
        assert rows(database), "only its owner's use counts"
        refusal(use, "a.txt")
        assert rows(database) == {}
        monkeypatch.undo()


def test_files_are_listed_a_page_at_a_time_by_path(of: Of) -> None:
    names = ["a/1.txt", "a/2.txt", "A/1.txt", "a_b", "b%", "\u00e4"]
    for name in names:
        write(of("me"), name, b"x")
    write(of("you"), "a/3.txt", b"x")
    found, after = [], ""
    while page := of("me").find(after=after, limit=2):
        found += [each.path for each in page]
        after = found[-1]
    assert sorted(found) == sorted(names) and len(found) == len(names)
    assert [each.path for each in of("me").find("a/")] == ["a/1.txt", "a/2.txt"]
    for prefix in ("_", "%", "A/2", "a/3", "\u00c4"):
        assert list(of("me").find(prefix)) == []
    assert [each.path for each in of(ADMIN).find("a/3")] == ["a/3.txt"]


VARIANTS = ["x/../a.txt", "./a.txt", "a.txt/", "/a.txt", "x//a.txt", "a.txt?versionId=null", "a.txt?generation=1"]


@pytest.mark.parametrize("path", VARIANTS)
@pytest.mark.parametrize("owner", [Owner("you"), Owner(DEFAULT_OWNER)])
def test_another_path_of_the_same_file_is_refused(of: Of, storage: Storage, path: str, owner: Owner) -> None:
    write(of("me"), "a.txt", b"mine")
    files = of(owner)
    for use in (partial(read, files), files.exists, files.size, files.delete, partial(write, files, content=b"x")):
        with pytest.raises(InvalidInputError, match="not a path"):
            use(path)
    assert read(of("me"), "a.txt") == b"mine"


NAME = "caf\u00e9.txt"
OTHER_NAMES = [NAME.upper(), NAME.title(), unicodedata.normalize("NFD", NAME)]


@pytest.mark.parametrize("other", OTHER_NAMES)
def test_names_that_differ_in_case_or_normal_form_are_files_of_their_own(of: Of, storage: Storage, other: str) -> None:
    if storage.folds_names:
        pytest.skip("needs a disk that distinguishes them")
    write(of("me"), NAME, b"mine")
    write(of("you"), other, b"yours")
    assert (read(of("me"), NAME), read(of("you"), other)) == (b"mine", b"yours")
    assert not of("you").exists(NAME) and not of(DEFAULT_OWNER).exists(NAME.swapcase())


@pytest.mark.parametrize("other", OTHER_NAMES)
def test_they_are_one_file_where_the_disk_says_so(
    of: Of, storage: Storage, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_path = storage._full_path
    monkeypatch.setattr(storage, "_full_path", lambda path: full_path(unicodedata.normalize("NFC", path).casefold()))
    monkeypatch.setattr(storage, "folds_names", True)
    write(of("me"), NAME, b"mine")
    for name in ("you", DEFAULT_OWNER):
        refusal(read, of(name), other)
        refusal(write, of(name), other, b"yours")
        refusal(of(name).delete, other)
    assert read(of("me"), other) == b"mine"


def test_files_of_an_owner_take_no_more_than_its_quota(of: Of, database: Engine) -> None:
    files = of("me", max_bytes=100)
    write(files, "a.txt", b"x" * 60)
    with pytest.raises(QuotaExceededError, match="the quota of 100 bytes of files is used up: delete some first"):
        write(files, "b.txt", b"x" * 41)
    with pytest.raises(QuotaExceededError), files.write("b.txt", expected_bytes=41):
        pytest.fail("it is refused before a byte is written")
    write(files, "b.txt", b"x" * 40)
    with pytest.raises(QuotaExceededError):
        write(files, "c.txt", b"x")
    assert rows(database) == {"a.txt": ("me", 60), "b.txt": ("me", 40)}
    files.delete("b.txt")
    write(files, "a.txt", b"x" * 40)
    write(files, "c.txt", b"x" * 60)
    write(of("you", max_bytes=100), "d.txt", b"x" * 100)
    write(of(ADMIN, max_bytes=100), "large.txt", b"x" * 200)


def test_uploads_at_once_keep_the_quota_together(of: Of, storage: Storage, database: Engine) -> None:
    files = of("me", max_bytes=1000)
    peak = []

    def upload(number: int) -> bool:
        try:
            with files.write(f"{number}.txt") as stream:
                for _ in range(4):
                    stream.write(b"x" * 50)
                    peak.append(sum(size for _, size in rows(database).values()))
        except QuotaExceededError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(upload, range(16)))
    assert done.count(True) <= 5 and max(peak) <= 1000
    done.append(upload(16))  # after the others, of which each may have been refused for the sake of another one
    assert done.count(True) == 5 or done[16]
    found = rows(database)
    assert found == {f"{number}.txt": ("me", 200) for number, has_ended in enumerate(done) if has_ended}
    assert all(storage.exists(path) for path in found)


def test_a_large_file_reserves_its_bytes_in_steps(of: Of, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RESERVED_RATIO", 1 / 10)
    reserved = set()
    with of("me", max_bytes=1000).write("a.txt") as stream:
        for _ in range(50):
            stream.write(b"x" * 10)
            reserved |= {size for _, size in rows(database).values()}
        assert list(of("me").find()) == []
    assert sorted(reserved) == [10, 120, 230, 340, 450, 560]
    assert rows(database) == {"a.txt": ("me", 500)}


def test_uploads_at_once_are_refused_only_what_the_quota_does_not_hold(of: Of) -> None:
    files = of("me", max_bytes=10_000_000)
    with ExitStack() as uploads:
        streams = [uploads.enter_context(files.write(f"{number}.bin")) for number in range(4)]
        for _ in range(20):
            for stream in streams:
                stream.write(b"x" * 120_000)
        with pytest.raises(QuotaExceededError):
            streams[0].write(b"x" * 2_400_000)


def test_the_bytes_of_a_killed_upload_are_free_again(of: Of, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    files = of("me", max_bytes=100)
    with files.write("a.txt") as stream:
        stream.write(b"x" * 60)
        with Session(database) as session, session.begin():
            for row in session.scalars(select(StoredFile)):
                session.add(StoredFile(path=".reserved/dead", owner="me", size=40, created_at=row.created_at))
        with pytest.raises(QuotaExceededError):
            write(files, "b.txt", b"x")
        monkeypatch.setattr(module, "ABANDONED", timedelta(0))
        write(files, "b.txt", b"x" * 40)
    assert sum(size for _, size in rows(database).values()) <= 100


def test_a_bounded_file_can_be_a_text_a_zip_archive_or_anything_that_seeks(of: Of) -> None:
    files = of("me", max_bytes=1000)
    with files.write("a.zip") as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "x" * 100)
    with files.read("a.zip") as stream, zipfile.ZipFile(stream) as archive:
        assert archive.read("a.txt") == b"x" * 100
    with files.write("a.txt") as stream:
        text = io.TextIOWrapper(stream, "utf-8")
        text.write("\u00e4")
        text.detach()
    assert files.find(prefix="a.txt")[0].size == 2
