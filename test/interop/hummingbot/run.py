#!/usr/bin/env python3
"""Start one complete Hummingbot (2.13 or 2.18) with its MQTT bridge on, for tests on loopback.

Run it with the Python of the environment that install.sh made. Each bot has its own home folder (conf, logs,
data, scripts, controllers); many bots can share one environment. See README.md.
"""
import argparse
import asyncio
import os
import pty
import select
import shutil
import signal
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
PASSWORD = "test"  # unlocks the (empty) key store of a throw-away bot
EXCHANGE = "mock_paper_exchange"
STRATEGY_CONF = "conf_wire_probe.yml"


def arguments() -> argparse.Namespace:
    env = os.environ.get
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--home", default=env("HB_HOME"), help="the bot's own folder, made when missing (default ./bots/<id>)")
    p.add_argument("--id", default=env("HB_ID", "real"), help="instance id")
    p.add_argument("--namespace", default=env("HB_NAMESPACE", "hbot"))
    p.add_argument("--host", default=env("HB_HOST", "127.0.0.1"))
    p.add_argument("--port", type=int, default=int(env("HB_PORT", "1883")))
    p.add_argument("--user", default=env("HB_USER", ""))
    p.add_argument("--password", default=env("HB_PASSWORD", ""))
    p.add_argument("--tls", action="store_true", help="mqtt_ssl; set SSL_CERT_FILE for a private CA")
    p.add_argument("--strategy", action="store_true", help="start the wire_probe strategy at boot (as --v2 does)")
    p.add_argument("--auto", type=float, default=0, help="the strategy trades by itself every N seconds")
    p.add_argument("--vendor-order", action="store_true",
                   help="start the strategy before the bridge is up, as Hummingbot's quick start does (no /events then)")
    p.add_argument("--ui", action="store_true", help="interactive application in a pseudo terminal, not headless")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                   help="another mqtt_bridge setting, e.g. mqtt_events=false")
    p.add_argument("--exit-with-stdin", action="store_true", help="end when stdin closes (the starter is gone)")
    args = p.parse_args()
    args.home = Path(args.home or f"bots/{args.id}").resolve()
    return args


def make_home(home: Path, auto: float) -> None:
    """Folders of one bot, with the package linked in (Hummingbot looks for its templates beside conf/)."""
    import importlib.util

    for name in ("conf/connectors", "conf/strategies", "conf/scripts", "conf/controllers", "logs", "data", "certs",
                 "scripts", "controllers"):
        (home / name).mkdir(parents=True, exist_ok=True)
    shutil.copytree(HERE / "bot", home, dirs_exist_ok=True)
    conf = home / "conf" / "scripts" / STRATEGY_CONF
    conf.write_text(conf.read_text() + f"auto_seconds: {auto}\n")
    package = Path(importlib.util.find_spec("hummingbot").origin).parent
    link = home / "hummingbot"
    if link.is_symlink():
        link.unlink()
    link.symlink_to(package)
    templates = package / "templates"
    for name, source in (("hummingbot_logs.yml", "hummingbot_logs_TEMPLATE.yml"),):
        if not (home / "conf" / name).exists():
            shutil.copy(templates / source, home / "conf" / name)


def in_terminal(args: argparse.Namespace) -> int:
    """Run this program again under a pseudo terminal: the screen goes to logs/screen, stdin is typed into it."""
    (args.home / "logs").mkdir(parents=True, exist_ok=True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.setdefault("TERM", "xterm")
        os.execv(sys.executable, [sys.executable, *(a for a in sys.argv if a != "--exit-with-stdin")])
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    keyboard = [sys.stdin.fileno()]
    with open(args.home / "logs" / "screen", "wb", buffering=0) as screen:
        while True:
            for fd in select.select([terminal, *keyboard], [], [])[0]:
                try:
                    data = os.read(fd, 65536)
                except OSError:  # how Linux says that the other end of a terminal is closed
                    data = b""
                if fd == terminal:
                    if not data:
                        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    screen.write(data)
                elif data:
                    os.write(terminal, data)
                else:
                    keyboard.clear()
                    if args.exit_with_stdin:
                        os.kill(pid, signal.SIGTERM)


def leave_with_stdin() -> None:
    """End this process when its standard input closes, that is, when whoever started it is gone."""
    def wait() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=wait, daemon=True).start()


def prepare(home: Path) -> None:
    """What a source checkout and an internet connection would give."""
    try:
        import pandas_ta  # noqa: F401
    except ImportError:
        import pandas_ta_classic
        sys.modules["pandas_ta"] = pandas_ta_classic
    import hummingbot
    hummingbot.root_path = lambda: home
    hummingbot.set_prefix_path(str(home))
    os.chdir(home)
    sys.path.insert(0, str(home))

    from hummingbot.core.connector_manager import ConnectorManager
    from hummingbot.core.rate_oracle.rate_oracle import RateOracle
    from hummingbot.core.utils.trading_pair_fetcher import TradingPairFetcher
    from exchange import LocalRates
    RateOracle.get_instance().source = LocalRates()  # the usual ones ask exchanges on the internet
    RateOracle.source = property(lambda self: self._source, lambda self, new: None)

    async def no_pairs(self, *args, **kwargs):
        """The interactive application asks all exchanges for their trading pairs, only to complete what is typed."""

    TradingPairFetcher.fetch_all = no_pairs

    from_internet = ConnectorManager.create_connector

    def create_connector(self, connector_name, trading_pairs, *args, **kwargs):
        if connector_name != EXCHANGE:
            return from_internet(self, connector_name, trading_pairs, *args, **kwargs)
        if connector_name not in self.connectors:
            from exchange import LocalExchange
            self.connectors[connector_name] = LocalExchange(trading_pairs)
        return self.connectors[connector_name]

    ConnectorManager.create_connector = create_connector


def client_config(args: argparse.Namespace):
    from hummingbot.client.config.config_helpers import load_client_config_map_from_file
    config = load_client_config_map_from_file()
    config.instance_id = args.id
    config.anonymized_metrics_mode = "anonymized_metrics_disabled"
    config.send_error_logs = False
    bridge = config.mqtt_bridge
    bridge.mqtt_host, bridge.mqtt_port = args.host, args.port
    bridge.mqtt_username, bridge.mqtt_password = args.user, args.password
    bridge.mqtt_namespace, bridge.mqtt_ssl = args.namespace, args.tls
    for item in args.set:
        key, value = item.split("=", 1)
        setattr(bridge, key, {"true": True, "false": False}.get(value.lower(), value))
    bridge.mqtt_autostart = True
    return config


async def application(config, headless: bool):
    """The steps of Hummingbot's quick start, up to the application object."""
    from hummingbot import init_logging
    from hummingbot.client.config.config_crypt import (
        PASSWORD_VERIFICATION_PATH,
        ETHKeyFileSecretManger,
        store_password_verification,
    )
    from hummingbot.client.config.config_helpers import create_yml_files_legacy, read_system_configs_from_yml
    from hummingbot.client.config.security import Security
    from hummingbot.client.hummingbot_application import HummingbotApplication
    from hummingbot.client.settings import AllConnectorSettings
    secrets = ETHKeyFileSecretManger(PASSWORD)
    if not PASSWORD_VERIFICATION_PATH.exists():
        store_password_verification(secrets)
    assert Security.login(secrets), "this home folder belongs to another password"
    await Security.wait_til_decryption_done()
    await create_yml_files_legacy()
    init_logging("hummingbot_logs.yml", config)
    await read_system_configs_from_yml()
    AllConnectorSettings.initialize_paper_trade_settings(config.paper_trade.paper_trade_exchanges)
    return HummingbotApplication.main_application(client_config_map=config, headless_mode=headless)


async def bridge_up(hb, seconds: float = 15) -> None:
    """Wait for the bridge; the vendor's quick start does not, and then a headless bot never forwards events."""
    for _ in range(int(seconds * 10)):
        if hb._mqtt is not None and hb._mqtt.health:
            return
        await asyncio.sleep(0.1)


def started(args: argparse.Namespace) -> Path:
    """The file that appears when the bot is up; a test waits for it."""
    return args.home / "ready"


async def announce(hb, args: argparse.Namespace) -> None:
    """Say that the bot is up: every connection of the bridge stands, and the strategy runs if one was asked for."""
    while not (hb._mqtt is not None and hb._mqtt.health
               and (not args.strategy or hb.trading_core.strategy is not None)):
        await asyncio.sleep(0.1)
    started(args).touch()
    if not args.ui:
        print(f"ready {args.namespace}/{args.id}", flush=True)


async def main(args: argparse.Namespace) -> None:
    hb = await application(client_config(args), headless=not args.ui)
    announcement = asyncio.ensure_future(announce(hb, args))  # noqa: F841 (kept, or it would be collected)
    if args.ui:
        tasks = [hb.run()]
        if args.strategy:
            tasks.append(hb.start_check(v2_conf=STRATEGY_CONF))
        await asyncio.gather(*tasks)
        return
    if not args.vendor_order:
        await bridge_up(hb)
    if args.strategy:
        name = STRATEGY_CONF.removeprefix("conf_").removesuffix(".yml")
        hb.strategy_file_name = STRATEGY_CONF
        hb.trading_core.strategy_name = name
        if not await hb.trading_core.start_strategy(name, STRATEGY_CONF, STRATEGY_CONF):
            raise SystemExit("the strategy did not start")
    await hb.run()


if __name__ == "__main__":
    ARGS = arguments()
    if ARGS.ui and not sys.stdin.isatty():
        sys.exit(in_terminal(ARGS))
    if ARGS.exit_with_stdin:
        leave_with_stdin()
    make_home(ARGS.home, ARGS.auto)
    started(ARGS).unlink(missing_ok=True)
    prepare(ARGS.home)
    LOOP = asyncio.new_event_loop()
    asyncio.set_event_loop(LOOP)
    LOOP.run_until_complete(main(ARGS))
