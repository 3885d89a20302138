"""Parts that are a few fields of an object at a path; what else is set there is left alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from acmeproxy.adapters.vault.producer import policies, step
from acmeproxy.adapters.vault.producer.namespace import ForbiddenError, Namespace, ProducerError
from acmeproxy.adapters.vault.producer.roles import OPTIONAL
from acmeproxy.adapters.vault.producer.step import Change, Difference, Step

#: What a mount is capped at where nobody said otherwise: every longer lifetime is cut, with a warning only.
_SYSTEM_TTL: Final = 768 * 3600

Fields = Callable[[], Mapping[str, Any]]


class Document:
    """An object whose fields are written with a POST that leaves what it does not name."""

    def __init__(self, namespace: Namespace, what: str, path: str, fields: Fields) -> None:
        self._namespace = namespace
        self._what = what
        self._path = path
        self._fields = fields
        self._found: Mapping[str, Any] | None = None

    def look(self) -> Step:
        """Compare."""
        where = step.place(self._namespace.path, self._path)
        found = self._namespace.read(self._path)
        self._found = found
        wanted = self._wanted()
        if found is None:
            return step.added(self._what, where, wanted)
        return step.changed(self._what, where, step.differences(wanted, found))

    def carry(self) -> None:
        """Write."""
        self._namespace.write(self._path, self._wanted())

    def _wanted(self) -> Mapping[str, Any]:
        return self._fields()


class Role(Document):
    """A role: a POST would reset what it does not name, so that one that exists is patched.

    A role that was written shows all fields that its server has: the others are not waited for.
    """

    def carry(self) -> None:
        """Write a new one, patch an old one."""
        if self._found is not None:
            self._namespace.patch(self._path, self._wanted())
        else:
            self._namespace.write(self._path, self._wanted())

    def _wanted(self) -> Mapping[str, Any]:
        wanted, found = self._fields(), self._found
        if found is None:
            return wanted
        return {name: value for name, value in wanted.items() if name in found or name not in OPTIONAL}


class NamespacePart:
    """A namespace. One that is there is not written: that would wipe its metadata."""

    def __init__(self, parent: Namespace, child: Namespace) -> None:
        self._parent = parent
        self._child = child
        self._path = f"sys/namespaces/{child.path.rpartition('/')[2]}"

    def look(self) -> Step:
        """Look for it from above, and from within where that is forbidden."""
        try:
            there = self._parent.read(self._path) is not None
        except ForbiddenError:
            there = self._child.read("auth/token/lookup-self") is not None
        change = Change.NOTHING if there else Change.ADD
        return Step(change, "namespace", self._child.path)

    def carry(self) -> None:
        """Make it."""
        self._parent.write(self._path, {})


class SecretsMount:
    """A PKI mount that allows lifetimes as long as its authority's; a longer one is left."""

    def __init__(self, namespace: Namespace, mount: str, seconds: int) -> None:
        self._namespace = namespace
        self._mount = mount
        self._seconds = seconds
        self._there = False
        self._other = ""

    def look(self) -> Step:
        """Compare the longest lifetime."""
        where = step.place(self._namespace.path, self._mount)
        mounts = self._namespace.read("sys/mounts") or {}
        found = mounts.get(f"{self._mount}/")
        self._there = found is not None
        if found is None:
            return step.added("mount", where, {"type": "pki", "max_lease_ttl": self._seconds})
        longest = int((found.get("config") or {}).get("max_lease_ttl") or 0) or _SYSTEM_TTL
        self._other = "" if found.get("type") == "pki" else str(found.get("type"))
        if self._other:
            return step.changed("mount", where, [Difference("type", self._other, "pki")])
        wrong = [Difference("max_lease_ttl", str(longest), str(self._seconds))]
        return step.changed("mount", where, wrong if longest < self._seconds else ())

    def carry(self) -> None:
        """Enable it, or tune it; what somebody else has mounted there is nothing of ours."""
        if self._other:
            raise _taken(self._namespace, self._mount, self._other, "pki")
        lifetimes = {"max_lease_ttl": f"{self._seconds}s"}
        if self._there:
            self._namespace.write(f"sys/mounts/{self._mount}/tune", lifetimes)
        else:
            # What is asked for without a lifetime gets the server's usual one, not the longest.
            self._namespace.write(f"sys/mounts/{self._mount}", {"type": "pki", "config": lifetimes})


class LoginMount:
    """Where a login method is mounted."""

    def __init__(self, namespace: Namespace, kind: str, mount: str) -> None:
        self._namespace = namespace
        self._kind = kind
        self._mount = mount
        self._other = ""

    def look(self) -> Step:
        """Look whether it is there."""
        where = step.place(self._namespace.path, f"auth/{self._mount}")
        found = (self._namespace.read("sys/auth") or {}).get(f"{self._mount}/")
        if found is None:
            return step.added("login method", where, {"type": self._kind})
        self._other = "" if found.get("type") == self._kind else str(found.get("type"))
        wrong = [Difference("type", self._other, self._kind)] if self._other else ()
        return step.changed("login method", where, wrong)

    def carry(self) -> None:
        """Enable it."""
        if self._other:
            raise _taken(self._namespace, f"auth/{self._mount}", self._other, self._kind)
        self._namespace.write(f"sys/auth/{self._mount}", {"type": self._kind})


class PolicyPart:
    """A policy: ours to the last word, since whatever else is in it would widen it.

    One that is there and is about none of our `mounts` is somebody else's.
    """

    def __init__(self, namespace: Namespace, name: str, mounts: Sequence[str], paths: Fields) -> None:
        self._namespace = namespace
        self._path = f"sys/policies/acl/{name}"
        self._mounts = mounts
        self._paths = paths

    def look(self) -> Step:
        """Compare the text, and say where it differs path by path."""
        where = step.place(self._namespace.path, self._path)
        wanted = self._paths()
        found = self._namespace.read(self._path)
        if found is None:
            return step.added("policy", where, {path: _shown(rule) for path, rule in wanted.items()})
        if found.get("policy") == policies.text(wanted):
            return step.changed("policy", where, ())
        if other := policies.elsewhere(found.get("policy"), self._mounts):
            raise ProducerError(
                f"{where} is about {other} and about no mount of ours: of another installation? Set"
                " vault.authority.prefix to a name of your own, or remove the policy if it is yours"
            )
        old = policies.parsed(found.get("policy"))
        differing = [
            Difference(path, _shown(old.get(path)), _shown(wanted.get(path)))
            for path in dict.fromkeys((*old, *wanted))
            if old.get(path) != wanted.get(path)
        ]
        # What is added in another hand is in no path that we can read.
        return step.changed("policy", where, differing or [Difference("text", "changed by others", "ours")])

    def carry(self) -> None:
        """Write all of it: a policy is one text."""
        self._namespace.write(self._path, {"policy": policies.text(self._paths())})


def _taken(namespace: Namespace, mount: str, other: str, kind: str) -> ProducerError:
    where = step.place(namespace.path, mount)
    return ProducerError(
        f"{where} is of type {other}, and {kind} is wanted there: name another mount in the settings"
    )


def _shown(rule: object) -> str:
    if not isinstance(rule, Mapping):
        return ""
    capabilities = step.shown(rule.get("capabilities"))
    parameters = rule.get("allowed_parameters")
    return f"{capabilities} ({', '.join(parameters)})" if parameters else capabilities
