import { connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
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

/** The version that a Redis tells under `INFO server`, or `unknown`. */
export async function redisServerVersion(url: string, timeoutMs = 3_000): Promise<string> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
  });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  } finally {
    redis.disconnect();
  }
}

/** Whether a Redis answers at a port of 127.0.0.1 and has read its data. Whether it asks for a password does not matter. */
export function redisAnswers(port: number): Promise<boolean> {
  const ping = Buffer.from('PING\r\n');
  return answers(port, ping, (reply) => /^(\+PONG|-NOAUTH|-NOPERM)/.test(reply.toString('latin1')));
}

/** Whether an MQTT broker answers at a port of 127.0.0.1. Whether it lets anybody in does not matter. */
export function mqttAnswers(port: number): Promise<boolean> {
  // CONNECT of MQTT 3.1.1, clean session, keep-alive 10 s, no client id; the answer is a CONNACK.
  const connect = Buffer.from([0x10, 12, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 10, 0, 0]);
  return answers(port, connect, (reply) => reply[0] === 0x20);
}

/**
 * Whether a server speaks TLS at a port of 127.0.0.1.
 *
 * A port that accepts says nothing about a server in Docker, whose proxy accepts in its stead.
 */
export function tlsAnswers(port: number, timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    // Who it is does not matter here.
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => done(false));
    socket.once('secureConnect', () => done(true));
    socket.once('close', () => done(false));
    // An alert is an answer, too: it wants to see a certificate.
    socket.once('error', (error) => done(/alert/.test(error.message)));
  });
}

/** Sends something to a port of 127.0.0.1 and looks at the first bytes that come back. */
function answers(
  port: number,
  question: Buffer,
  good: (reply: Buffer) => boolean,
  timeoutMs = 1_000,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tcpConnect({ host: '127.0.0.1', port });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => done(false));
    socket.once('close', () => done(false)).once('error', () => done(false));
    socket.once('connect', () => socket.write(question));
    socket.once('data', (chunk) => done(good(chunk)));
  });
}

/** Whether a Kafka at a port of 127.0.0.1 serves: it names itself among the living brokers of its cluster. */
export async function kafkaAnswers(port: number, timeoutMs = 2_000): Promise<boolean> {
  const admin = new Kafka({
    brokers: [`127.0.0.1:${port}`],
    connectionTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  }).admin();
  try {
    await admin.connect();
    const { brokers, controller } = await admin.describeCluster();
    return brokers.length > 0 && controller !== null;
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => {});
  }
}
