"""Which server has which keys: the slots of a cluster, and whom sentinels name.

Like the commands these are generators, so that they are written once for both colours. They yield
what to send to which nodes at once, and are given the replies, or what failed.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

from redis import exceptions as theirs
from redis.crc import key_slot

from ..network import Node
from .commands import NODES, key_of
from .failures import FAILURES, Redirect, checked, redirect, says

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .commands import Command, Request

__all__ = ["FOLLOWING", "GLANCE", "Sentinels", "Slots"]

T = TypeVar("T")
Sending: TypeAlias = "list[tuple[Node, Sequence[Command]]]"
Route: TypeAlias = Generator[Sending, list[list[Any]], T]

FOLLOWING = 1.0
"""Seconds after which sentinels are asked again whether the master is still the same: one that was
replaced may not hear of it for ten, and until then it takes what is put, and loses it."""

GLANCE = 0.25
"""The share of its time-out for which a call waits for that: what is connected may serve though the
sentinels are silent. An answer that comes later counts all the same."""

_TURNS = 6  # that a command may be sent on; slots that move say so once or twice


class Seeds:
    """Nodes that are asked about the others, one after the other until one answers."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = list(nodes)

    def ask(self, command: Command) -> Route[tuple[Node, Any] | None]:
        """Who answered, and what; the first to be asked next time is whoever did.

        None if all that answer know nothing.
        """
        for turn in range(len(self._nodes)):
            node = self._nodes[0]
            try:
                ((reply,),) = yield [(node, [command])]
                if reply:  # one that has just joined, or was told to leave, knows nothing
                    return node, checked([reply])[0]
            except theirs.ConnectionError:
                if turn == len(self._nodes) - 1:
                    raise
            except FAILURES:  # there is no time left for the others; they come first next time
                self._next()
                raise
            self._next()
        return None

    def prefer(self, nodes: Sequence[Node]) -> None:
        """Asks these, too."""
        self._nodes = list(dict.fromkeys([*self._nodes, *nodes]))[:32]

    def _next(self) -> None:
        self._nodes = [*self._nodes[1:], self._nodes[0]]


class Sentinels(Seeds):
    """Who know where the master of a service is."""

    def __init__(self, nodes: Sequence[Node], service: str) -> None:
        super().__init__(nodes)
        self._service = service.encode()

    def master(self) -> Route[Node]:
        """The node that takes writes."""
        told = yield from self.ask((b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self._service))
        if told is None:
            raise theirs.RedisError("the sentinels know no such service")
        _, (host, port) = told
        return Node(host.decode(), int(port))


class Slots:
    """Which node of a cluster has which slot."""

    def __init__(self, seeds: Sequence[Node]) -> None:
        self._seeds = Seeds(seeds)
        self._of: dict[int, Node] = {}
        self.known = False

    def route(self, request: Request) -> Route[list[Any]]:
        """Sends each command where its key is, and on if the key has moved; the replies in order.

        A node that is away makes the slots unknown, so that the next call learns them anew.
        """
        try:
            return (yield from self._route(request))
        except FAILURES:
            self.known = False
            raise

    def _route(self, request: Request) -> Route[list[Any]]:
        if not self.known:
            yield from self._learn()
        if request is NODES:
            return list(dict.fromkeys(self._of.values()))
        commands, node = request
        replies: list[Any] = [None] * len(commands)
        left = list(range(len(commands)))
        sent_on: dict[int, Redirect] = {}
        for _ in range(_TURNS):
            sending: dict[Node, tuple[list[Command], list[int]]] = {}
            for number in left:
                command = commands[number]
                other = sent_on.get(number)
                target = other.node if other else node or self._node(command)
                out, whose = sending.setdefault(target, ([], []))
                if other and other.asking:
                    out.append((b"ASKING",))
                    whose.append(-1)
                out.append(command)
                whose.append(number)
            answers = yield [(target, out) for target, (out, _) in sending.items()]
            left = []
            for (target, (_, whose)), answer in zip(sending.items(), answers, strict=True):
                for number, reply in zip(whose, answer, strict=True):
                    if number < 0:
                        continue
                    replies[number] = reply
                    if other := redirect(reply, target):
                        sent_on[number] = other
                        self.known = self.known and other.asking
                        left.append(number)
                    elif says(reply, "TRYAGAIN"):
                        left.append(number)
                    elif says(reply, "CLUSTERDOWN"):
                        self.known = False
            if not left:
                break
        return replies

    def _node(self, command: Command) -> Node:
        slot = key_slot(key_of(command))
        if (node := self._of.get(slot)) is None:
            raise theirs.ClusterDownError(f"nobody serves slot {slot}")
        return node

    def _learn(self) -> Route[None]:
        told = yield from self._seeds.ask((b"CLUSTER", b"SLOTS"))
        if told is None:
            raise theirs.ClusterDownError("none of the nodes knows who has the slots")
        asked, ranges = told
        found: dict[int, Node] = {}
        nodes: dict[Node, Node] = {}
        for first, last, master, *_ in ranges:
            node = Node((master[0] or b"").decode() or asked.host, int(master[1]))
            node = nodes.setdefault(node, node)
            found.update(dict.fromkeys(range(first, last + 1), node))
        self._of = found
        self._seeds.prefer(list(nodes))
        self.known = True
