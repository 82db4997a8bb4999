import { connect as tcpConnect } from 'node:net';
import { connectAsync } from 'mqtt';

/**
 * The version that an AMQP 0-9-1 server tells in `Connection.Start`, its first frame, before any login
 * (AMQP 0-9-1 §4.2.2; `server-properties` is a field table, `version` a long string in it). `unknown` when none came.
 */
export async function amqpServerVersion(url: string, timeoutMs = 3_000): Promise<string> {
  const { hostname, port } = new URL(url);
  const frame = await new Promise<Buffer>((resolve) => {
    let received = Buffer.alloc(0);
    const socket = tcpConnect({ host: hostname, port: Number(port || 5672) });
    const done = () => {
      socket.destroy();
      resolve(received);
    };
    socket.setTimeout(timeoutMs, done);
    socket.once('error', done).once('close', done);
    socket.once('connect', () => socket.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      // Frame: type, channel (2), size (4), payload, end octet.
      if (received.length >= 7 && received.length >= 8 + received.readUInt32BE(3)) done();
    });
  });
  const name = Buffer.from('\x07versionS', 'latin1');
  const at = frame.indexOf(name);
  if (at < 0) return 'unknown';
  const start = at + name.length + 4;
  return frame.toString('utf8', start, start + frame.readUInt32BE(start - 4));
}

/** The version that an MQTT broker publishes under `$SYS/broker/version` (Mosquitto does), or `unknown`. */
export async function mqttServerVersion(url: string, timeoutMs = 3_000): Promise<string> {
  try {
    const client = await connectAsync(url, { connectTimeout: timeoutMs, reconnectPeriod: 0 });
    try {
      const answer = new Promise<string>((resolve) => {
        const timer = setTimeout(() => resolve('unknown'), timeoutMs);
        client.once('message', (_topic, payload) => {
          clearTimeout(timer);
          resolve(payload.toString('utf8').replace(/^mosquitto version /, ''));
        });
      });
      await client.subscribeAsync('$SYS/broker/version');
      return await answer;
    } finally {
      await client.endAsync(true);
    }
  } catch {
    return 'unknown';
  }
}
