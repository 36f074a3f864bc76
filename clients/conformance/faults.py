"""The faults that the library of each language goes through; run.py says what they are for."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from driving import PATIENCE, Failed, Unsupported
from harness import free_port

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
TIME_NAMESPACE = ("unshare", "--time", "--monotonic", "86400", "--boottime", "86400")
WAYS = ("process", "stream", "renewal")


def seconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def upgraded(case):
    """A daemon that is told to end (TERM), and started again at once."""
    return restarted(case, case.server.terminate)


def restarted(case, end=None):
    """A daemon that is killed and started again at once."""
    if case.way == "stream":  # however long the start takes here
        case.server.terminate()
        case.server.arguments += ["--recovery-grace", "10s"]
        case.server.start()
    driver = case.driver()
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options())
    (end or case.server.kill)()
    case.server.start()
    time.sleep(2.5)
    if case.way == "stream":
        case.until(lambda: driver.ask("state", **{"as": "a"})["remaining"] is None, "it is bound again", 8)
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
        case.until(lambda: case.count() == 1, "there is one lease", 2)
        driver.ask("release", **{"as": "a"})
        case.free(2)
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
            if told > 2.6:
                raise Failed(f"told after {told:.2f} s, with a grace of 2 s")
            case.server.start()
            case.free(5)
            return f"lost, told after {seconds(told)}; the grace is 2 s"
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
    if not driver.ask("release", **{"as": "a"})["held"]:
        raise Failed("the release says that it was lost")
    took = time.monotonic() - begun
    if took > 3:
        raise Failed(f"the release took {took:.1f} s")
    case.server.start()
    case.free(8)
    return "free when it is back"


def stepped(case):
    """The clock that can be set goes an hour forward, and then an hour back; then the service is away."""
    file = os.path.join(case.server.directory, "clock")
    step_to(file, 0)
    driver = case.driver(LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=file, FAKETIME_NO_CACHE="1",
                         FAKETIME_DONT_FAKE_MONOTONIC="1")
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(1.0))
    for hours in (1, -1):
        step_to(file, hours)
        if abs(driver.ask("hello").get("wall", 0) - time.time() - hours * 3600) > 60:
            raise Unsupported
        time.sleep(1.2)
        case.held(driver)
    return stays(case, driver)


def step_to(file, hours):
    if not os.path.exists(FAKETIME):
        raise Unsupported
    with open(f"{file}.new", "w", encoding="ascii") as text:
        text.write(f"{hours:+d}h")
    os.replace(f"{file}.new", file)


def other_clocks(case):
    """The clocks of the holder's time namespace are a day ahead of the service's; then the service is away."""
    driver = case.driver(within=TIME_NAMESPACE)
    driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(1.0))
    time.sleep(1.2)
    case.held(driver)
    return stays(case, driver)


def stays(case, driver):
    """The lease is there; one that is renewed is lost at its deadline, and the others can be released."""
    if case.count() != 1:
        raise Failed("the service does not have the lease any more")
    if case.way == "renewal":
        case.server.kill()
        took = case.lost(driver, 5)
        if took > 1.3:
            raise Failed(f"held {seconds(took)} without a renewal of 1 s")
        return f"stays; without the service lost after {seconds(took)} of 1 s"
    if not driver.ask("release", **{"as": "a"})["held"]:
        raise Failed("the release says that it was lost")
    case.free(2)
    return "stays"


def on_etcd(case):
    """The service is one of several hosts: an answer is lost, the service is killed, and an operator ends the lease."""
    etcd = shutil.which("etcd")
    if etcd is None or case.way == "process":
        raise Unsupported
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    store = subprocess.Popen([etcd, "--data-dir", os.path.join(case.server.directory, "etcd"), "--listen-client-urls",
                              urls[0], "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1],
                              "--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    case.server.kill()
    case.server.arguments += ["--engine", f"etcd:{urls[0]}"]
    try:
        case.until(lambda: takes(urls[0]), "etcd takes connections", 20)
        case.server.start()
        answer_lost(case)
        driver = case.driver()
        ref = driver.ask("acquire", **{"as": "a"}, key="lock", **case.options(4.0))["ref"]
        if case.way == "renewal":
            case.server.kill()
            case.server.start()
            time.sleep(5)
        case.held(driver)
        answer = case.server.over_unix.post(f"/leases/{ref}/break", reason="test")
        if answer.status != 200:
            raise Failed(f"the break: {answer.text}")
        took = case.lost(driver, 5)
        case.free(5)
        return f"one lease; broken, told after {seconds(took)}"
    finally:
        store.kill()
        store.wait()


def takes(url):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


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


EVERY = [upgraded, restarted, away, answer_lost, nobody_answers, broken, holder_killed, both_killed, stopped, silent,
         canceled, canceled_at_the_grant, waits_through, release_away, stepped, other_clocks,
         on_etcd]
TITLES = {
    upgraded: "daemon ended (TERM), and started again",
    restarted: "daemon killed, and started again", away: "service away for longer than the lease (1 s), or for 3 s",
    answer_lost: "answer to the acquire lost", nobody_answers: "answer to the acquire never comes",
    broken: "lease broken by an operator", holder_killed: "holder killed (`kill -9`)",
    both_killed: "holder and daemon killed", stopped: "process stopped past its deadline",
    silent: "proxy goes silent", canceled: "canceled while it waits", canceled_at_the_grant: "canceled at the grant",
    waits_through: "daemon restarted while it waits", release_away: "released while the daemon is away",
    stepped: "clock stepped by an hour, forth and back",
    other_clocks: "clocks a day ahead of the service's (time namespace)",
    on_etcd: "service on etcd: answer lost, service restarted, lease broken", errors: "errors",
}
