"""The ways to a Redis for those who block: to one server, or to the nodes of a cluster."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock, Thread
from time import monotonic
from typing import Any

from ..network import Node
from .commands import NODES
from .failures import FAILURES
from .pool import Pool, Talk, greet, greeting
from .routes import FOLLOWING, GLANCE, Sentinels, Slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from .commands import Request
    from .place import Place
    from .routes import Route, Sending

    T = TypeVar("T")

__all__ = ["Cluster", "Single", "line_to"]


class Pools:
    """A pool for each node, made when it is first asked."""

    def __init__(self, place: Place, *, sentinel: bool = False) -> None:
        self._place = place
        self._sentinel = sentinel
        self._of: dict[Node, Pool] = {}
        self._lock = Lock()

    def run(self, route: Route[T]) -> T:
        """Goes where the route leads."""
        try:
            sending = next(route)
            while True:
                try:
                    answers = self._send(sending)
                except FAILURES as error:
                    sending = route.throw(error)
                else:
                    sending = route.send(answers)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _send(self, sending: Sending) -> list[list[Any]]:
        talks: dict[Node, Talk] = {}
        try:
            # In one order, or two who have the last connection to a node would wait for the other.
            for node, commands in sorted(sending, key=_node):
                talks[node] = Talk(self._pool(node), commands)
            return [talks[node].replies() for node, _ in sending]
        finally:
            for talk in talks.values():
                talk.drop()

    def _pool(self, node: Node) -> Pool:
        pool = self._of.get(node)
        if pool is None:
            with self._lock:
                pool = self._of.get(node)
                if pool is None:
                    pool = self._made(node)
                    self._of = {**self._of, node: pool}
        return pool

    def _made(self, node: Node) -> Pool:
        place = self._place

        def connect() -> Any:
            return connected(place.connection(node, sentinel=self._sentinel), master=False)

        return Pool(connect, place.pool_size, place.timeout)

    def renew(self) -> None:
        """Forgets all connections, as a child does after a fork."""
        self._lock = Lock()
        self._of = {}

    def forget(self) -> None:
        """Closes what is idle."""
        for pool in self._of.values():
            pool.forget()

    def close(self) -> None:
        """Closes all."""
        for pool in self._of.values():
            pool.close()


class Single:
    """The way to one server, which sentinels name if there are any."""

    whole = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._sentinels = None
        if place.kind == "sentinel":
            self._sentinels = Sentinels(place.nodes, place.service)
            self._pools = Pools(place, sentinel=True)
        self._master: Node | None = None
        self._follow_at = 0.0
        self._asking: Thread | None = None
        self._is_closed = False
        self._pool = self._empty()

    def _empty(self) -> Pool:
        return Pool(self.connect, self._place.pool_size, self._place.timeout)

    def ask(self, request: Request) -> list[Any]:
        """The replies."""
        if request is NODES:
            return [None]
        if self._sentinels is not None and monotonic() >= self._follow_at:
            self._follow()
        return self._pool.ask(request[0])

    def master(self) -> Node | None:
        """Whom the sentinels name just now; None if there are none, or they can't tell."""
        if self._sentinels is None:
            return None
        try:
            return self._pools.run(self._sentinels.master())
        except FAILURES:
            return None  # what is connected may serve all the same

    def watch(self, connection: Any) -> Watch:
        """Whether a connection of this line is to the primary still."""
        is_watched = self._sentinels is not None
        return Watch(self, Node(connection.host, connection.port) if is_watched else None)

    def _follow(self) -> None:
        self._follow_at = monotonic() + FOLLOWING
        if self._asking is not None and self._asking.is_alive():
            return
        self._asking = Thread(target=self._learn, name="twat-cache-sentinels", daemon=True)
        try:
            self._asking.start()
        except RuntimeError:  # the interpreter ends
            return
        self._asking.join(self._place.timeout * GLANCE)

    def _learn(self) -> None:
        master = self.master()
        if master not in (None, self._master):
            self._master = master
            old, self._pool = self._pool, self._empty()
            old.close()
            if self._is_closed:
                self._pool.close()

    def connect(self) -> Any:
        """Another connection, which is nobody's yet."""
        place = self._place
        if self._sentinels is None:
            return connected(place.connection(place.nodes[0]), master=False)
        node = self._pools.run(self._sentinels.master())
        return connected(place.connection(node), master=True)

    def renew(self) -> None:
        """Forgets all connections, as a child does after a fork."""
        self._pool.renew()
        if self._sentinels is not None:
            self._pools.renew()

    def forget(self) -> None:
        """Closes what is idle, since the server isn't what it was."""
        self._pool.forget()

    def close(self) -> None:
        """Closes all connections."""
        self._is_closed = True
        self._pool.close()
        if self._sentinels is not None:
            self._pools.close()


class Watch:
    """Asks the sentinels now and then, in the background: one that is silent holds up nobody.

    Args:
        line: The way to the server.
        node: The one that is connected; None if there are no sentinels.
    """

    def __init__(self, line: Single, node: Node | None) -> None:
        self._line = line
        self._node = node
        self._named: Node | None = None
        self._ask_at = monotonic() + FOLLOWING
        self._asking: Thread | None = None

    def has_moved(self) -> bool:
        """Whether another server has become the primary, as far as is known."""
        if self._node is None:
            return False
        is_asking = self._asking is not None and self._asking.is_alive()
        if monotonic() >= self._ask_at and not is_asking:
            self._ask_at = monotonic() + FOLLOWING
            self._asking = Thread(target=self._ask, name="twat-cache-sentinels", daemon=True)
            try:
                self._asking.start()
            except RuntimeError:  # the interpreter ends
                pass
        return self._named not in (None, self._node)

    def _ask(self) -> None:
        self._named = self._line.master()


class Cluster(Pools):
    """The ways to the nodes of a cluster."""

    whole = False

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._slots = Slots(place.nodes)

    def ask(self, request: Request) -> list[Any]:
        """The replies."""
        return self.run(self._slots.route(request))

    def forget(self) -> None:
        """Closes what is idle, and learns anew who has what."""
        self._slots.known = False
        super().forget()


def _node(sending: tuple[Node, Any]) -> Node:
    return sending[0]


def line_to(place: Place) -> Single | Cluster:
    """The way to a place."""
    return Cluster(place) if place.kind == "cluster" else Single(place)


def connected(connection: Any, *, master: bool) -> Any:
    """The connection, which has greeted the server."""
    try:
        connection.connect()
        connection.send_command(*greeting(master=master), check_health=False)
        try:
            reply = connection.read_response()
        except FAILURES as error:
            reply = error
        greet(reply, master=master)
    except BaseException:
        with suppress(*FAILURES):
            connection.disconnect()
        raise
    return connection
