"""What lies between a service and a member of etcd, and does wrong as it is told on its standard input.

    wire.py PORT MEMBER SEED

answers-dropped: of each thirteen changes about one is done and not answered, by a hang or by a cut connection; half as
many come to the member only up to six seconds later, when the service has long asked another one, and given up.
keepalive-lies: every lease is said to live, and no keepalive comes to the member.
watch-silent: watches stay open and say nothing.
reads-old: every second read shows a state of up to sixty revisions ago, as that of a member that is behind.
"""

import asyncio
import json
import random
import sys

PORT, MEMBER, SEED = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
dice = random.Random(SEED)
now = {"fault": "none", "revision": 0}
tasks = set()  # asyncio itself forgets tasks that nobody has


def begin(work):
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


async def message(reader):
    """The first line and the head of a message, whose body is left to read."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return head, lines[0], fields


async def whole(reader, fields):
    """The body of a message that has an end."""
    if fields.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(fields.get("content-length", "0")))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


def written(first, body, kind="application/json"):
    return f"{first}\r\nHost: {MEMBER}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Member:
    """One connection to the member."""

    def __init__(self):
        self.reader = self.writer = None

    async def send(self, first, body):
        if not self.writer:
            self.reader, self.writer = await asyncio.open_connection(MEMBER, 2379, limit=64 << 20)
        self.writer.write(written(first, body))
        return await message(self.reader)

    async def ask(self, first, body):
        """The first line and the body of the answer."""
        _, status, fields = await self.send(first, body)
        answer = await whole(self.reader, fields)
        return status, answer

    def close(self):
        if self.writer:
            self.writer.close()


async def later(first, body, seconds):
    await asyncio.sleep(seconds)
    member = Member()
    try:
        await member.ask(first, body)
    except (OSError, asyncio.IncompleteReadError):
        pass
    member.close()


def aged(path, body):
    """The read as one of a former state, and its revision; nothing where it is no read, or asks for a state itself."""
    asked = json.loads(body)
    if path == "/v3/kv/range":
        ranges = [asked]
    elif path == "/v3/kv/txn" and not asked.get("compare"):
        ranges = [step.get("request_range") or step.get("requestRange") for step in asked.get("success", [])]
    else:
        return None
    if None in ranges or any(int(one.get("revision", 0)) for one in ranges):
        return None
    revision = now["revision"] - dice.randrange(60)
    if revision < 1:
        return None
    for one in ranges:
        one["revision"] = str(revision)
    return json.dumps(asked).encode(), revision


def seen(answer, revision=None):
    """Remembers how far the member is; with a revision, that is what the answer says."""
    try:
        told = json.loads(answer)
        header = told["header"]
        now["revision"] = max(now["revision"], int(header["revision"]))
    except (ValueError, KeyError, TypeError):
        return answer
    if revision is None:
        return answer
    header["revision"] = str(revision)
    return json.dumps(told).encode()


async def pass_on(first, path, body, member, writer):
    """Asks the member and answers; false where the connection has to end without an answer."""
    fault, revision = now["fault"], None
    if fault == "keepalive-lies" and path == "/v3/lease/keepalive":
        lie = {"result": {"header": {}, "ID": json.loads(body)["ID"], "TTL": "5"}}
        writer.write(written("HTTP/1.1 200 OK", json.dumps(lie).encode()))
        return True
    if fault == "answers-dropped" and path == "/v3/kv/txn":
        chance = dice.random()
        if chance < 0.04:
            begin(later(first, body, dice.uniform(0.1, 6)))
            await asyncio.sleep(dice.choice([0, 2]))
            return False
        if chance < 0.12:
            await member.ask(first, body)
            await asyncio.sleep(dice.choice([0, 2]))
            return False
    if fault == "reads-old" and dice.random() < 0.5 and (old := aged(path, body)):
        body, revision = old
    status, answer = await member.ask(first, body)
    writer.write(written(status, seen(answer, revision)))
    return True


async def end_with(reader, member):
    """Ends a watch at the member when its caller has hung up."""
    await reader.read()
    member.close()


async def watch(first, body, member, reader, writer):
    head, _, _ = await member.send(first, body)
    begin(end_with(reader, member))
    writer.write(head)
    while chunk := await member.reader.read(65536):
        # What was not told is never told: from here on this watch is silent.
        if now["fault"] == "watch-silent":
            await member.reader.read()
        writer.write(chunk)
        await writer.drain()


async def serve(reader, writer):
    member = Member()
    try:
        while True:
            _, first, fields = await message(reader)
            body, path = await whole(reader, fields), first.split()[1]
            if path == "/v3/watch":
                await watch(first, body, member, reader, writer)
                return
            if not await pass_on(first, path, body, member, writer):
                return
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        member.close()
        writer.close()


async def listen():
    server = await asyncio.start_server(lambda *ends: begin(serve(*ends)), "127.0.0.1", PORT, limit=64 << 20)
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    while line := await told.readline():
        now["fault"] = line.decode().strip()
    server.close()


asyncio.run(listen())
