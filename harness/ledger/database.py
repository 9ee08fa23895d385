"""The database of the ledger: a SQLite file or a server, one writer at a time, its tables made and kept at one version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.base.errors import UserError, needs
from harness.base.places.home import from_here
from harness.base.secrets import redact
from harness.base.untrusted_text import plain
from harness.ledger.tables import MIGRATIONS, VERSION, metadata, tables

if TYPE_CHECKING:
    import sqlalchemy as sa

_LOST = (
    "Put a copy of the ledger back. What was sent also lies in submissions/<slug>/sent/ and in the platform's list, both of which are asked "
    "before anything is sent"
)

_LOCK = 727_401  # any number that no other program takes


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    from sqlalchemy.engine import URL

    return str(URL.create("sqlite", database=str(path)))  # which escapes what means something in a URL


def check_url(url: str) -> None:
    """Refuse what is no database URL, without repeating it: it may hold a password."""
    with needs("HARNESS_LEDGER: the ledger", "SQLAlchemy"):
        from sqlalchemy.engine import make_url

    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except Exception:  # from ValueError to missing drivers: all of them may quote the URL
        raise UserError(
            "HARNESS_LEDGER: is no database URL that can be used, e.g. postgresql+psycopg://user:password@host/name (an @ in "
            "the password is written %40, and the driver must be installed)"
        ) from None
    in_memory = not parsed.database or ":memory:" in parsed.database or parsed.query.get("mode") == "memory"
    if parsed.get_backend_name() == "sqlite" and in_memory:
        raise UserError(
            "HARNESS_LEDGER: is a database in memory, which forgets what was sent when the command ends. Name a file: "
            "sqlite:////FOLDER/ledger.sqlite"
        )


class Database:
    """A ledger's tables, at a database URL or in a SQLite file; it connects, and needs SQLAlchemy, when it is first asked."""

    def __init__(self, at: str | Path) -> None:
        self._at = at
        self._engine: sa.Engine | None = None
        self._checked = False

    @property
    def url(self) -> str:
        """The database URL."""
        return sqlite_url(self._at) if isinstance(self._at, Path) else self._at

    @property
    def where(self) -> str:
        """The file, or the URL without its password: for messages."""
        if self._file:
            return str(from_here(self._file))
        from sqlalchemy.engine import make_url

        return make_url(self.url).render_as_string(hide_password=True)

    @property
    def exists(self) -> bool:
        """Whether anything can have been written: a database server's always."""
        return self._file is None or self._file.is_file()

    @property
    def _file(self) -> Path | None:
        if isinstance(self._at, Path):
            return self._at
        from sqlalchemy.engine import make_url

        url = make_url(self.url)
        return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None

    def close(self) -> None:
        """Let go of the file or the server; it connects anew when it is asked again."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def explained(self) -> Iterator[None]:
        """What stands in the tables and was never written by the harness is told, and where."""
        try:
            yield
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{self.where}: the ledger holds something that no harness wrote ({type(error).__name__}: {plain(error, 200)}). {_LOST}"
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction that nobody else writes beside, from its start on."""
        with needs(f"{self.where}: the ledger", "SQLAlchemy"):
            import sqlalchemy as sa

        try:
            if self._engine is None:
                self._engine = self._new_engine()
            with self._engine.connect() as connection, _alone(connection):
                if not self._checked:
                    metadata().create_all(connection)
                    self._check_version(connection)
                yield connection
            self._checked = True
        except (
            sa.exc.SQLAlchemyError,
            ImportError,
            UnicodeDecodeError,
        ) as error:  # the last: a damaged schema that sqlite quotes
            said = redact(str(getattr(error, "orig", None) or error).split("\n")[0])
            raise UserError(f"{self.where}: the ledger cannot be used: {said}. {_LOST}") from error

    def _new_engine(self) -> sa.Engine:
        import sqlalchemy as sa

        if self._file is None:
            return sa.create_engine(self.url)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return sa.create_engine(self.url, connect_args={"timeout": 60}, isolation_level="AUTOCOMMIT")

    def _check_version(self, connection: sa.Connection) -> None:
        """Migrate an older ledger; refuse a newer one."""
        table = tables()["about"]
        row = connection.execute(table.select()).first()
        if row is None:
            connection.execute(table.insert().values(id=1, version=VERSION))
            return
        if not isinstance(row.version, int) or row.version < 1:
            raise UserError(f"{self.where}: says that its version is {plain(row.version, 40)}. {_LOST}")
        if row.version > VERSION:
            raise UserError(
                f"{self.where}: was written by a newer harness (version {row.version}, this one knows {VERSION}). "
                "Update the harness; nothing was changed."
            )
        for version in range(row.version, VERSION):
            MIGRATIONS[version](connection)
            connection.execute(table.update().values(version=version + 1))


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Begin with the lock that writers wait for; commit, or roll back."""
    if connection.dialect.name != "sqlite":
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
