"""The state store under examination: it forgets nothing, survives a power loss, and is on time (§1.5)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from redis.exceptions import ResponseError

from acmeproxy.adapters.redis.connection import Call, Connection, Durability
from acmeproxy.services.findings import Finding, failed, passed, warned
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import StateAwayError

_MOST_OFFSET: Final = timedelta(seconds=5)
# What a thief of our password could do with a user who may do everything (threat-model §1.5 item 3).
_DANGEROUS: Final = (
    ("CONFIG", "SET", "maxmemory", "0"),
    ("DEBUG", "SLEEP", "0"),
    ("FLUSHALL",),
    ("KEYS", "*"),
    ("REPLICAOF", "NO", "ONE"),
    ("SHUTDOWN",),
    ("ACL", "LIST"),
)
_NARROW: Final = ("~*", "&*", "+@all", "-@admin", "-@dangerous", "+info")


class Reach(msgspec.Struct, frozen=True):
    """How it is reached, without any secret: `host` is empty for a socket at `path`."""

    host: str
    port: int = 6379
    path: str = ""
    tls: bool = False
    loopback: bool = True

    def cli(self, program: str, *words: str) -> str:
        """Return a command line for it."""
        where = ("-h", self.host, "-p", str(self.port)) if self.host else ("-s", self.path)
        return " ".join((program, *where, *(("--tls",) if self.tls else ()), *words))


class _Seen(msgspec.Struct, frozen=True):
    """What it told of itself. `config` is what CONFIG GET shows, `None` where we may not ask."""

    info: Mapping[str, str]
    config: Mapping[str, str] | None
    waits: bool
    program: str


async def examine(
    connection: Connection, reach: Reach, durability: Durability, clock: Clock
) -> Sequence[Finding]:
    """Look at the server; everything asked is read only.

    Raises:
        StateAwayError: It does not answer.
    """
    seen = await _seen(connection)
    name = "Valkey" if seen.program == "valkey-cli" else "Redis"
    version = seen.info.get("valkey_version") or seen.info.get("redis_version", "")
    found = [
        *_role(seen),
        *_memory(seen, reach),
        *_durability(seen, reach, durability),
        *_network(reach),
        *await _rights(connection, seen, reach),
        await _time(connection, clock),
    ]
    return (passed("redis", f"{name} {version} answers at {_where(reach)}"), *found)


async def _seen(connection: Connection) -> _Seen:
    text = await _allowed(connection, "INFO")
    if text is None:
        raise StateAwayError("its user may not call INFO: +info is needed")
    info = _info(text)
    server = info.get("server_name") == "valkey" or "valkey_version" in info
    config: dict[str, str] | None = {}
    for name in ("maxmemory-policy", "appendonly", "appendfsync"):
        answer = await _allowed(connection, "CONFIG", "GET", name)
        if answer is None or config is None:
            config = None
        elif len(answer) > 1:
            config[name] = answer[1].decode()
    waits = await _allowed(connection, "WAITAOF", 0, 0, 1) is not None
    return _Seen(info, config, waits, "valkey-cli" if server else "redis-cli")


async def _allowed(connection: Connection, command: str, *arguments: str | int) -> Any:  # noqa: ANN401 - as it answers
    """Return the answer to a command, `None` where it is refused."""
    try:
        return (await connection.read(Call(command, arguments)))[0]
    except StateAwayError as error:
        if isinstance(error.__cause__, ResponseError):
            return None
        raise


def _role(seen: _Seen) -> Iterator[Finding]:
    role = seen.info.get("role", "master")
    if role != "master":
        yield failed("redis", f"it is a {role}: it takes no writes", "set redis.url to the primary")


def _memory(seen: _Seen, reach: Reach) -> Iterator[Finding]:
    policy = seen.info.get("maxmemory_policy", "")
    if policy != "noeviction":
        text = f"maxmemory-policy {policy}: when memory is short, it forgets accounts and orders"
        mend = reach.cli(seen.program, "CONFIG", "SET", "maxmemory-policy", "noeviction")
        yield failed("redis memory", text, mend)
    else:
        yield passed("redis memory", "maxmemory-policy noeviction")


def _durability(seen: _Seen, reach: Reach, durability: Durability) -> Iterator[Finding]:
    """Tell what a power loss would cost (INV-6); with WAITAOF, `everysec` waits and loses nothing."""
    subject = "redis durability"
    config_set = (seen.program, "CONFIG", "SET")
    if seen.info.get("aof_enabled") != "1":
        text = "appendonly no: a restart loses every account and order"
        mend = reach.cli(*config_set, "appendonly", "yes")
        yield (failed if durability is Durability.FSYNC else warned)(subject, text, mend)
        return
    if seen.info.get("aof_last_write_status", "ok") != "ok":
        yield failed(subject, "its last write to the append-only file failed", "df -h  # on its host")
        return
    fsync = None if seen.config is None else seen.config.get("appendfsync")
    if durability is Durability.NONE:
        text = "redis.durability = none: answers are given before they would survive a power loss"
        yield warned(subject, text, 'set redis.durability = "auto"')
    elif not seen.waits and fsync != "always":
        text = "it has no WAITAOF: up to a second of accounts and orders can be lost on a power failure"
        yield warned(subject, text, reach.cli(*config_set, "appendfsync", "always"))
    elif fsync == "no":
        text = "appendfsync no: answers wait for a sync that nobody asks for"
        yield warned(subject, text, reach.cli(*config_set, "appendfsync", "everysec"))
    elif fsync == "everysec":
        text = "appendfsync everysec: answers that may not be lost wait up to a second for the sync"
        yield warned(subject, text, reach.cli(*config_set, "appendfsync", "always"))
    else:
        yield passed(subject, f"append-only file{', appendfsync always' if fsync == 'always' else ''}")


def _network(reach: Reach) -> Iterator[Finding]:
    if not reach.tls and not reach.loopback:
        text = "what is sent to it, the password included, goes over the network in the clear"
        yield warned("redis tls", text, "set redis.url to rediss://, and give its listener a certificate")


async def _rights(connection: Connection, seen: _Seen, reach: Reach) -> Sequence[Finding]:
    """Ask what our user may do; one that may not even ask has no more than it needs."""
    subject = "redis acl"
    whoami = await _allowed(connection, "ACL", "WHOAMI")
    if whoami is None:
        return (passed(subject, "its user may do no more than it must"),)
    user = whoami.decode()
    wide = []
    for command in _DANGEROUS:
        answer = await _allowed(connection, "ACL", "DRYRUN", user, *command)
        if answer == b"OK":
            wide.append(command[0])
    if not wide and seen.config is not None:
        wide = ["CONFIG"]
    if not wide:
        return (passed(subject, f"user {user} may do no more than it must"),)
    text = f"user {user} may call {', '.join(wide)}, which acmeproxy never does"
    if user == "default":
        setuser = ("ACL", "SETUSER", "acmeproxy", "on", "'>PASSWORD'", *(f"'{one}'" for one in _NARROW))
        mend = f"{reach.cli(seen.program, *setuser)}  # then name it in redis.url: redis://acmeproxy@..."
    else:
        mend = reach.cli(seen.program, "ACL", "SETUSER", user, "-@admin", "-@dangerous", "+info")
    return (warned(subject, text, mend),)


async def _time(connection: Connection, clock: Clock) -> Finding:
    before = clock()
    answer = await _allowed(connection, "TIME")
    if answer is None:
        return warned("clock redis", "its user may not call TIME: the offset cannot be seen")
    between = before + (clock() - before) / 2
    told = datetime.fromtimestamp(int(answer[0]) + int(answer[1]) / 1e6, UTC)
    ahead = told - between
    if abs(ahead) > _MOST_OFFSET:
        which = "ahead of" if ahead > timedelta() else "behind"
        text = f"its clock is {abs(ahead).total_seconds():.0f} s {which} ours: at most 5 s are tolerated"
        return failed("clock redis", text, "timedatectl set-ntp true")
    return passed("clock redis", f"offset to the store {abs(ahead).total_seconds() * 1000:.0f} ms")


def _info(text: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines() if ":" in line)
    return {name: value for name, _, value in pairs}


def _where(reach: Reach) -> str:
    return f"{reach.host}:{reach.port}" if reach.host else reach.path
