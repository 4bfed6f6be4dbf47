#!/usr/bin/env python3
"""The clients of a rehearsal: they ask through each front without pause and hold every answer to
what it must be. Nothing is tried twice, so a request that fails anywhere is lost and counted.

It reads what happens from standard input, one a line: `phase NAME`, in the end `end`; a request
belongs to the phase in which it begins. Then it writes what it saw as JSON, for report.py.

usage: load.py CLIENTS EXPECTED-VERSION RESULT NAME=HOST:PORT… -- NAME=HOST:PORT…
(fronts, each with so many clients; then instances, whose counters are read between phases)
"""

import asyncio
import json
import random
import sys
import time

KEYS = 4
# A client that waits for longer has lost its request. Above the time that unslow gives one.
PATIENCE = 75
# The most time, in seconds, that a client thinks before it asks again. Below what both fronts give
# an idle connection, so that none is closed while a request is on its way.
PAUSE = 0.04


class Wrong(Exception):
    """An answer that is not what it must be."""


def begin(body):
    """The first words of a body, in one line."""
    return " ".join(body.split())[:160]


class Connection:
    """One connection to a front."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @staticmethod
    async def open(address):
        host, port = address
        return Connection(*await asyncio.open_connection(host, port))

    async def get(self, path, close):
        """Status, body, and whether the connection may be used again."""
        kept = "close" if close else "keep-alive"
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {kept}\r\n\r\n".encode())
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        if "content-length" not in headers:
            raise Wrong(f"an answer without a length: {head[0]}")
        body = await self.reader.readexactly(int(headers["content-length"]))
        again = not close and headers.get("connection") != "close"
        return int(head[0].split(" ")[1]), body.decode(), again

    def close(self):
        self.writer.close()


class Load:
    """What all clients share: the phase, and what they saw."""

    def __init__(self, version, fronts):
        self.version, self.fronts = version, fronts
        self.phases = []
        self.stopping = False

    def begin(self, name, counters):
        now = time.time()
        if self.phases:
            self.phases[-1]["end"] = now
        fronts = {front: {"times": [], "oldest": 0.0, "lost": []} for front in self.fronts}
        self.phases.append({"name": name, "begin": now, "end": None, "counters": counters, "fronts": fronts})

    def check(self, path, key, status, body):
        """How old the answer is, in seconds; none for a page, which does not say."""
        if status != 200:
            raise Wrong(f"status {status}: {begin(body)}")
        if path == "/":
            if "Database Version" not in body or self.version not in body:
                raise Wrong(f"another page: {begin(body)}")
            return 0.0
        answer = json.loads(body)
        row = answer["rows"][0]
        loaded = row.pop("loaded_at")
        if answer != {"ok": True, "rows": [{"key": key, "database_version": self.version}], "truncated": False}:
            raise Wrong(f"another answer than that of key {key}: {begin(body)}")
        return time.time() - loaded

    async def client(self, front, address, close):
        connection = None
        while not self.stopping:
            key = random.randint(1, KEYS)
            path = "/" if random.random() < 0.1 else f"/q/rehearsal.json?key={key}"
            seen = self.phases[-1]["fronts"][front]
            begun, clock = time.time(), time.monotonic()
            used = "kept" if connection else "new"
            try:
                connection, age = await asyncio.wait_for(self.ask(connection, address, path, key, close), PATIENCE)
                seen["oldest"] = max(seen["oldest"], age)
            except (OSError, EOFError, asyncio.TimeoutError, ValueError, LookupError, TypeError, Wrong) as error:
                why = f"{type(error).__name__}: {error}" if not isinstance(error, Wrong) else str(error)
                seen["lost"].append({"at": begun, "path": path, "why": f"{used} connection: {why}"})
                if connection:
                    connection.close()
                    connection = None
            seen["times"].append(time.monotonic() - clock)
            await asyncio.sleep(random.uniform(0, PAUSE))
        if connection:
            connection.close()

    async def ask(self, connection, address, path, key, close):
        connection = connection or await Connection.open(address)
        status, body, again = await connection.get(path, close)
        age = self.check(path, key, status, body)
        if again:
            return connection, age
        connection.close()
        return None, age


async def counters(instances):
    """How many loads each instance has run, by its own count; none of one that does not answer."""
    counts = {}
    for name, address in instances.items():
        try:
            connection = await asyncio.wait_for(Connection.open(address), PATIENCE)
            _, body, _ = await asyncio.wait_for(connection.get("/stats.json", True), PATIENCE)
            connection.close()
            numbers = json.loads(body)
            total = numbers["total"]
            # Without those that the database was too far away for: it has not heard of them.
            reached = total["loads"] - total["load_errors_by_class"]["unavailable"]
            counts[name] = {"instance": numbers["instance"]["id"], "loads": reached}
        except (OSError, EOFError, asyncio.TimeoutError, ValueError, LookupError, Wrong):
            counts[name] = None
    return counts


def addresses(arguments):
    pairs = (argument.split("=") for argument in arguments)
    return {name: tuple(address.split(":")) for name, address in pairs}


async def main(arguments):
    clients, version, result = int(arguments[0]), arguments[1], arguments[2]
    cut = arguments.index("--")
    fronts, instances = addresses(arguments[3:cut]), addresses(arguments[cut + 1:])
    load, running = Load(version, fronts), []
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while True:
        word, _, name = (await lines.readline()).decode().strip().partition(" ")
        load.begin(name, await counters(instances))
        if word != "phase":
            break
        print(name, flush=True)
        if not running:
            # Half of them with a connection for each request.
            running = [asyncio.create_task(load.client(front, address, number % 2 == 0))
                       for front, address in fronts.items() for number in range(clients)]
    load.stopping = True
    await asyncio.gather(*running)
    with open(result, "w", encoding="utf-8") as file:
        json.dump(load.phases, file)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
