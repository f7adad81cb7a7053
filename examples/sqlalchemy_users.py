"""SQLAlchemy: `Accounts` on a user table of your own. Five methods; `find` and `add` are all that logging in needs.

JWT_SECRET=$(openssl rand -hex 32) uvicorn examples.sqlalchemy_users:app
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from sqlalchemy import JSON, Engine, create_engine, delete, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from authkit import Principal, Tokens, Unavailable, require_auth
from authkit.accounts import Accounts, User
from authkit.secrets import Environment, Secrets
from authkit.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator


class Base(DeclarativeBase):
    pass


class Person(Base):
    """Your table, with what else you keep of people. `version` counts its changes: of two at once, one is refused."""

    __tablename__ = "people"

    username: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    roles: Mapped[list[str]] = mapped_column(JSON)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    disabled: Mapped[bool]
    password_changed: Mapped[float | None]
    factors: Mapped[str | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    def take(self, user: User) -> None:
        self.subject, self.password_hash, self.disabled = user.subject, user.password_hash, user.disabled
        self.roles, self.scopes = sorted(user.roles), sorted(user.scopes)
        self.password_changed, self.factors = user.password_changed, user.factors

    def user(self) -> User:
        return User(
            self.username,
            subject=self.subject,
            password_hash=self.password_hash,
            roles=self.roles,
            scopes=self.scopes,
            disabled=self.disabled,
            password_changed=self.password_changed,
            factors=self.factors,
        )


class PeopleUsers:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """One transaction. A database that fails is a 503: nobody is let in, and nobody is told that they are unknown."""
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except (IntegrityError, StaleDataError):
            raise  # an answer, and no failure
        except SQLAlchemyError as error:
            raise Unavailable(f"the table of people cannot be asked: {type(error).__name__}") from None

    def find(self, username: str) -> User | None:
        with self._session() as session:
            person = session.get(Person, username)
            return None if person is None else person.user()

    def add(self, user: User) -> bool:
        person = Person(username=user.username)
        person.take(user)
        try:
            with self._session() as session:
                session.add(person)
        except IntegrityError:  # the name is taken
            return False
        return True

    def update(self, old: User, new: User) -> bool:
        if new.username != old.username:
            raise ValueError("a user keeps its name")
        try:
            with self._session() as session:
                person = session.get(Person, old.username)
                if person is None or person.user() != old:
                    return False
                person.take(new)
        except StaleDataError:  # somebody else was quicker
            return False
        return True

    def remove(self, username: str) -> bool:
        with self._session() as session:
            return session.execute(delete(Person).where(Person.username == username)).rowcount == 1

    def list(self, after: str = "", limit: int = 100) -> list[User]:
        with self._session() as session:
            people = session.scalars(select(Person).where(Person.username > after).order_by(Person.username).limit(limit))
            return [person.user() for person in people]


def table(url: str) -> PeopleUsers:
    engine = create_engine(url)
    Base.metadata.create_all(engine)  # yours has migrations
    return PeopleUsers(engine)


here = "https://api.example.com"
store = open_store(os.environ.get("AUTHKIT_STORE", "sqlite:///sessions.db"))
tokens = Tokens(Secrets(Environment())["JWT_SECRET"], issuer=here, audience=here, store=store)
accounts = Accounts(table(os.environ.get("DATABASE_URL", "sqlite:///people.db")), tokens, registration=True)

app = FastAPI()
app.mount("/auth", accounts.app)


@app.get("/private")
@require_auth(tokens)
async def private(principal: Principal) -> dict[str, str]:
    return {"hello": principal.subject}
