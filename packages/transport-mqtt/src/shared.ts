/**
 * Does a broker of MQTT 3.1.1 have shared subscriptions? Some do (Mosquitto); some confirm the SUBSCRIBE and deliver nothing
 * (aedes 1.x). Only a delivery proves it.
 */
import type { IPublishPacket } from 'mqtt';
import type { Link } from './link.js';
import { randomHex } from './options.js';

/** How long a message to oneself may be under way, counted from the broker's confirmation of the subscription. */
const PATIENCE_MS = 2000;

/** Where the messages of the link are routed. */
interface Router {
  intercept: ((packet: IPublishPacket) => boolean) | undefined;
}

/** Sends itself a message through a shared subscription and waits for it, two seconds at most. */
export async function proveSharedSubscriptions(link: Link, router: Router): Promise<boolean> {
  const topic = `commlib-probe/${randomHex(8)}`;
  const filter = `$share/commlib-probe/${topic}`;
  let arrived: (proven: boolean) => void = () => {};
  const arrival = new Promise<boolean>((resolve) => {
    arrived = resolve;
  });
  router.intercept = (packet) => {
    if (packet.topic === topic) arrived(true);
    return packet.topic === topic;
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await link.subscribe({ filter, qos: 0 });
    timer = setTimeout(() => arrived(false), PATIENCE_MS);
    await link.send(topic, new Uint8Array(), { qos: 0, retain: false });
    const proven = await arrival;
    await link.unsubscribe(filter);
    return proven;
  } catch {
    link.throwIfEnded();
    return false; // The broker refused: it has none.
  } finally {
    clearTimeout(timer);
    router.intercept = undefined;
  }
}
