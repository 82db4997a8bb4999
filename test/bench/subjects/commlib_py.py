#!/usr/bin/env python3
"""commlib-py in the benchmark: what worker.ts is for the others, with commlib-py's own endpoints and typed messages.

    commlib_py.py TRANSPORT SCENARIO URL

Says {"event":"ready"}, answers each line {"settleMs":...,"ms":...} of stdin with one measurement, ends with stdin.
"""

import importlib
import json
import os
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

# commlib logs to stdout: keep the real one for the lines.
OUT = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
os.dup2(2, 1)
os.environ.setdefault("COMMLIB_LOG_LEVEL", "WARNING")

from commlib.msg import PubSubMessage, RPCMessage  # noqa: E402

WINDOW = 1000
NO_COMPRESSION = 0


class Order(PubSubMessage):
    seq: int
    event: str
    order_id: str
    trading_pair: str
    side: str
    price: float
    amount: float
    fee: float
    timestamp: int
    final: bool


class Fill(RPCMessage):
    class Request(RPCMessage.Request):
        seq: int
        event: str
        order_id: str
        trading_pair: str
        side: str
        price: float
        amount: float
        fee: float
        timestamp: int
        final: bool

    class Response(RPCMessage.Response):
        seq: int
        status: int
        order_id: str
        exchange: str
        filled: float
        average_price: float
        remaining: float
        timestamp: int
        message: str


def make(kind, seq):
    return kind(
        seq=seq,
        event="order_filled",
        order_id=f"buy://BTC-USDT/5ef7a1b20c4d{seq}",
        trading_pair="BTC-USDT",
        side="buy",
        price=64000 + (seq % 1000) / 2,
        amount=0.0125,
        fee=0.00051,
        timestamp=1795396437000 + seq,
        final=True,
    )


def receipt(order):
    return Fill.Response(
        seq=order.seq,
        status=200,
        order_id=order.order_id,
        exchange="binance_perpetual_testnet",
        filled=order.amount,
        average_price=order.price,
        remaining=0,
        timestamp=order.timestamp + 1,
        message="filled at the best price there was",
    )


def say(**fields):
    OUT.write(json.dumps(fields) + "\n")


def start(endpoint):
    endpoint.run()
    time.sleep(1)  # run() returns before the broker has confirmed the subscription
    return endpoint


class Stream:
    """At most WINDOW messages sent and not yet received. The order is not checked: two threads run the callback."""

    def __init__(self, transport, name, options):
        self.room = threading.Semaphore(WINDOW)
        self.lock = threading.Lock()
        self.received = 0
        # Its queue of ten messages would drop the oldest.
        room = {"queue_size": 2 * WINDOW} if name == "amqp" else {}
        start(
            transport.Subscriber(
                topic=f"bench.py{os.getpid()}", msg_type=Order, on_message=self.on_order, **room, **options
            )
        )
        self.publisher = start(
            transport.Publisher(topic=f"bench.py{os.getpid()}", msg_type=Order, **options)
        )
        self.await_first()

    def await_first(self):
        """A Kafka consumer is there seconds after it says so."""
        give_up = time.monotonic() + 60
        while self.received == 0:
            if time.monotonic() > give_up:
                raise RuntimeError("nothing is received")
            self.room.acquire()
            self.publisher.publish(make(Order, 0))
            time.sleep(0.5)
        time.sleep(1)
        self.room = threading.Semaphore(WINDOW)

    def on_order(self, _order):
        with self.lock:
            self.received += 1
        self.room.release()

    def run(self, seconds):
        self.received = 0
        sent = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.room.acquire(timeout=20):
                raise RuntimeError(f"{sent} sent, only {self.received} received")
            self.publisher.publish(make(Order, sent))
            sent += 1
        give_up = time.monotonic() + 20
        while self.received < sent:
            if time.monotonic() > give_up:
                raise RuntimeError(f"{sent} sent, only {self.received} received")
            time.sleep(0.0005)
        return {"count": sent}


class Calls:
    """One client object; so many threads call with it."""

    def __init__(self, transport, options, in_flight):
        self.in_flight = in_flight
        self.seq = 0
        self.lock = threading.Lock()
        name = f"bench.pyfill{os.getpid()}"
        start(
            transport.RPCService(rpc_name=name, msg_type=Fill, on_request=receipt, **options)
        )
        self.client = start(transport.RPCClient(rpc_name=name, msg_type=Fill, **options))
        self.pool = ThreadPoolExecutor(in_flight)

    def run(self, seconds):
        end = time.monotonic() + seconds
        callers = [self.pool.submit(self.call_until, end) for _ in range(self.in_flight)]
        latencies = sorted(ms for caller in callers for ms in caller.result())
        return {
            "count": len(latencies),
            "p50": latencies[len(latencies) // 2],
            "p99": latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))],
        }

    def call_until(self, end):
        latencies = []
        while time.monotonic() < end:
            with self.lock:
                self.seq += 1
                seq = self.seq
            order = make(Fill.Request, seq)
            begun = time.perf_counter()
            answer = self.client.call(order, timeout=20)
            latencies.append((time.perf_counter() - begun) * 1000)
            if answer is None or answer.seq != seq:
                raise RuntimeError(f"call {seq} got the answer {answer}")
        return latencies


def rss_mib():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main():
    name, scenario, url = sys.argv[1:4]
    transport = importlib.import_module(f"commlib.transports.{name}")
    target = urlsplit(url)
    options = {
        "conn_params": transport.ConnectionParameters(host=target.hostname, port=target.port),
        "compression": NO_COMPRESSION,
    }
    if scenario.startswith("rpc-"):
        load = Calls(transport, options, int(scenario[4:]))
    else:
        load = Stream(transport, name, options)
    at_rest = rss_mib()
    say(event="ready")
    for line in sys.stdin:
        order = json.loads(line)
        load.run(order["settleMs"] / 1000)
        if order["ms"] == 0:
            say(event="measured", count=1, seconds=1, cpuSeconds=0, memory=at_rest, growth=0)
            continue
        cpu = time.process_time()
        begun = time.perf_counter()
        result = load.run(order["ms"] / 1000)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say(
            event="measured",
            seconds=time.perf_counter() - begun,
            cpuSeconds=time.process_time() - cpu,
            memory=memory,
            growth=memory - at_rest,
            **result,
        )


main()
OUT.flush()
os._exit(0)  # commlib's threads are not daemons
