"""The revision of a database, looked at without changing it."""

from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from keeper.store.database import StoreError, shown
from keeper.store.upgrade import newest, revision


def revision_of(url: str) -> tuple[str | None, str]:
    """Revision of the database (None: it is new or empty) and of this release. Raises StoreError."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return None, newest()
    try:
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                return revision(connection), newest()
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        raise StoreError(f"database {shown(url)} cannot be opened: {error.__cause__ or error}") from error
