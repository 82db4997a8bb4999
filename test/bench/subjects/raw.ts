/**
 * mqtt.js by hand, as well as we can: one standing inbox, answers told apart by the last level of their topic, no-delay,
 * as many unconfirmed messages as the broker allows, and the same bytes on the wire as the library writes.
 */
import mqtt, { type IClientPublishOptions, type MqttClient } from 'mqtt';
import type { Order, Receipt } from '../order.js';
import type { BenchSubject } from '../subject.js';

const TIMEOUT_MS = 30_000;

export function rawSubject(url: string, channel: string): BenchSubject {
  const orders = `${channel}/orders`;
  const fill = `${channel}/fill`;
  return {
    async stream(qos, onOrder) {
      const receiver = await connect(url);
      receiver.on('message', (_topic, payload) => onOrder(JSON.parse(payload.toString())));
      await receiver.subscribeAsync(orders, { qos });
      const sender = await connect(url);
      if (qos === 1) {
        const send = confirmedSender(sender);
        return (order, confirmed) => send(orders, JSON.stringify(order), confirmed);
      }
      const options: IClientPublishOptions = { qos: 0, retain: false };
      return (order, confirmed) => {
        // No callback: with one, mqtt.js adds a listener for each message while the socket is full.
        sender.publish(orders, JSON.stringify(order), options);
        confirmed();
      };
    },

    async rpc(answer) {
      await serve(await connect(url), fill, answer);
      return caller(await connect(url), fill);
    },
  };
}

async function connect(url: string): Promise<MqttClient> {
  const client = mqtt.connect(url, {
    protocolVersion: 5,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    messageIdProvider: new mqtt.UniqueMessageIdProvider(),
    log: () => {},
  });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  if ('setNoDelay' in client.stream && typeof client.stream.setNoDelay === 'function') {
    client.stream.setNoDelay(true);
  }
  return client;
}

type Send = (topic: string, payload: string, done: (error?: unknown) => void) => void;

/** QoS 1, never more unconfirmed than the broker's receive maximum. */
function confirmedSender(client: MqttClient): Send {
  const allowed = client.serverProperties?.receiveMaximum ?? 65_535;
  const options: IClientPublishOptions = { qos: 1, retain: false };
  const waiting: Parameters<Send>[] = [];
  let next = 0;
  let unconfirmed = 0;
  const send: Send = (topic, payload, done) => {
    if (unconfirmed >= allowed) {
      waiting.push([topic, payload, done]);
      return;
    }
    unconfirmed++;
    client.publish(topic, payload, options, (error) => {
      unconfirmed--;
      done(error);
      const held = waiting[next];
      if (held === undefined) return;
      if (++next === waiting.length) {
        waiting.length = 0;
        next = 0;
      }
      send(...held);
    });
  };
  return send;
}

async function serve(client: MqttClient, topic: string, answer: (order: Order) => Receipt): Promise<void> {
  const send = confirmedSender(client);
  const failed = (error: unknown) => {
    if (error) throw error;
  };
  client.on('message', (_topic, payload) => {
    const { header, data } = JSON.parse(payload.toString());
    send(header.reply_to, envelope('', answer(data)), failed);
  });
  await client.subscribeAsync(topic, { qos: 1 });
}

async function caller(client: MqttClient, topic: string): Promise<(order: Order) => Promise<Receipt>> {
  interface Call {
    resolve: (receipt: Receipt) => void;
    reject: (error: unknown) => void;
    begun: number;
  }
  const inbox = `rpc-${crypto.randomUUID().replaceAll('-', '')}/`;
  const calls = new Map<string, Call>();
  client.on('message', (replyTopic, payload) => {
    const id = replyTopic.slice(inbox.length);
    const call = calls.get(id);
    if (call === undefined) return;
    calls.delete(id);
    call.resolve(JSON.parse(payload.toString()).data);
  });
  await client.subscribeAsync(`${inbox}+`, { qos: 1 });

  // One timer for all calls.
  const sweep = setInterval(() => {
    const now = Date.now();
    for (const [id, call] of calls) {
      if (now - call.begun < TIMEOUT_MS) break;
      calls.delete(id);
      call.reject(new Error(`no answer within ${TIMEOUT_MS} ms`));
    }
  }, 1000);
  sweep.unref();

  const send = confirmedSender(client);
  let last = 0;
  return (order) =>
    new Promise((resolve, reject) => {
      const id = String(++last);
      calls.set(id, { resolve, reject, begun: Date.now() });
      send(topic, envelope(inbox + id, order), (error) => {
        if (error) reject(error);
      });
    });
}

/** commlib's envelope, written as text: faster than building an object of it first. */
function envelope(replyTo: string, data: unknown): string {
  return `{"header":{"reply_to":"${replyTo}","timestamp":${Date.now()}000000,"content_type":"json","encoding":"utf8","agent":"commlib-ts"},"data":${JSON.stringify(data)}}`;
}
