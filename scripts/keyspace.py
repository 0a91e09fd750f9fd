# SPDX-License-Identifier: Apache-2.0
"""`keyspace.py`: one server that speaks the Redis protocol (Redis, Valkey, KeyDB), as the migration
meets it: what it is, what it can tell, and its answers as bytes. A refusal becomes an error of ours
that names the server, never its password. Nothing is sent twice: whoever lost an answer compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from hean.errors import EnvironmentFault, ParameterInvalid

TIMEOUT_S = 60.0  # for one answer; a value of hundreds of megabytes takes seconds
CONNECT_S = 5.0
TEMPORARY = b"hean:migration:part"
MARKER = b"hean:migration"
"""On the target: what is half written, and that a migration is under way."""
FULL = (redis.exceptions.OutOfMemoryError, redis.exceptions.ReadOnlyError)
UNFIT = ("MISCONF", "NOREPLICAS")
"""What a server says that takes no write, whatever it is; the client knows some of it by name."""

Command = Sequence[bytes | str | int | float]
Key = tuple[int, bytes]
"""Number of the database and name."""


class Answered(Exception):
    """A server has said no to a command: for what it is, such as a value of another type."""


class Server:
    """*url*: `redis://[[user]:password@]host[:port]` or `rediss://`; *password*: in its place.

    *Raises*: `ParameterInvalid`, `EnvironmentFault`.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        try:
            self._given: dict[str, Any] = dict(parse_url(url))
        except ValueError:  # its words may hold the password
            raise ParameterInvalid(
                "a server is named redis://host:port or rediss://host:port."
            ) from None
        if password is not None:
            self._given["password"] = password
        self._given.pop("db", None)
        host, port = self._given.get("host", "localhost"), self._given.get("port", 6379)
        self.name = str(self._given.get("path") or f"{host}:{port}")
        self.address = (str(host), int(port))
        self.greeting: tuple[str, ...] = ()
        """What a line of one's own has to say first."""
        if self._given.get("password"):
            user = self._given.get("username")
            self.greeting = ("AUTH", *([user] if user else []), self._given["password"])
        self._clients: dict[int, redis.Redis] = {}
        info = self.info()
        if info.get("cluster_enabled") == "1":
            raise ParameterInvalid(f"{self.name}: a node of a cluster holds a part of the keys.")
        self.run_id = info.get("run_id", "")
        own = info.get("valkey_version") or info.get("redis_version", "0")
        self.version = f"{info.get('server_name', 'redis')} {own}".strip()
        is_new = int(info.get("redis_version", "0").split(".")[0]) >= 7
        self.tells_expiry = is_new
        """To the millisecond, as a moment."""
        self.tells_streams = is_new
        """What was ever added to a stream, deleted from it and read by a group."""
        self.has_field_lives = self._knows("HPEXPIRETIME") and self._knows("HPEXPIREAT")
        """Whether fields of a hash expire on their own."""

    def info(self) -> dict[str, str]:
        """What it says of itself."""
        text = self.one(0, "INFO", "everything").decode(errors="replace")
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def databases(self) -> dict[int, int]:
        """Databases with keys, and how many."""
        rows = {name: text for name, text in self.info().items() if name.startswith("db")}
        return {
            int(name[2:]): int(text.split("=")[1].split(",")[0])
            for name, text in rows.items()
            if name[2:].isdigit() and text.startswith("keys=")
        }

    def one(self, db: int, *words: bytes | str | float) -> Any:
        """The raw answer to one command."""
        return self.many(db, [words])[0]

    def many(
        self, db: int, commands: Sequence[Command], *, whole: bool = False, strict: bool = True
    ) -> list[Any]:
        """The raw answers to several. *whole*: nobody sees a part of them done; *strict*: no error
        may be among them.
        """
        if not commands:
            return []
        pipe = self.client(db).pipeline(transaction=whole)
        for words in commands:
            pipe.execute_command(*words)
        try:
            return list(pipe.execute(raise_on_error=strict))
        except redis.RedisError as error:
            raise self.refused(error) from None

    def scan(self, db: int, count: int) -> Iterator[list[bytes]]:
        """Names of keys, a page at a time; one may come twice. Without our own."""
        cursor: Any = 0
        while True:
            cursor, found = self.one(db, "SCAN", cursor, "COUNT", count)
            keys = [key for key in found if not key.startswith(MARKER)]
            if keys:
                yield list(dict.fromkeys(keys))
            if int(cursor) == 0:
                return

    def client(self, db: int) -> redis.Redis:
        """A client of a database, whose answers are left as they come."""
        if db not in self._clients:
            client = redis.Redis(
                connection_pool=redis.ConnectionPool(
                    **self._given | {"db": db, "protocol": 2},
                    socket_timeout=TIMEOUT_S,
                    socket_connect_timeout=CONNECT_S,
                    retry=Retry(NoBackoff(), 0),
                )
            )
            client.response_callbacks.clear()
            self._clients[db] = client
        return self._clients[db]

    def close(self) -> None:
        """Let go of all connections."""
        for client in self._clients.values():
            client.connection_pool.disconnect()

    def refused(self, error: redis.RedisError) -> Exception:
        """What an error of the protocol is to us."""
        words = str(error).rpartition("caused error: ")[2]  # without what was sent
        if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError) or (
            words.startswith(("WRONGPASS", "NOAUTH", "NOPERM", "invalid username"))
        ):
            return ParameterInvalid(
                f"{self.name} refuses the user or password ({words[:100]}); give them in the URL, "
                "or the password in a file."
            )
        if isinstance(error, redis.ConnectionError | redis.TimeoutError):
            return EnvironmentFault(f"{self.name} does not answer ({words[:200]}); start it.")
        if isinstance(error, FULL) or words.startswith(UNFIT):
            return EnvironmentFault(f"{self.name} says: {words[:200]}")
        return Answered(f"{self.name} says: {words[:200]}")

    def _knows(self, command: str) -> bool:
        return bool(self.one(0, "COMMAND", "INFO", command)[0])
