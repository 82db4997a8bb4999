#!/usr/bin/env python3
"""A commlib-py peer for interoperability tests.

    peer.py --transport mqtt|amqp|redis|kafka [--host H] [--port P] [options] ROLE NAME

Uses only commlib-py's own endpoint classes, so what it does on the wire is what
commlib-py does. Everything it sees or sends is printed to stdout as one JSON
object per line; logs go to stderr. See README.md beside this file.
"""

import argparse
import importlib
import json
import math
import os
import queue
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# commlib logs to stdout (rich handler), and its Kafka transport prints there:
# keep the real stdout for the JSON lines and point fd 1 at stderr.
_OUT = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
os.dup2(2, 1)
os.environ.setdefault("COMMLIB_LOG_LEVEL", "WARNING")

import commlib  # noqa: E402
from commlib.msg import ActionMessage, RPCMessage  # noqa: E402
from commlib.node import Node  # noqa: E402

VERSION = tuple(int(p) for p in commlib.__version__.split(".")[:3])
STOP = threading.Event()
_LOCK = threading.Lock()


def plain(value):
    """What JSON readers cannot hold (NaN, Infinity, integers beyond 2^53) becomes a string."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(value)]
    if isinstance(value, int) and abs(value) > 2**53 - 1:
        return str(value)
    return value


def emit(event, **fields):
    """Print one JSON line."""
    line = json.dumps(plain({"event": event, **fields}), default=str)
    with _LOCK:
        _OUT.write(line + "\n")
        _OUT.flush()


# ----------------------------------------------------------------- messages

class EchoRPC(RPCMessage):
    """Used with --typed. The service answers with the same values."""

    class Request(RPCMessage.Request):
        seq: int = 0
        text: str = ""
        n: int = 0
        sleep: float = 0.0
        fail: str = ""

    class Response(RPCMessage.Response):
        seq: int = -1
        text: str = ""
        n: int = 0


class StepAction(ActionMessage):
    """Counts to `steps`, one feedback per step."""

    class Goal(ActionMessage.Goal):
        steps: int = 3
        delay: float = 0.2
        fail: bool = False

    class Result(ActionMessage.Result):
        steps: int = 0
        cancelled: bool = False

    class Feedback(ActionMessage.Feedback):
        step: int = 0


# ------------------------------------------------------------------ helpers

def dump(msg):
    """Message object or plain value -> plain value."""
    return msg.model_dump() if hasattr(msg, "model_dump") else msg


def connection(args):
    """(transport module, its connection parameters)"""
    module = importlib.import_module(f"commlib.transports.{args.transport}")
    kwargs = {"host": args.host}
    if args.port:
        kwargs["port"] = args.port
    if args.user is not None:
        kwargs["username"] = args.user
    if args.password is not None:
        kwargs["password"] = args.password
    for name in ("vhost", "db", "group"):
        value = getattr(args, name)
        if value is not None:
            kwargs[name] = value
    return module, module.ConnectionParameters(**kwargs)


def options(args):
    """What every endpoint is given: commlib's own level of compression, when asked for."""
    return {"compression": 1} if args.compress else {}


def start(endpoint, args):
    """endpoint.run(), around the versions where run() does not do its work."""
    name = type(endpoint).__name__
    if args.transport == "redis" and VERSION < (0, 12) and name == "RPCService":
        # run() believes that it is running already and returns
        threading.Thread(target=endpoint.run_forever, daemon=True).start()
    elif args.transport == "kafka" and VERSION < (0, 13, 2) and "Subscriber" in name:
        # `connected` never becomes true, so run() would wait for ever
        threading.Thread(target=endpoint.run_forever, daemon=True).start()
        time.sleep(5)
    elif args.transport == "kafka" and VERSION < (0, 13, 2) and name == "RPCClient":
        threading.Thread(target=endpoint.run, daemon=True).start()  # for the same reason
    else:
        endpoint.run()
    time.sleep(args.settle)


def failure(name):
    """The exception a caller asks a service to raise."""
    return {"value": ValueError, "type": TypeError, "runtime": RuntimeError}.get(
        name, ValueError
    )("asked to fail")


class Counter:
    """Counts arrivals and stops the program at the wanted number."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.seen = 0
        self._lock = threading.Lock()

    def hit(self):
        with self._lock:
            self.seen += 1
            if self.wanted and self.seen >= self.wanted:
                STOP.set()


# -------------------------------------------------------------------- roles

def publish(args, module, params):
    pub = module.Publisher(topic=args.name, conn_params=params, **options(args))
    start(pub, args)
    emit("ready", role="publish", name=args.name)
    sent = 0
    while not STOP.is_set() and sent < (args.count or 1):
        data = {"seq": sent, **json.loads(args.data)}
        pub.publish(dict(data))
        emit("sent", topic=args.name, data=data)
        sent += 1
        if sent < (args.count or 1):
            STOP.wait(args.interval)
    time.sleep(0.5)  # the transport's own thread writes to the socket
    return [pub], True


def _subscribe(args, module, params, pattern):
    counter = Counter(args.count)

    def on_message(msg, topic=None):
        emit("message", topic=topic if pattern else args.name, data=dump(msg))
        counter.hit()

    if pattern:
        callback = on_message
    else:
        callback = lambda msg: on_message(msg)  # noqa: E731
    cls = module.PSubscriber if pattern else module.Subscriber
    sub = cls(topic=args.name, on_message=callback, conn_params=params, **options(args))
    start(sub, args)
    emit("ready", role=args.role, name=args.name)
    STOP.wait(args.timeout if args.count else None)
    return [sub], not args.count or counter.seen >= args.count


def subscribe(args, module, params):
    return _subscribe(args, module, params, False)


def psubscribe(args, module, params):
    return _subscribe(args, module, params, True)


def rpc_service(args, module, params):
    counter = Counter(args.count)

    def on_request(msg):
        data = dump(msg)
        emit("request", name=args.name, data=data)
        try:
            if data.get("sleep"):
                time.sleep(float(data["sleep"]))
            if data.get("fail"):
                raise failure(data["fail"])
            if args.typed:
                answer = {k: data[k] for k in ("seq", "text", "n")}
            else:
                answer = {"seq": data.get("seq"), "echo": data}
            emit("replied", name=args.name, data=answer)
            return EchoRPC.Response(**answer) if args.typed else answer
        finally:
            if args.count:
                threading.Timer(1.0, counter.hit).start()

    pool = {"workers": args.workers} if args.workers else {}
    if args.workers == 1:
        # 0.13.2 takes its threads from a pool of the whole process and does not heed `workers`: let no thread
        # interrupt another between filling in the service's one answer and writing it
        sys.setswitchinterval(1.0)
    service = module.RPCService(
        rpc_name=args.name,
        msg_type=EchoRPC if args.typed else None,
        on_request=on_request,
        conn_params=params,
        **pool,
        **options(args),
    )
    start(service, args)
    emit("ready", role="rpc-service", name=args.name)
    STOP.wait()
    return [service], True


def rpc_client(args, module, params):
    def make():
        kwargs = {"use_corr_id": True} if args.corr_id else {}
        client = module.RPCClient(
            rpc_name=args.name,
            msg_type=EchoRPC if args.typed else None,
            conn_params=params,
            **options(args),
            **kwargs,
        )
        start(client, args)
        return client

    clients = [make() for _ in range(args.concurrency if args.own_clients else 1)]
    free = queue.Queue()  # with --own-clients a client serves one call at a time
    for client in clients:
        free.put(client)
    emit("ready", role="rpc-client", name=args.name)
    tally = {"ok": 0, "wrong": 0, "timeout": 0, "error": 0}
    tally_lock = threading.Lock()

    def call(seq):
        if STOP.is_set():
            return
        data = {"seq": seq, **json.loads(args.data)}
        request = EchoRPC.Request(**data) if args.typed else dict(data)
        client = free.get() if args.own_clients else clients[0]
        begun = time.time()
        answer, error = None, None
        try:
            answer = dump(client.call(request, timeout=args.timeout))
            if answer is None:
                kind = "timeout"
            else:
                kind = "ok" if answer.get("seq") == seq else "wrong"
        except Exception as exc:  # report whatever commlib raises
            kind = "timeout" if "Timeout" in type(exc).__name__ else "error"
            error = f"{type(exc).__name__}: {exc}"
        finally:
            if args.own_clients:
                free.put(client)
        ms = round((time.time() - begun) * 1000, 1)
        emit("reply", seq=seq, outcome=kind, data=answer, error=error, ms=ms)
        with tally_lock:
            tally[kind] += 1

    with ThreadPoolExecutor(max_workers=args.concurrency) as pool:
        list(pool.map(call, range(args.count or 1)))
    emit("done", **tally)
    return clients, tally["ok"] == (args.count or 1)


def action_service(args, module, params):
    def on_goal(goal):
        emit("goal", goal_id=goal.id, data=dump(goal.data))
        result = StepAction.Result()
        for step in range(1, goal.data.steps + 1):
            if goal.cancel_event.wait(goal.data.delay):
                result.cancelled = True
                break
            if goal.data.fail:
                raise ValueError("asked to fail")
            goal.send_feedback(StepAction.Feedback(step=step))
            emit("feedback-sent", goal_id=goal.id, step=step)
            result.steps = step
        emit("result-set", goal_id=goal.id, data=dump(result))
        return result

    service = module.ActionService(
        action_name=args.name, msg_type=StepAction, on_goal=on_goal, conn_params=params
    )
    start(service, args)
    emit("ready", role="action-service", name=args.name)
    STOP.wait()
    return [service], True


def action_client(args, module, params):
    reached = threading.Event()

    def on_result(result):
        emit("result", data=dump(result))
        reached.set()

    client = module.ActionClient(
        action_name=args.name,
        msg_type=StepAction,
        conn_params=params,
        on_feedback=lambda fb: emit("feedback", data=dump(fb)),
        on_goal_reached=lambda res: emit("goal-reached", data=dump(res)),
        on_result=on_result,
    )
    start(client, args)
    emit("ready", role="action-client", name=args.name)
    good = True
    try:
        for _ in range(args.count or 1):
            reached.clear()
            goal = StepAction.Goal(**json.loads(args.data))
            answer = client.send_goal(goal, timeout=args.timeout)
            emit("accepted", data=dump(answer))
            if args.cancel_after is not None:
                STOP.wait(args.cancel_after)
                answer = client.cancel_goal(timeout=args.timeout)
                emit("cancel-answer", data=dump(answer))
            got = reached.wait(args.timeout)
            status = getattr(client, "status", None)  # not in 0.11
            emit("status", data=dump(status), pushed_result=got)
            emit("get-result", data=dump(client.get_result(timeout=args.timeout)))
            good = good and got
    except Exception as exc:
        emit("error", error=f"{type(exc).__name__}: {exc}")
        good = False
    return [client], good


def node(args, module, params):
    # creating a Kafka RPCService raises before 0.13.2
    controls = args.transport != "kafka" or VERSION >= (0, 13, 2)
    the_node = Node(
        node_name=args.name,
        connection_params=params,
        heartbeats=True,
        heartbeat_interval=args.interval,
        ctrl_services=controls,
    )
    threading.Thread(target=the_node.run, daemon=True).start()
    time.sleep(1 + args.settle)
    emit("ready", role="node", name=args.name, control_services=controls)
    state = None
    while not STOP.is_set():
        if the_node.state != state:
            state = the_node.state
            emit("state", name=getattr(state, "name", str(state)))
        STOP.wait(0.05)
    return [the_node], True


ROLES = {
    "publish": publish,
    "subscribe": subscribe,
    "psubscribe": psubscribe,
    "rpc-service": rpc_service,
    "rpc-client": rpc_client,
    "action-service": action_service,
    "action-client": action_client,
    "node": node,
}


def parse():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--transport", required=True, choices=["mqtt", "amqp", "redis", "kafka"])
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int)
    p.add_argument("--user")
    p.add_argument("--password")
    p.add_argument("--vhost", help="AMQP virtual host")
    p.add_argument("--db", type=int, help="Redis database")
    p.add_argument("--group", help="Kafka consumer group")
    p.add_argument("--count", type=int, default=0, help="messages / calls / goals; 0: no end (one for senders)")
    p.add_argument("--concurrency", type=int, default=1, help="calls in flight (rpc-client)")
    p.add_argument("--own-clients", action="store_true", help="one RPCClient per concurrent call")
    p.add_argument("--corr-id", action="store_true", help="AMQP rpc-client: use_corr_id=True")
    p.add_argument("--timeout", type=float, default=10.0, help="seconds")
    p.add_argument("--interval", type=float, default=1.0, help="between publishes / heartbeats")
    p.add_argument("--settle", type=float, default=0.5, help="wait after start, before 'ready'")
    p.add_argument("--data", default="{}", help="JSON object merged into what is sent")
    p.add_argument("--compress", action="store_true", help="publish, subscribe, RPC: commlib's zlib compression")
    p.add_argument("--workers", type=int, default=0, help="threads of an rpc-service; default commlib's own")
    p.add_argument("--typed", action="store_true", help="RPC with a message class instead of dicts")
    p.add_argument("--cancel-after", type=float, help="action-client: cancel after this many seconds")
    p.add_argument("--exit-with-stdin", action="store_true", help="end cleanly when stdin closes (the starter is gone)")
    p.add_argument("role", choices=sorted(ROLES), metavar="ROLE")
    p.add_argument("name", metavar="NAME")
    return p.parse_args()


def main():
    args = parse()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: STOP.set())
    if args.exit_with_stdin:
        threading.Thread(target=lambda: (sys.stdin.read(), STOP.set()), daemon=True).start()
    emit("start", commlib=commlib.__version__, transport=args.transport, role=args.role)
    code = 1
    endpoints = []
    try:
        module, params = connection(args)
        endpoints, good = ROLES[args.role](args, module, params)
        code = 0 if good else 1
    except Exception as exc:
        emit("error", error=f"{type(exc).__name__}: {exc}")
    # stop() blocks in several versions, and non-daemon pool threads would keep
    # the process alive: give it three seconds, then leave.
    stopper = threading.Thread(target=lambda: [e.stop() for e in endpoints], daemon=True)
    stopper.start()
    stopper.join(3)
    emit("stopped", code=code)
    os._exit(code)


if __name__ == "__main__":
    main()
