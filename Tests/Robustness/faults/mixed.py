"""The traffic under which calls fail: something of everything that the service does, all of it short."""

import contextlib
import http.client
import json
import subprocess
import time

from support import KeepAlive
from traffic import Caller, Lock

JSON = {"Content-Type": "application/json"}
PATIENCE = 8  # seconds: nothing here waits for more than a fraction of one
EXPECTED = {200, 201, 202, 204, 403, 404, 409, 410, 412, 422, 423}
PHP, SYSV, APACHE = "php:0x5afe10", "sysv:0x5afe11.0", "apache:0x5afe12"


LOCKS = [Lock("mutex", None), Lock("pool", 4), Lock("pair-a", 2), Lock("pair-b", 2)]
SHARED = Lock("shared-pool", 6)  # with native programs


class Judge:
    """Hears of every answer, and knows whether a call may have failed on its way."""

    def __init__(self, report):
        self.report, self.fault, self.hurt = report, None, 0
        self.usual, self.unusual = set(), set()  # codes of refusals without and with a fault

    def refusal(self, answer):
        with contextlib.suppress(ValueError, KeyError):
            code = answer["code"]
            if self.fault is None:
                self.usual.add(code)
            elif code not in self.usual:
                self.unusual.add(code)

    def answer(self, method, target, answer, seconds):
        if answer.status >= 400:
            self.refusal(answer)
        if seconds > PATIENCE / 2:
            self.report.violation(f"{self.fault}: {method} {target} took {seconds:.1f} s: {answer}")
        if answer.status in EXPECTED or (target == "/readyz" and answer.status == 503):
            return
        self.hurt += 1
        if self.fault is None:
            self.report.violation(f"without a fault: {method} {target}: {answer}")
        elif "problem+json" not in (answer.headers.get("Content-Type") or ""):
            self.report.violation(f"{self.fault}: {method} {target}: not a problem: {answer}")
        elif answer.status < 500 or "shutting down" in answer.text or "stopping" in answer.text:
            self.report.violation(f"{self.fault}: {method} {target}: not what happened: {answer}")

    def silence(self, method, target, error):
        """No answer."""
        self.hurt += 1
        if isinstance(error, TimeoutError):
            self.report.violation(f"{self.fault}: {method} {target}: no answer in {PATIENCE} s")


class JudgedWire(KeepAlive):
    """A connection whose answers are judged."""

    def __init__(self, client, judge):
        super().__init__(client, timeout=PATIENCE)
        self.judge = judge

    def request(self, method, target, **query):
        begun = time.monotonic()
        try:
            answer = super().request(method, target, **query)
        except (OSError, http.client.HTTPException) as error:
            self.judge.silence(method, target, error)
            raise
        self.judge.answer(method, target, answer, time.monotonic() - begun)
        return answer


class Holder(Caller):
    """Named locks, one at a time."""

    TTLS_MS, RENEWALS_MS, WAITS_MS = (100, 150, 250), (100, 200), (0, 20, 60)

    def __init__(self, seed, client, history, locks, judge):
        super().__init__(seed, client, history, locks)
        self.wire = JudgedWire(client, judge)


class Pairs(Holder):
    """Two locks on one lease."""

    def turn(self):
        first, second = LOCKS[2], LOCKS[3]
        sent_at = time.monotonic_ns()
        body = {
            "want": [{"key": lock.key, "limit": lock.limit} for lock in self.random.sample((first, second), 2)],
            "ttl": "150ms", "wait": f"{self.random.choice(self.WAITS_MS)}ms",
        }
        answer = self.ask(
            "POST", "/leases", body=json.dumps(body), headers=JSON)
        if answer is None or answer.status not in (200, 201):
            return
        grant = self.history.granted({**answer.json, "sysv": {"units": 1}}, sent_at)
        if self.random.random() < 0.8:
            self.release(grant)


class Natives(Holder):
    """Locks in sets of PHP, Perl and others."""

    def turn(self):
        kind = self.random.choice((
            (PHP, {"limit": 2}), (SYSV, {}), (APACHE, {"mode": self.random.choice(("shared", "exclusive"))}),
            (self.path, {"limit": 2}),
        ))
        answer = self.ask("POST", f"/locks/{kind[0]}/acquire", ttl="120ms", wait="50ms", **kind[1])
        if answer is None or answer.status not in (200, 201):
            return
        if self.random.random() < 0.2:
            self.ask("POST", f"/leases/{answer['lease']}/renew", ttl="120ms")
        if self.random.random() < 0.8:
            self.ask("DELETE", f"/leases/{answer['lease']}")


class Rest(Holder):
    """Variables, events, raw operations, holds, processes, lists: whatever makes other calls."""

    def turn(self):
        self.random.choice((
            self.variable, self.look, self.operation, self.hold, self.process, self.make, self.fresh, self.shared
        ))()

    def variable(self):
        name = f"/shm/{self.random.randint(1, 4)}"
        written = self.ask("PUT", name, body=str(self.random.random()), headers=JSON)
        self.ask("GET", name)
        if written is not None and self.random.random() < 0.2:
            self.ask("DELETE", name)

    def look(self):
        for target in self.random.sample(("/locks", "/leases", "/semaphores", "/segments", "/metrics", "/events?wait=0",
                                          "/readyz", "/version", "/events?wait=30ms"), 3):
            self.ask("GET", target)

    def operation(self):
        lease = self.ask("POST", "/semaphores/0x5afe11/op?ops=0:-1:undo&ttl=150ms")
        if lease is not None and lease.status == 201:
            self.ask("DELETE", f"/leases/{lease['lease']}")
        self.ask("POST", "/semaphores/0x5afe11/op?ops=1:-1&wait=20ms")

    def hold(self):
        """Reads two lines of a lease that ends with its connection."""
        connection = self.wire.client.connection(PATIENCE)
        try:
            connection.request("POST", f"/locks/hold-{self.random.randint(1, 3)}/hold?ttl=200ms")
            response = connection.getresponse()
            if response.status == 201:
                response.readline()
                response.readline()
            else:
                response.read()
            response.close()
        except (OSError, http.client.HTTPException) as error:
            self.wire.judge.silence("POST", "/hold", error)
        finally:
            connection.close()

    def process(self):
        with subprocess.Popen(["sleep", "60"]) as bound:
            self.ask("POST", "/locks/bound/acquire", bind=f"pid:{bound.pid}", ttl="300ms", wait="50ms")
            bound.kill()

    def make(self):
        """A set and a segment that come and go."""
        for folder, query in (("/semaphores", {"nsems": 3}), ("/segments", {"size": 4096})):
            made = self.ask("POST", folder, key="private", **query)
            if made is not None and made.status == 201:
                self.ask("DELETE", f"{folder}/id:{made['id']}")

    def fresh(self):
        """A name that was never used, so that a place is opened for it, on a connection of its own."""
        self.wire.close()
        key = f"fresh-{self.random.randint(1, 1 << 30)}"
        self.ask("POST", f"/locks/{key}/acquire", ttl="100ms")
        self.ask("DELETE", f"/locks/{key}", force="true")

    def shared(self):
        lease = self.ask("POST", "/locks/mutex/acquire", mode="shared", ttl="150ms", wait="30ms")
        if lease is not None and lease.status == 201:
            self.ask("POST", "/locks/mutex/convert", lease=lease["lease"], mode="exclusive", wait="20ms")
            self.ask("DELETE", f"/leases/{lease['lease']}")


def workers(server, history, judge, chance, path):
    """All of them."""
    made = []
    for kind, client in (
        (Holder, server), (Holder, server.over_unix), (Pairs, server.over_unix), (Natives, server.over_unix),
        (Rest, server.over_unix), (Rest, server.over_unix),
    ):
        worker = kind(chance.random(), client, history, LOCKS[:2] + [SHARED], judge)
        worker.path = path
        made.append(worker)
    return made


