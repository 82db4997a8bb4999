import { CommlibError } from '@commlib/core';
import { kafka } from '@commlib/transport-kafka';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Certificates,
  describeOn,
  freePort,
  type KafkaBroker,
  makeCertificates,
  startKafka,
  until,
} from '../brokers/index.js';
import { bytes, connected, lossy, rejection, text, unique } from './links.js';

const connecting = { timeoutMs: 10_000, failFast: false, onEvent: () => {} };

/** Everything an error says, causes included. */
function said(error: unknown): string {
  const parts: string[] = [];
  for (let one = error; one instanceof Error; one = one.cause) {
    parts.push(one.message, String(one.stack));
    if (CommlibError.is(one)) parts.push(JSON.stringify(one.context));
  }
  return parts.join('\n');
}

describeOn(
  'kafka',
  () => {
    let broker: KafkaBroker;
    let certificates: Certificates;
    beforeAll(async () => {
      certificates = await makeCertificates();
      const { server, ca } = certificates;
      broker = await startKafka({ users: { bot: 'right-pa/ss' }, tls: { ...server, ca } });
    });
    afterAll(async () => {
      await broker?.stop();
      await certificates?.dispose();
    });

    const sasl = (credentials: string) => (broker.saslUrl ?? '').replace('://', `://${credentials}@`);
    const secure = () => (broker.tlsUrl ?? '').replace('kafka://', 'kafkas://');

    /** A message there and back. */
    async function works(url: string, options: Parameters<typeof kafka>[1] = {}): Promise<void> {
      await using link = await connected(url, options);
      const got: string[] = [];
      const topic = unique();
      await link.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
      await link.transport.publish(topic, bytes('hello'));
      await until(() => got.length === 1, { what: 'the message' });
      expect(got).toEqual(['hello']);
    }

    test('a wrong password ends at once, says so, and shows no credential', async () => {
      const transport = kafka(sasl('bot:wrong-secret'));
      const error = await rejection(transport.connect(connecting));
      expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', permanent: true });
      expect(String(error)).toContain('kafka://127.0.0.1:');
      expect(said(error)).not.toContain('wrong-secret');
      expect(transport.status.state).toBe('closed');
      await transport.close({ deadlineMs: 100 });
    });

    test('user and password from the URL, percent-encoded, or from the options', async () => {
      await works(sasl('bot:right-pa%2Fss'));
      await works(broker.saslUrl ?? '', { sasl: { username: 'bot', password: 'right-pa/ss' } });
    });

    test('a mechanism the broker does not take is said', async () => {
      const wrong = { sasl: { mechanism: 'scram-sha-256', username: 'bot', password: 'x' } } as const;
      const error = await rejection(kafka(broker.saslUrl ?? '', wrong).connect(connecting));
      expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', permanent: true });
      expect(String(error)).toMatch(/mechanism/);
    });

    test('a password where none is asked for ends at once', async () => {
      const url = broker.url.replace('://', '://bot:secret@');
      const error = await rejection(kafka(url).connect(connecting));
      expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', permanent: true });
    });

    describe('TLS', () => {
      test('a private CA', async () => {
        await works(secure(), { tls: { ca: certificates.ca } });
      });

      test('with a password', async () => {
        const url = (broker.saslTlsUrl ?? '').replace('kafka://', 'kafkas://bot:right-pa%2Fss@');
        await works(url, { tls: { ca: certificates.ca } });
      });

      test('the wrong CA, the wrong host name: each ends with an error that says which', async () => {
        const untrusted = await rejection(
          kafka(secure(), { tls: { ca: certificates.wrongCa } }).connect(connecting),
        );
        expect(untrusted).toMatchObject({ code: 'TLS_UNTRUSTED', permanent: true });
        const renamed = kafka(secure(), { tls: { ca: certificates.ca, servername: 'other.example' } });
        expect(await rejection(renamed.connect(connecting))).toMatchObject({
          code: 'TLS_HOSTNAME',
          permanent: true,
        });
      });
    });

    test('nobody listens: it tries on, and then says so; with failFast at once', async () => {
      const url = `kafka://127.0.0.1:${await freePort()}`;
      const patient = await rejection(kafka(url).connect({ ...connecting, timeoutMs: 2_000 }));
      expect(patient).toMatchObject({ code: 'TIMEOUT', cause: { code: 'CONNECTION_REFUSED' } });
      const hasty = await rejection(kafka(url).connect({ ...connecting, failFast: true }));
      expect(hasty).toMatchObject({ code: 'CONNECTION_REFUSED' });
    });

    test('the first of several brokers is away: the next one does', async () => {
      await works(`kafka://127.0.0.1:${await freePort()},127.0.0.1:${broker.port}`);
    });

    test('closing leaves nothing that keeps the process', async () => {
      const before = handles();
      const link = await connected(broker.url);
      await link.transport.subscribe(unique(), lossy, () => {});
      await link.transport.publish(unique(), bytes('x'), { delivery: 'at-least-once' });
      await link.transport.close({ deadlineMs: 3_000 });
      await until(() => handles() <= before, { what: 'sockets and timers to be gone' });
    });
  },
  { own: true },
);

/** Sockets and timers that keep the process. */
function handles(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Timeout/.test(name)).length;
}
