# SPDX-License-Identifier: Apache-2.0
"""`tokens.py`: the keys of the API. A token is `hean_<role>_` and 256 random bits; of it only the
SHA-256 is kept, in `tokens.json` of the data directory, which nobody else may read. What the token
says of its role is for people; what counts is what the file says.

With a `SECRET_KEY` it is an HMAC under that key: whoever can write the file, but does not know the
key, cannot make a token that counts, and another key ends all tokens at once (ADR 0028).

Several processes share the file: each change is made under a lock on the whole of it, and who only
reads looks once a second whether it has changed, so that a revoked token is gone within that time.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE

import msgspec

from hean.api.permissions import Role
from hean.errors import EnvironmentFault, ParameterInvalid
from hean.live.parts import PRIVATE, write_file
from hean.secret import Secret

FILE, LOCK, ADMIN_FILE = "tokens.json", "tokens.lock", "admin.token"
OTHERS = 0o077  # rights that group and others must not have
PRIVATE_FOLDER = 0o700
TOKENS_MAX = 1_000
NAME = re.compile(r"[\w .@:-]{1,64}", re.ASCII)
TOKEN = re.compile(r"hean_[a-z]+_[\w-]{43}", re.ASCII)
DAYS_MAX = 3_650
DAY_NS = 86_400 * 10**9
LOOK_AGAIN_NS = 10**9
USED_AGAIN_NS = 60 * 10**9  # so that not every request writes a file

log = logging.getLogger("hean.api")


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token. Times are UTC nanoseconds."""

    id: str
    name: str
    role: str
    sha256: str
    created_ns: int
    expires_ns: int | None = None
    used_ns: int | None = None
    revoked_ns: int | None = None
    key: str = ""
    """Which `SECRET_KEY` signed it, as a fingerprint; none for one that no key did."""

    def is_good(self, now_ns: int) -> bool:
        """Whether it lets somebody in."""
        return self.revoked_ns is None and (self.expires_ns is None or now_ns < self.expires_ns)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    tokens: tuple[Token, ...]


class Tokens:
    """The tokens of one data directory. *now*: UTC nanoseconds; *key*: that signs them."""

    def __init__(
        self, folder: Path, now: Callable[[], int] = time.time_ns, *, key: Secret | None = None
    ) -> None:
        self._key = key
        self._key_id = _key_id(key)
        self._folder = folder.expanduser()
        self._path = self._folder / FILE
        self._now = now
        self._by_digest: dict[str, Token] = {}
        self._seen: tuple[int, ...] | None = None
        self._looked_ns: int | None = None

    # ---------------------------------------------------------------- asked by the API

    def find(self, text: str) -> Token | None:
        """The token that somebody showed, if it is a good one."""
        if not TOKEN.fullmatch(text):
            return None
        now = self._now()
        if self._looked_ns is None or not 0 <= now - self._looked_ns < LOOK_AGAIN_NS:
            self._refresh()
            self._looked_ns = now
        digest = self._digest(text)
        token = self._by_digest.get(digest)
        if token is None or not self.counts(token) or not hmac.compare_digest(token.sha256, digest):
            return None
        if not token.is_good(now):
            return None
        if token.used_ns is None or now - token.used_ns >= USED_AGAIN_NS:
            self._used(token, now)
        return token

    def is_good(self, token_id: str) -> bool:
        """Whether a token that was let in earlier still is one: for open sockets."""
        self._refresh()
        now = self._now()
        found = (t for t in self._by_digest.values() if t.id == token_id)
        return any(self.counts(t) and t.is_good(now) for t in found)

    def counts(self, token: Token) -> bool:
        """Whether it was signed by the key of today, or by none where there is none."""
        return token.key == self._key_id

    # ---------------------------------------------------------------- asked by people

    def create(self, role: Role, name: str = "", days: int | None = None) -> tuple[str, Token]:
        """Make a token. *Returns*: its text, which nobody can tell again, and what is kept.

        *Raises*: `ParameterInvalid`, `EnvironmentFault`.
        """
        if name and not NAME.fullmatch(name):
            raise ParameterInvalid("a token's name: 1 to 64 letters, digits, blanks and . @ : - _.")
        if days is not None and not 1 <= days <= DAYS_MAX:
            raise ParameterInvalid(f"a token lives 1 to {DAYS_MAX} days; got {days}.")
        text = f"hean_{role.word}_{secrets.token_urlsafe(32)}"
        now = self._now()
        token = Token(
            id=secrets.token_hex(4),
            name=name or role.word,
            role=role.word,
            sha256=self._digest(text),
            key=self._key_id,
            created_ns=now,
            expires_ns=None if days is None else now + days * DAY_NS,
        )
        with self._changing() as tokens:
            if len(tokens) >= TOKENS_MAX:
                raise ParameterInvalid(f"{self._path}: {TOKENS_MAX} tokens are the most there are.")
            tokens.append(token)
        return text, token

    def revoke(self, token_id: str) -> Token:
        """End a token; who does it twice is told the same. *Raises*: `ParameterInvalid`."""
        with self._changing() as tokens:
            for at, token in enumerate(tokens):
                if token.id == token_id:
                    if token.revoked_ns is None:
                        token = msgspec.structs.replace(token, revoked_ns=self._now())
                        tokens[at] = token
                    return token
        raise ParameterInvalid(f"no token {token_id[:40]!r}; hean token list shows them.")

    def all(self) -> list[Token]:
        """All of them, oldest first. *Raises*: `ParameterInvalid` for a file that is none."""
        return list(self._read())

    def ensure_admin(self) -> Path | None:
        """At the first start make a token for the owner, in a file of its own that only they can
        read. *Returns*: that file, or `None` when there were tokens already.
        """
        if self._path.exists():
            self._read()
            return None
        path = self._folder / ADMIN_FILE
        text, _ = self.create(Role.ADMIN, "first start")
        try:
            write_file(path, f"{text}\n".encode())
        except OSError as error:
            raise EnvironmentFault(f"{path}: {error.strerror or error}.") from None
        return path

    # ---------------------------------------------------------------- the file

    def _digest(self, text: str) -> str:
        if self._key is None:
            return hashlib.sha256(text.encode()).hexdigest()
        return hmac.new(self._key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()

    def _refresh(self) -> None:
        try:
            state = os.stat(self._path)
        except OSError:
            self._by_digest, self._seen = {}, None  # no file lets nobody in
            return
        seen = (state.st_ino, state.st_mtime_ns, state.st_size, state.st_mode)
        if seen == self._seen:
            return
        try:
            self._by_digest = {token.sha256: token for token in self._read()}
        except ParameterInvalid as error:  # whoever asks is not told what is wrong with our files
            self._by_digest = {}
            log.error("nobody is let in: %s", error)
        except EnvironmentFault as error:
            log.error("the known tokens stay: %s", error)
            return
        self._seen = seen

    def _used(self, token: Token, now: int) -> None:
        """Remember the last use. Full disks and the like let the owner in all the same."""
        used = msgspec.structs.replace(token, used_ns=now)
        self._by_digest[token.sha256] = used
        try:
            with self._changing() as tokens:
                tokens[:] = [
                    msgspec.structs.replace(each, used_ns=now) if each.id == token.id else each
                    for each in tokens
                ]
        except EnvironmentFault as error:
            log.error("the last use of a token is not written down: %s", error)

    def _read(self) -> tuple[Token, ...]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise EnvironmentFault(f"{self._path}: {error.strerror or error}.") from None
        with os.fdopen(descriptor, "rb") as file:
            mode = S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & OTHERS:
                raise ParameterInvalid(
                    f"{self._path}: mode {mode:04o}, others may read it; allowed: {PRIVATE:04o}. "
                    f"chmod 600 {self._path}, and revoke what they may have seen."
                )
            try:
                found = msgspec.json.decode(file.read(), type=_File)
            except msgspec.MsgspecError as error:
                raise ParameterInvalid(f"{self._path}: no file of tokens: {error}.") from None
        if found.version != 1:
            raise ParameterInvalid(f"{self._path}: version {found.version}; this HEAN knows 1.")
        return found.tokens

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """The tokens as a list that is written back whole, while nobody else writes."""
        try:
            self._folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise EnvironmentFault(f"{self._folder}: {error.strerror or error}.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read()
            tokens = list(before)
            yield tokens
            if tuple(tokens) != before:
                self._write(tokens)
                self._looked_ns = None  # our own change counts at once
        finally:
            os.close(lock)

    def _write(self, tokens: list[Token]) -> None:
        content = msgspec.json.encode(_File(1, tuple(tokens)))
        try:
            write_file(self._path, msgspec.json.format(content, indent=1) + b"\n")
        except OSError as error:
            raise EnvironmentFault(f"{self._path}: {error.strerror or error}.") from None


def _key_id(key: Secret | None) -> str:
    if key is None:
        return ""
    return hmac.new(key.reveal().encode(), b"hean: which key", hashlib.sha256).hexdigest()[:8]
