"""Callers of the kill loop that do one thing each: conversions, transfers, holds, processes, retries, queues, notes."""

import contextlib
import json
import select
import subprocess
import time

from history import RW_UNITS
from support import FAILURES, quiet
from traffic import Caller

JSON = {"Content-Type": "application/json"}


class Converter(Caller):
    """A reader becomes a writer, perhaps after a wait, and a reader again."""

    def turn(self):
        lock = self.random.choice([lock for lock in self.locks if lock.is_readers_writer])
        modes = self.random.choice(
            (("shared", "exclusive"), ("shared", "exclusive", "shared"), ("exclusive", "shared")))
        grant = self.acquire(lock, mode=modes[0], ttl="800ms", wait=f"{self.random.choice(self.WAITS_MS)}ms")
        if grant is None:
            return
        for mode in modes[1:]:
            if not self.convert(grant, lock, mode):
                break
        if self.random.random() < 0.8:
            self.release(grant)

    def convert(self, grant, lock, mode):
        if mode == "shared":
            grant.becomes(1)
        answer = self.ask(
            "POST", f"{lock.path}/convert", lease=grant.lease, mode=mode,
            wait=f"{self.random.choice(self.WAITS_MS)}ms")
        done = answer is not None and answer.status == 200
        if done and mode == "exclusive":
            grant.becomes(RW_UNITS)
        return done


class Mover(Caller):
    """A lease goes on under another id, and another; the old ids are over."""

    def turn(self):
        lock = self.random.choice(self.locks)
        grant = self.acquire(lock, ttl="800ms", **lock.want(self.random))
        while grant is not None:
            if self.random.random() < 0.4:
                return self.release(grant)
            grant = self.transfer(grant)

    def transfer(self, grant):
        sent_at = grant.release_sent_at = time.monotonic_ns()
        answer = self.ask("POST", f"/leases/{grant.lease}/transfer", owner=f"eve-{self.random.randint(1, 9)}")
        if answer is None or answer.status not in (200, 201):
            return None  # Perhaps it was done and nobody heard of it: both end with their ttl.
        grant.ended_at = time.monotonic_ns()
        return self.history.granted(answer.json, sent_at)


class Holder(Caller):
    """A lease that ends with its connection, which the daemon's death ends too."""

    def turn(self):
        lock = self.random.choice([lock for lock in self.locks if lock.is_own])
        connection = self.wire.client.connection(10)
        sent_at = time.monotonic_ns()
        query = "&".join(f"{name}={value}" for name, value in (lock.want(self.random) | {"wait": "50ms"}).items())
        try:
            connection.request("POST", f"{lock.path}/hold?{query}")
            response = connection.getresponse()
            if response.status != 201:
                response.read()
                return
            grant = self.history.granted(json.loads(response.readline()), sent_at)
            grant.latest, grant.deadline = None, grant.granted_at
            time.sleep(self.random.random() * 0.03)
            before = time.monotonic_ns()
            # A daemon that is dead has closed it: who hears nothing of that holds the lock.
            if not select.select([response], [], [], 0)[0]:
                grant.deadline = before
            response.close()
            grant.ended_at = time.monotonic_ns()
        except (ValueError, *FAILURES):
            time.sleep(0.002)
        finally:
            connection.close()


class Bound(Caller):
    """A lease without a deadline that ends with a process, also when that ends while no daemon runs."""

    def __init__(self, seed, client, history, locks):
        super().__init__(seed, client, history, locks)
        self.process = self.grant = None

    def turn(self):
        if self.grant is None:
            lock = self.random.choice(self.locks)
            if self.process is None:
                self.process = subprocess.Popen(["sleep", "600"])
            # Nobody hears of a lease whose answer is lost: so it has an end.
            self.grant = self.acquire(
                lock, bind=f"pid:{self.process.pid}", wait=f"{self.random.choice(self.WAITS_MS)}ms",
                **lock.want(self.random))
            if self.grant is None:
                self.leave()
        elif self.random.random() < 0.5:
            self.leave()
        time.sleep(self.random.random() * 0.02)

    def leave(self):
        """The process ends, and with it the lease."""
        if self.process is None:
            return
        if self.grant is not None:
            self.grant.release_sent_at = time.monotonic_ns()
        self.process.kill()
        self.process.wait()
        if self.grant is not None:
            self.grant.ended_at = time.monotonic_ns()
        self.process = self.grant = None


class Keyed(Caller):
    """Requests with an Idempotency-Key, for one lock or two, repeated until there is an answer, over kills too."""

    def turn(self):
        key = f"{self.name}-{self.turns}"
        if self.random.random() < 0.5:
            lock = self.random.choice(self.locks)
            target, body = f"{lock.path}/acquire", lock.want(self.random)
        else:
            locks = self.random.sample(self.locks, 2)
            target, body = "/leases", {"want": [{"key": lock.key, **lock.want(self.random)} for lock in locks]}
        body |= {"owner": key, "ttl": "3s", "wait": f"{self.random.choice(self.WAITS_MS)}ms"}
        request = ("POST", target, json.dumps(body), JSON | {"Idempotency-Key": key})
        sent_at = time.monotonic_ns()
        answer = self.until_answered(*request)
        if answer.status in (200, 201):
            grant = self.history.granted(answer.json, sent_at)
            self.alone(grant, key)
            if self.random.random() < 0.3:
                self.again(grant, request, sent_at)
            grant.release_sent_at = time.monotonic_ns()
            answer = self.until_answered("DELETE", f"/leases/{grant.lease}")
            grant.ended_at = time.monotonic_ns()
            self.expect(answer.status in (200, 410), f"{key}: the release of its lease: {answer}")
        elif answer.status not in (410, 409, 423):
            self.history.violation(f"{key}: {answer}")
        self.alone(None, key)

    def alone(self, grant, key):
        """Of one request there is one lease at most, and of one that was ended none."""
        answer = self.until_answered("GET", f"/leases?owner={key}")
        refs = [lease["ref"] for lease in answer["leases"]]
        if grant is None:
            self.expect(not refs, f"{key}: leases {refs} after its end")
        elif grant.is_certain(time.monotonic_ns()):
            why = "" if refs == [grant.ref] else self.until_answered("GET", f"/leases/{grant.lease}")
            self.expect(refs == [grant.ref], f"{key}: leases {refs}, not {grant.ref} of {grant.stands}: {why}")
        else:
            self.expect(len(refs) < 2, f"{key}: leases {refs}")

    def again(self, grant, request, sent_at):
        answer = self.until_answered(*request)
        if answer.status in (200, 201):
            same = self.history.granted(answer.json, sent_at)
            self.expect(same is grant and answer["replayed"], f"{request}: another lease: {answer}")
        else:
            over = answer.status == 410 and not grant.is_certain(time.monotonic_ns())
            self.expect(over, f"{request}, repeated: {answer}")

    def until_answered(self, method, target, body=None, headers=None):
        while True:
            answer = self.ask(method, target, body=body, headers=headers)
            # A daemon that stops says so; the next one answers.
            if answer is not None and answer.status != 503:
                return answer
            time.sleep(0.002)

    def expect(self, condition, text):
        if not condition:
            self.history.violation(text)


class Line(Keyed):
    """A queue of its own: who came first is served first, whatever connections break; after a kill all come again."""

    WAIT = "limit=1&ttl=8s&wait=8s"

    def turn(self):
        path = f"/locks/line-{self.name}"
        head = self.until_answered("POST", f"{path}/acquire?{self.WAIT}", headers=self.key_of("head"))
        line = [f"{number}" for number in range(self.random.randint(2, 4))]
        for _ in range(30):
            if not line or head.status not in (200, 201):
                return
            try:
                self.serve(path, head, line)
            except FAILURES:
                self.until_answered("GET", "/readyz")
                self.random.shuffle(line)
        self.history.violation(f"{path}: {line} are not served")

    def key_of(self, who):
        return {"Idempotency-Key": f"{self.name}-{self.turns}-{who}"}

    def serve(self, path, head, line):
        """Lines up, in this order, and is served; whoever was is taken out of the line."""
        order, fences = list(line), {}
        with contextlib.ExitStack() as stack:
            waits, is_held = {}, self.wire.request("GET", f"/leases/{head['lease']}").status == 200
            for who in order:
                waits[who] = self.line_up(stack, path, who)
                if is_held and self.random.random() < 0.2:
                    # A connection breaks, and its request comes again: it has its place.
                    waits[who].close()
                    self.await_place(path, who, True)
                    waits[who] = self.line_up(stack, path, who)
            try:
                # Those that were served before the kill and did not hear of it.
                for who in order:
                    if self.is_answered(waits[who]):
                        self.take(path, waits.pop(who), who, line, fences)
                self.until_answered("DELETE", f"/leases/{head['lease']}")
                for who, connection in waits.items():
                    self.take(path, connection, who, line, fences)
            finally:
                served = [fences[who] for who in order if who in fences]
                self.expect(served == sorted(served), f"{path}: {order} have fences {served}")

    def take(self, path, connection, who, line, fences):
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status == 503:
            raise OSError("the daemon stops")
        line.remove(who)
        if response.status not in (200, 201):
            return self.history.violation(f"{path}: {who}: {response.status} {answer}")
        if not answer["replayed"]:
            fences[who] = answer["fence"]
        self.until_answered("DELETE", f"/leases/{answer['lease']}")

    def line_up(self, stack, path, who):
        """Sends a request, and goes on when it has its place, or its answer."""
        connection = self.wire.client.connection(10)
        stack.callback(connection.close)
        connection.request("POST", f"{path}/acquire?{self.WAIT}&owner={who}", headers=self.key_of(who))
        self.await_place(path, who, False, connection)
        return connection

    def await_place(self, path, who, is_detached, connection=None):
        """Waits until somebody has a place and is told of, or not."""
        deadline = time.monotonic() + 8
        while connection is None or not self.is_answered(connection):
            answer = self.wire.request("GET", path)
            waiters = answer["waiters"] if answer.status == 200 else []
            if any(waiter["owner"] == who and waiter["detached"] == is_detached for waiter in waiters):
                return
            if time.monotonic() > deadline:
                return self.history.violation(f"{path}: {who} has no place{' to keep' * is_detached}: {answer}")
            time.sleep(0.001)

    @staticmethod
    def is_answered(connection):
        return select.select([connection.sock], [], [], 0)[0]


class Keeper(Keyed):
    """A lock of its own whose lease keeps the slot for a time at least, and says what it is about."""

    def __init__(self, seed, client, history, locks):
        super().__init__(seed, client, history, locks)
        self.kept_until = 0

    def turn(self):
        path, name = f"/locks/kept-{self.name}", f"{self.name}-{self.turns}"
        hold = self.random.choice((50, 150, 400))
        target = f"{path}/acquire?ttl=3s&wait=5s&hold_at_least={hold}ms&owner={name}&note={name}"
        sent_at = time.monotonic_ns()
        answer = self.until_answered("POST", target, headers={"Idempotency-Key": name})
        if answer.status not in (200, 201):
            return self.expect(answer.status == 410, f"{path}: {answer}")
        grant = self.history.granted(answer.json, sent_at)
        early = (self.kept_until - grant.granted_at) / 1_000_000
        self.expect(early <= 0, f"{path}: granted {early} ms too early: {answer}")
        self.kept_until = sent_at + hold * 1_000_000
        note = self.noted(path, grant, name)
        self.until_answered("POST", f"/leases/{grant.lease}/renew?note={note}")
        self.noted(path, grant, note)
        if self.random.random() < 0.2:
            self.kept_until = 0
        grant.release_sent_at = time.monotonic_ns()
        self.until_answered("DELETE", f"/leases/{grant.lease}" + ("" if self.kept_until else "?early=true"))
        grant.ended_at = time.monotonic_ns()

    def noted(self, path, grant, note):
        """A note is what its holder said last, unless a restart forgot it; answers another one."""
        holders = self.until_answered("GET", path).json.get("holders", [])
        notes = [holder.get("note") for holder in holders if holder["ref"] == grant.ref]
        self.expect(not notes or notes[0] in (note, None), f"{path}: the note is {notes}, not {note}")
        return f"{note}-more"


class Namer(Caller):
    """An operator who gives the slots other names while leases have them, and pauses the lock now and then."""

    OTHER = "gpu4"

    def turn(self):
        for lock in self.locks:
            if lock.names:
                names = lock.names if self.random.random() < 0.5 else (*lock.names[1:], self.OTHER)
                if self.random.random() < 0.2:
                    self.ask("PUT", lock.path, limit=0, resize="true")
                self.ask("PUT", lock.path, slots=",".join(names), resize="true", pinned="true")
        time.sleep(self.random.random() * 0.02)

    def park(self):
        """Leaves no lock paused."""
        for lock in self.locks:
            if lock.names:
                quiet(lambda lock=lock: self.put(lock), 20, 0.05)
        super().park()

    def put(self, lock):
        answer = self.ask("PUT", lock.path, slots=",".join(lock.names), resize="true", pinned="true")
        return answer is not None and answer.status in (200, 201)
