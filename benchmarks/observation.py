"""What can be seen from outside: the commands that a Redis server ran, the memory that a process holds."""

import math
from collections import Counter
from pathlib import Path

import msgspec
from redis.asyncio import Redis

_PROCESSES = Path("/proc")


class Traffic(msgspec.Struct, frozen=True):
    """What a Redis server did since it started.

    `commands` counts calls by name, those inside scripts too; `reads` counts how often a client's socket was
    read, which is the number of round trips unless clients pipeline more than a buffer.
    """

    commands: Counter[str]
    reads: int

    def since(self, earlier: "Traffic") -> "Traffic":
        """Return what was done in between."""
        return Traffic(self.commands - earlier.commands, self.reads - earlier.reads)

    def calls(self) -> int:
        """Count all commands but the observer's own."""
        return sum(count for name, count in self.commands.items() if name != "info")


async def traffic(redis: Redis) -> Traffic:
    """Read the server's counters; costs the server two commands, named `info`."""
    stats = await redis.info("commandstats")
    commands = Counter({name.removeprefix("cmdstat_"): entry["calls"] for name, entry in stats.items()})
    return Traffic(commands, (await redis.info("stats"))["total_reads_processed"])


def resident_megabytes(pids: list[int]) -> float:
    """Return how much memory the processes hold together, in MB (10^6 bytes); NaN without /proc."""
    if not (_PROCESSES / "self/status").exists():
        return math.nan
    return sum(_resident_kilobytes(_PROCESSES / str(pid) / "status") for pid in pids) * 1024 / 1e6


def _resident_kilobytes(status: Path) -> int:
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])
