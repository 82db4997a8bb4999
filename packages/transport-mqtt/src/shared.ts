/**
 * Does a broker of MQTT 3.1.1 have shared subscriptions? Some do (Mosquitto); some confirm the SUBSCRIBE and deliver nothing
 * (aedes 1.x). Only a delivery proves it.
 */
import type { IPublishPacket } from 'mqtt';
import type { Link } from './link.js';
import { randomHex } from './options.js';

const PATIENCE_MS = 500;

/** Where the messages of the link are routed. */
interface Router {
  intercept: ((packet: IPublishPacket) => boolean) | undefined;
}

/** Sends itself a message through a shared subscription and waits for it, half a second at most. */
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
  const timer = setTimeout(() => arrived(false), PATIENCE_MS);
  try {
    await link.subscribe({ filter, qos: 0 });
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
