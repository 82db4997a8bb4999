import { BrokerUnavailable, type MqttBroker, notOurs } from './broker.js';
import { controlled } from './controls.js';
import { startContainer } from './docker.js';
import { findBroker, urlOf } from './find.js';
import { accepts, freePort } from './ports.js';
import { recordUse } from './record.js';

/**
 * An EMQX with anonymous access, at `COMMLIB_EMQX_URL` or from Docker; no system packages it as a binary.
 *
 * @throws BrokerUnavailable when neither is there.
 */
export async function startEmqx(options: { own?: boolean } = {}): Promise<MqttBroker> {
  const found = await findBroker('emqx', { own: options.own ?? false });
  if (!found.found) throw new BrokerUnavailable(`no EMQX: ${found.why}`);
  recordUse({ broker: 'emqx', version: found.version, source: found.source });
  if (found.source === 'url') {
    const url = urlOf('emqx') ?? '';
    return {
      ...notOurs(found.where),
      source: 'url',
      version: found.version,
      pid: undefined,
      url,
      wsUrl: process.env.COMMLIB_EMQX_WS_URL,
      port: Number(new URL(url).port || 1883),
      async [Symbol.asyncDispose]() {},
    };
  }
  const port = await freePort();
  const wsPort = await freePort();
  const controls = await startContainer({
    image: found.where,
    ports: new Map([
      [1883, port],
      [8083, wsPort],
    ]),
    ready: async () => (await accepts(port)) && (await accepts(wsPort)),
    timeoutMs: 90_000,
  });
  return controlled(controls, {
    source: found.source,
    version: found.version,
    url: `mqtt://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${wsPort}/mqtt`,
    port,
  });
}
