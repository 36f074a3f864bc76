"""The drivers of the languages, and the faults that each goes through; run.py says what they are for."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

from harness import Server  # noqa: E402
from proxy import Proxy  # noqa: E402

FIRST_ANSWER, PATIENCE = 120, 10
WAYS = ("process", "stream", "renewal")


class Failed(Exception):
    """The library did not do what a rule says."""


class Unsupported(Exception):
    """The library has no such thing."""


class Driver:
    """The driver of a language, started for one case."""

    def __init__(self, program, url):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        env={**os.environ, "LEASEHOLD_URL": url})
        self.text = b""
        self.send(do="hello")
        self.hello = self.answer(FIRST_ANSWER)

    def send(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, timeout):
        """The next answer, whatever it says."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.text:
            if not select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Failed(f"no answer within {timeout:g} s")
            got = os.read(self.process.stdout.fileno(), 65536)
            if not got:
                raise Failed("the driver ended")
            self.text += got
        line, _, self.text = self.text.partition(b"\n")
        answer = json.loads(line)
        if answer.get("error") == "unsupported":
            raise Unsupported
        return answer

    def ask(self, do, patience=0.0, **command):
        """Does it, and takes no error for an answer."""
        self.send(do=do, **command)
        answer = self.answer(patience + PATIENCE)
        if not answer["ok"]:
            raise Failed(f"{do}: {answer['error']} {answer.get('code')}: {answer.get('message')}")
        return answer

    def fails(self, kind, do, patience=0.0, **command):
        self.send(do=do, **command)
        answer = self.answer(patience + PATIENCE)
        if answer["ok"] or answer["error"] != kind:
            raise Failed(f"{do}: {answer.get('error', 'done')} and not {kind}: {answer.get('message')}")
        return answer

    def stop(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            stream.close()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()


class Case:
    """One fault for one library: a daemon of its own, and what is needed to judge."""

    def __init__(self, program, way):
        self.program, self.way = program, way
        self.server = Server("--heartbeat", "200ms").start()
        self.parts = []

    def driver(self, url=None):
        driver = Driver(self.program, url or f"unix:{self.server.unix}")
        self.parts.append(driver)
        if self.way and self.way not in driver.hello["keeps"]:
            raise Unsupported
        return driver

    def proxy(self):
        proxy = Proxy(self.server.unix)
        self.parts.append(proxy)
        return proxy

    def options(self, ttl=2.0):
        return {"keep": self.way, **({"ttl": ttl} if self.way == "renewal" else {})}

    def count(self, name="held"):
        answer = self.server.over_unix.lock("lock")
        return answer[name] if answer.status == 200 else 0

    def until(self, condition, what, within):
        """How long it took."""
        begun = time.monotonic()
        while not condition():
            if time.monotonic() - begun > within:
                raise Failed(f"not within {within:g} s: {what}")
            time.sleep(0.005)
        return time.monotonic() - begun

    def free(self, within):
        return self.until(lambda: not self.count() and not self.count("waiting"), "the lock is free", within)

    def lost(self, driver, within):
        """Waits for the signal; how long it took."""
        begun = time.monotonic()
        answer = driver.ask("wait_lost", **{"as": "a"}, timeout=within, patience=within)
        if not answer["lost"]:
            raise Failed(f"not told within {within:g} s that the lease is lost")
        return time.monotonic() - begun

    def held(self, driver):
        answer = driver.ask("state", **{"as": "a"})
        if not answer["held"]:
            raise Failed(f"says that it is lost: {answer['reason']}")

    def other(self, **query):
        """Somebody else has the lock."""
        return self.server.over_unix.acquire("lock", ttl="60s", **query).json

    def stop(self):
        for part in self.parts:
            part.close() if isinstance(part, Proxy) else part.stop()
        self.server.stop()


def seconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def restarted(case):
    """A daemon that is killed and started again at once."""
    driver = case.driver()
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options())
    case.server.kill()
    case.server.start()
    if case.way == "stream":
        return f"lost, told after {seconds(case.lost(driver, 5))}"
    time.sleep(2.5)
    case.held(driver)
    driver.ask("check", **{"as": "a"})
    if case.count() != 1 or not driver.ask("release", **{"as": "a"})["held"]:
        raise Failed("the service does not have the lease any more")
    case.free(2)
    return "stays"


def answer_lost(case):
    """The connection ends before, or within, the answer to the acquire."""
    for down in (0, 20, 200):
        proxy = case.proxy()
        driver = case.driver(proxy.url)
        proxy.plan(down=down, then="close")
        driver.ask("acquire", **{"as": "a"}, key="lock", wait=5, **case.options())
        if case.count() != 1:
            raise Failed(f"{case.count()} leases")
        driver.ask("release", **{"as": "a"})
        case.free(1)
    return "one lease"


def broken(case):
    """An operator ends the lease."""
    driver = case.driver()
    ref = driver.ask("acquire", **{"as": "a"}, key="lock", **case.options())["ref"]
    time.sleep(0.3)
    threading.Timer(0.1, lambda: case.server.over_unix.post(f"/leases/{ref}/break", reason="test")).start()
    took = case.lost(driver, 5) - 0.1
    if driver.fails("lease-lost", "check", **{"as": "a"}).get("reason") != "broken":
        raise Failed("the reason is not told")
    if driver.ask("release", **{"as": "a"})["held"]:
        raise Failed("the release says that it was held")
    return f"told after {seconds(max(took, 0.001))}"


def holder_killed(case):
    """kill -9 of the holder."""
    driver = case.driver()
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(1.0))
    driver.process.kill()
    return f"free after {seconds(case.free(4))}"


def both_killed(case):
    """kill -9 of the holder and of the daemon."""
    driver = case.driver()
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(1.0))
    driver.process.kill()
    case.server.kill()
    case.server.start()
    return f"free after {seconds(case.free(6))}"


def stopped(case):
    """SIGSTOP until the deadline is past, then the first look."""
    driver = case.driver()
    more = {"max_hold": 1.0} if case.way != "renewal" else {}
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(1.0), **more)
    driver.process.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    if case.count():
        raise Failed("the service has it still")
    driver.send(do="state", **{"as": "a"})
    driver.process.send_signal(signal.SIGCONT)
    if driver.answer(PATIENCE)["held"]:
        raise Failed("says that it is held")
    return "lost with the first look"


def away(case):
    """The service is away for longer than the lease."""
    if case.way != "renewal":
        driver = case.driver()
        driver.ask("acquire", **{"as": "a"}, key="lock", **case.options())
        case.server.kill()
        if case.way == "stream":
            told = case.lost(driver, 5)
            case.server.start()
            case.free(5)
            return f"lost, told after {seconds(told)}"
        time.sleep(3)
        case.held(driver)
        case.server.start()
        time.sleep(0.5)
        case.held(driver)
        if case.count() != 1:
            raise Failed("the service has lost it")
        return "stays"
    driver = case.driver()
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(1.0))
    case.server.kill()
    took = case.lost(driver, 3)
    if took > 1.1:
        raise Failed(f"told after {took:.2f} s, with a ttl of 1 s")
    case.server.start()
    case.free(3)
    return f"lost, told after {seconds(took)} of 1 s"


def silent(case):
    """A proxy passes nothing on any more, and ends no connection."""
    proxy = case.proxy()
    driver = case.driver(proxy.url)
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(1.0))
    time.sleep(0.9)
    case.held(driver)
    proxy.silent = True
    if case.way == "process":
        time.sleep(2)
        case.held(driver)
        return "stays"
    took = case.lost(driver, 25)
    if case.way == "renewal" and took > 1.1:
        raise Failed(f"told after {took:.2f} s, with a ttl of 1 s")
    return f"lost, told after {seconds(took)}"


def nobody_answers(case):
    """A proxy takes the request to acquire, and nothing comes back."""
    proxy = case.proxy()
    driver = case.driver(proxy.url)
    proxy.plan(down=0)
    proxy.plan(down=0)
    proxy.plan(down=0)
    begun = time.monotonic()
    driver.send(do="acquire", **{"as": "a"}, key="lock", wait=0, timeout=0.5, **case.options(30.0))
    answer = driver.answer(20)
    if answer["ok"]:
        driver.ask("release", **{"as": "a"})
    elif answer["error"] != "unavailable":
        raise Failed(f"{answer['error']} and not unavailable: {answer['message']}")
    took = time.monotonic() - begun
    proxy.cut()
    case.free(6)
    return f"{'got it' if answer['ok'] else 'told'} after {seconds(took)}, no slot left"


def canceled(case):
    """An acquire that waits is canceled by the program."""
    driver = case.driver()
    other = case.other()
    driver.fails("canceled", "acquire", **{"as": "a"}, key="lock", cancel_after=0.3, **case.options())
    took = case.until(lambda: not case.count("waiting"), "the queue is empty", 2)
    case.server.over_unix.release(other)
    case.free(1)
    return f"left after {seconds(took)}"


def canceled_at_the_grant(case):
    """An acquire is canceled about when it is granted, 25 times."""
    driver = case.driver()
    for number in range(25):
        other = case.other()
        threading.Timer(0.05 + 0.0004 * (number - 12), case.server.over_unix.release, [other]).start()
        driver.send(do="acquire", **{"as": "a"}, key="lock", wait=5, cancel_after=0.05, **case.options(30.0))
        if driver.answer(PATIENCE)["ok"]:
            driver.ask("release", **{"as": "a"})
        case.free(3)
    return "no slot left"


def waits_through(case):
    """The daemon is killed and started again while an acquire waits."""
    driver = case.driver()
    other = case.other()
    driver.send(do="acquire", **{"as": "a"}, key="lock", wait=15, **case.options())
    case.until(lambda: case.count("waiting"), "it waits", 3)
    case.server.kill()
    time.sleep(0.3)
    case.server.start()
    case.until(lambda: case.count("waiting"), "it waits again", 5)
    case.server.over_unix.release(other)
    answer = driver.answer(10)
    if not answer["ok"]:
        raise Failed(f"{answer['error']}: {answer.get('message')}")
    return "gets it"


def release_away(case):
    """The lease is released while the daemon is away."""
    driver = case.driver()
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(30.0))
    case.server.kill()
    begun = time.monotonic()
    driver.ask("release", **{"as": "a"})
    took = time.monotonic() - begun
    if took > 3:
        raise Failed(f"the release took {took:.1f} s")
    case.server.start()
    case.free(8)
    return "free when it is back"


def errors(case):
    """What others have, what one has oneself, and what cannot be."""
    driver = case.driver()
    other = case.other()
    driver.fails("locked", "acquire", **{"as": "a"}, key="lock", wait=0)
    driver.fails("wait-timeout", "acquire", **{"as": "a"}, key="lock", wait=0.2)
    driver.fails("invalid", "acquire", **{"as": "a"}, key="lock", keep="renewal", ttl=0)
    driver.fails("invalid", "acquire", **{"as": "a"}, key="lock", slots=2, count=3)
    case.server.over_unix.release(other)
    driver.ask("acquire", **{"as": "a"}, key="lock", wait=0)
    driver.ask("release", **{"as": "a"})
    driver.ask("acquire", **{"as": "b"}, keys=["lock", "lock 2"], wait=0)
    if [driver.ask("release", **{"as": "b"})["held"] for _ in range(2)] != [True, False]:
        raise Failed("a release does not say whether the lease was held")
    case.free(1)
    return "as named"


EVERY = [restarted, away, answer_lost, nobody_answers, broken, holder_killed, both_killed, stopped, silent, canceled,
         canceled_at_the_grant, waits_through, release_away]
TITLES = {
    restarted: "daemon killed, and started again", away: "service away for longer than the lease (1 s), or for 3 s",
    answer_lost: "answer to the acquire lost", nobody_answers: "answer to the acquire never comes",
    broken: "lease broken by an operator", holder_killed: "holder killed (`kill -9`)",
    both_killed: "holder and daemon killed", stopped: "process stopped past its deadline",
    silent: "proxy goes silent", canceled: "canceled while it waits", canceled_at_the_grant: "canceled at the grant",
    waits_through: "daemon restarted while it waits", release_away: "released while the daemon is away",
    errors: "errors",
}
