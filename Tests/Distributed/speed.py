#!/usr/bin/env python3
"""How fast locks in etcd are: three members and three services in network namespaces, beside bare transactions.

    LEASEHOLD=.build/release/leasehold speed.py [--etcd PATH] [--cycles N] [--seconds N]

Bare and served cycles take turns, ten by ten, at the same member, so that other work on the machine slows both. A bare
cycle is the two transactions that the service sends for an acquire and a release; one bare transaction is the second,
or beside a hand-over the first.
"""

import http.client
import json
import multiprocessing
import os
import statistics
import threading
import time

import cluster
from cluster import Services, coded

TICKS = os.sysconf("SC_CLK_TCK")
CLIENTS = 8
# The time for which a waiter waits; the bare transaction beside it comes after the same, as processors fall asleep.
PAUSE = 0.03


class Connection:
    """One connection that is kept."""

    def __init__(self, host, port):
        self.http = http.client.HTTPConnection(host, port, timeout=30)

    def post(self, path, body=b"", method="POST"):
        self.http.request(method, path, body)
        answer = self.http.getresponse()
        return answer.status, json.loads(answer.read())


class Bare:
    """The transactions of a cycle, sent to a member."""

    def __init__(self, host, lock):
        self.member, self.count = Connection(host, 2379), 0
        self.lease = self.ask("/v3/lease/grant", {"TTL": "3600"})["ID"]
        self.lock = lock
        made = self.ask("/v3/kv/put", {"key": coded(f"bare/c/{lock}"), "value": coded("rw")})
        self.seen = made["header"]["revision"]

    def ask(self, path, body):
        return self.member.post(path, json.dumps(body).encode())[1]

    def cycle(self):
        """Seconds for both, and for the second."""
        self.count += 1
        entry, queue = f"{self.lock}-{self.count:022x}", f"bare/q/{self.lock}"
        place, of_lease, over = f"{queue}/{entry}", f"bare/l/{entry}", f"bare/d/{entry}"
        compares = [{"target": "CREATE", "result": "EQUAL", "key": coded(key), "create_revision": "0"}
                    for key in (place, over)]
        compares += [
            {"target": "MOD", "result": "EQUAL", "key": coded(f"bare/c/{self.lock}"), "mod_revision": self.seen},
            {"target": "CREATE", "result": "LESS", "key": coded(queue + "/"),
             "range_end": coded(queue + "0"), "create_revision": "1"}]
        value = coded('{"u":16384,"m":"x","n":1,"ttl":10000,"at":1795987899642,"mark":"c968f16a4106146"}')
        puts = [{"request_put": {"key": coded(key), "value": value, "lease": self.lease}} for key in (place, of_lease)]
        begun = time.perf_counter()
        taken = self.ask("/v3/kv/txn", {"compare": compares, "success": puts})
        assert taken.get("succeeded"), taken
        revision = taken["header"]["revision"]
        keys = (place, place + ".u", of_lease, f"bare/a/{entry}")
        gone = [{"request_delete_range": {"key": coded(key)}} for key in keys]
        gone.append({"request_put": {"key": coded(over), "value": value, "lease": self.lease}})
        compares = [{"target": "MOD", "result": "EQUAL", "key": coded(place), "mod_revision": revision}]
        between = time.perf_counter()
        assert self.ask("/v3/kv/txn", {"compare": compares, "success": gone}).get("succeeded")
        ended = time.perf_counter()
        return ended - begun, ended - between


def cycle(service, lock):
    begun = time.perf_counter()
    status, lease = service.post(f"/locks/{lock}/acquire?ttl=10s")
    assert status == 201, lease
    status, _ = service.post(f"/leases/{lease['lease']}", method="DELETE")
    assert status == 200
    return time.perf_counter() - begun


def renewal(service, lease):
    begun = time.perf_counter()
    assert service.post(f"/leases/{lease}/renew")[0] == 200
    return time.perf_counter() - begun


def hand_over(holder, waiter):
    """Seconds from a release at one service to the answer at another."""
    lease = holder.post("/locks/handed/acquire?ttl=10s")[1]["lease"]
    got = []

    def wait():
        _, taken = waiter.post("/locks/handed/acquire?ttl=10s&wait=9s")
        got.append((time.perf_counter(), taken["lease"]))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(PAUSE)
    begun = time.perf_counter()
    holder.post(f"/leases/{lease}", method="DELETE")
    thread.join()
    waiter.post(f"/leases/{got[0][1]}", method="DELETE")
    return got[0][0] - begun


def processor_seconds(services):
    total = 0
    for process in services.processes.values():
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def one_client(number, bare, seconds, counts):
    if bare:
        client = Bare(bare[number % 3], f"many-{os.getpid()}")
    else:
        service = Connection("127.0.0.1", Services.ports[number % 3])
    stop, done = time.monotonic() + seconds, 0
    while time.monotonic() < stop:
        if bare:
            client.cycle()
        else:
            cycle(service, f"many-{number}")
        done += 1
    counts.put(done)


def many(bare, seconds):
    """Cycles of so many clients, each with a lock of its own, and their seconds; bare ones at these members."""
    counts = multiprocessing.Queue()
    clients = [multiprocessing.Process(target=one_client, args=(n, bare, seconds, counts)) for n in range(CLIENTS)]
    begun = time.monotonic()
    for client in clients:
        client.start()
    done = sum(counts.get() for _ in clients)
    taken = time.monotonic() - begun
    for client in clients:
        client.join()
    return done, taken


def milliseconds(times):
    """Median, and 99 of 100."""
    return f"{statistics.median(times) * 1000:.2f} ({sorted(times)[len(times) * 99 // 100] * 1000:.1f})"


def ratio(times, bare):
    return f"{statistics.median(times) / statistics.median(bare):.2f}"


def measure(members, services, words):
    connections = [Connection("127.0.0.1", port) for port in Services.ports]
    served, both_bare, one, renewed, handed, rested = [], [], [], [], [], []
    hosts = [host.address for host in members.hosts]
    bares = [Bare(host, host) for host in hosts]
    leases = [connection.post(f"/locks/renewed-{k}/acquire?ttl=60s")[1]["lease"]
              for k, connection in enumerate(connections)]
    used = 0
    for turn in range(words.cycles // 10):
        k = turn % 3
        for _ in range(10):
            both, second = bares[k].cycle()
            both_bare.append(both)
            one.append(second)
        before = processor_seconds(services)
        served += [cycle(connections[k], f"alone-{k}") for _ in range(10)]
        used += processor_seconds(services) - before
        renewed.append(renewal(connections[k], leases[k]))
    # By themselves: while a caller waits at a service, it hears of each change at once.
    for turn in range(words.cycles // 10):
        k = turn % 3
        handed.append(hand_over(connections[k], connections[(k + 1) % 3]))
        time.sleep(PAUSE)
        both, second = bares[k].cycle()
        rested.append(both - second)
    print(f"| acquire and release | {milliseconds(served)} | {milliseconds(both_bare)} | {ratio(served, both_bare)} |")
    print(f"| renewal | {milliseconds(renewed)} | {milliseconds(one)} | {ratio(renewed, one)} |")
    print(f"| hand-over to another service | {milliseconds(handed)} | {milliseconds(rested)} | "
          f"{ratio(handed, rested)} |")
    sums = [[0, 0], [0, 0]]
    many_used = 0
    for bare in (hosts, None, hosts, None):
        before = processor_seconds(services)
        done, taken = many(bare, words.seconds / 2)
        many_used += 0 if bare else processor_seconds(services) - before
        sums[0 if bare else 1][0] += done
        sums[0 if bare else 1][1] += taken
    (without, seconds), (done, taken) = sums
    print(f"| cycles a second, {CLIENTS} clients | {done / taken:.0f} | {without / seconds:.0f} | "
          f"{done / taken / (without / seconds):.2f} |\n")
    print(f"processor of the services a cycle: {used / len(served) * 1000:.2f} ms with one client, "
          f"{many_used / done * 1000:.2f} ms with {CLIENTS}")


def main(words):
    with cluster.members_and_services(words.etcd) as (members, services):
        load = os.getloadavg()[0]
        print(f"etcd {members.status(0)['version']}, {os.cpu_count()} processors, load before {load:.1f}; "
              "milliseconds: median (99 of 100)\n\n| | served | bare | ratio |\n|---|---|---|---|")
        measure(members, services, words)


if __name__ == "__main__":
    parser = cluster.arguments(__doc__)
    parser.add_argument("--cycles", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=6)
    main(parser.parse_args())
