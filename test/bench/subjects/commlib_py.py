#!/usr/bin/env python3
"""commlib-py in the benchmark: what worker.ts is for the others, with commlib-py's own endpoints and typed messages.

    commlib_py.py SCENARIO PORT

Says {"event":"ready"}, answers each line {"settleMs":...,"ms":...} of stdin with one measurement, ends with stdin.
"""

import json
import os
import sys
import threading
import time

# commlib logs to stdout: keep the real one for the lines.
OUT = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
os.dup2(2, 1)
os.environ.setdefault("COMMLIB_LOG_LEVEL", "WARNING")

from commlib.msg import PubSubMessage, RPCMessage  # noqa: E402
from commlib.transports.mqtt import (  # noqa: E402
    ConnectionParameters,
    Publisher,
    RPCClient,
    RPCService,
    Subscriber,
)

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

    def __init__(self, options):
        self.room = threading.Semaphore(WINDOW)
        self.lock = threading.Lock()
        self.received = 0
        start(Subscriber(topic="bench.py", msg_type=Order, on_message=self.on_order, **options))
        self.publisher = start(Publisher(topic="bench.py", msg_type=Order, **options))

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
    def __init__(self, options):
        start(RPCService(rpc_name="bench.pyfill", msg_type=Fill, on_request=receipt, **options))
        self.client = start(RPCClient(rpc_name="bench.pyfill", msg_type=Fill, **options))

    def run(self, seconds):
        latencies = []
        seq = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            order = make(Fill.Request, seq)
            begun = time.perf_counter()
            answer = self.client.call(order, timeout=10)
            latencies.append((time.perf_counter() - begun) * 1000)
            if answer.seq != seq:
                raise RuntimeError(f"call {seq} got the answer of {answer.seq}")
            seq += 1
        latencies.sort()
        return {
            "count": seq,
            "p50": latencies[len(latencies) // 2],
            "p99": latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))],
        }


def main():
    scenario, port = sys.argv[1], int(sys.argv[2])
    options = {
        "conn_params": ConnectionParameters(host="127.0.0.1", port=port),
        "compression": NO_COMPRESSION,
    }
    load = Stream(options) if scenario.startswith("pubsub") else Calls(options)
    say(event="ready")
    for line in sys.stdin:
        order = json.loads(line)
        load.run(order["settleMs"] / 1000)
        if order["ms"] == 0:
            say(event="measured", count=1, seconds=1, cpuSeconds=0)
            continue
        cpu = time.process_time()
        begun = time.perf_counter()
        result = load.run(order["ms"] / 1000)
        say(
            event="measured",
            seconds=time.perf_counter() - begun,
            cpuSeconds=time.process_time() - cpu,
            **result,
        )


main()
OUT.flush()
os._exit(0)  # commlib's threads are not daemons
