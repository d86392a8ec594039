from sqlalchemy import create_engine, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from dashboard.config import DATABASE_URL

engine = create_engine(DATABASE_URL, pool_pre_ping=True)
Session = sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    formula: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued")
    mass: Mapped[float | None]
    created: Mapped[float]


def counts():
    with Session() as session:
        return dict(session.query(Job.state, func.count()).group_by(Job.state).all())
