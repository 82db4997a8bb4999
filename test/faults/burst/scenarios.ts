/** The disturbances of a burst, each on a Mosquitto of its own. */
import { type MqttBroker, startMosquitto } from '../../brokers/index.js';
import { startProxy, type TcpProxy, through } from '../proxy.js';
import { type BurstOptions, type BurstResult, type Disturbed, runBurst } from './burst.js';

/** How many calls, and how many of them at once. */
export interface BurstSize {
  readonly calls: number;
  readonly inFlight: number;
}

/** `npm test`. */
export const SMALL: BurstSize = { calls: 2_000, inFlight: 200 };
/** `npm run soak`. */
export const FULL: BurstSize = { calls: 10_000, inFlight: 1_000 };

/** One way to disturb. */
export interface BurstScenario {
  readonly name: string;
  /** The calls are expected to fail only with these codes. */
  readonly mayFail: readonly string[];
  /** How often the client's connection is lost. */
  readonly losses: number;
  run(size: BurstSize): Promise<BurstResult>;
}

const AT_A_LOSS = ['CONNECTION_LOST', 'NOT_CONNECTED', 'TIMEOUT'];
const TIMEOUT_MS = 10_000;

async function onMosquitto(
  size: BurstSize,
  disturb?: (burst: Disturbed, broker: MqttBroker) => Promise<void>,
): Promise<BurstResult> {
  await using broker = await startMosquitto({ own: true });
  const options: BurstOptions = {
    ...size,
    clientUrl: broker.url,
    serviceUrl: broker.url,
    timeoutMs: TIMEOUT_MS,
    disturb: disturb && ((burst) => disturb(burst, broker)),
  };
  // Awaited here: the broker must outlive it.
  return await runBurst(options);
}

async function throughProxy(
  size: BurstSize,
  keepaliveMs: number | undefined,
  disturb: (burst: Disturbed, proxy: TcpProxy) => Promise<void>,
): Promise<BurstResult> {
  await using broker = await startMosquitto({ own: true });
  await using proxy = await startProxy(broker.port);
  // Awaited here: the broker must outlive it.
  return await runBurst({
    ...size,
    clientUrl: through(proxy, broker.url),
    serviceUrl: broker.url,
    timeoutMs: TIMEOUT_MS,
    keepaliveMs,
    disturb: (burst) => disturb(burst, proxy),
  });
}

export const scenarios: readonly BurstScenario[] = [
  {
    name: 'undisturbed',
    mayFail: [],
    losses: 0,
    run: (size) => onMosquitto(size),
  },
  {
    name: 'broker killed (kill -9) and restarted twice',
    mayFail: AT_A_LOSS,
    losses: 2,
    run: (size) =>
      onMosquitto(size, async ({ client, service, settled, state }, broker) => {
        for (const part of [0.25, 0.6]) {
          await settled(part);
          await broker.kill9();
          await state(client, 'reconnecting');
          await broker.restart();
          await state(service, 'ready');
          await state(client, 'ready');
        }
      }),
  },
  {
    name: 'connection of the client reset twice',
    mayFail: AT_A_LOSS,
    losses: 2,
    run: (size) =>
      throughProxy(size, undefined, async ({ client, settled, state }, proxy) => {
        for (const part of [0.25, 0.6]) {
          await settled(part);
          proxy.cut();
          await state(client, 'reconnecting');
          await state(client, 'ready');
        }
      }),
  },
  {
    name: 'link of the client goes silent until its keepalive notices',
    mayFail: AT_A_LOSS,
    losses: 1,
    run: (size) =>
      throughProxy(size, 1_000, async ({ client, settled, state }, proxy) => {
        await settled(0.4);
        proxy.pause();
        await state(client, 'reconnecting');
        proxy.resume();
        await state(client, 'ready');
      }),
  },
];
