/** Over TLS with a private authority; what is wrong ends at once and says what it is, without a secret in it. */
import { inspect } from 'node:util';
import { ConnectionError, Node, type NodeEvent } from '@commlib/core';
import { type MqttOptions, mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Certificates,
  describeOn,
  type MqttBroker,
  makeCertificates,
  startMosquitto,
} from '../brokers/index.js';
import { run } from '../cli/tool.js';
import { everythingWorks } from './session.js';

const users = { controller: 'open-sesame', bot: 'shut-sesame' };
const asController = { username: 'controller', password: users.controller };
const asBot = { username: 'bot', password: users.bot };
/** "At once". Generous: a machine may be slow; the default of `start()` is 30 s. */
const AT_ONCE_MS = 15_000;
/** The same with the start of a process. */
const AT_ONCE_AS_COMMAND_MS = 15_000;

describeOn(
  'mosquitto',
  () => {
    let certificates: Certificates;
    let broker: MqttBroker;
    let strict: MqttBroker;
    beforeAll(async () => {
      certificates = await makeCertificates();
      const { server, ca } = certificates;
      const acl = ['user controller', 'topic readwrite hbot/#', 'user bot', 'topic readwrite hbot/#'];
      broker = await startMosquitto({ tls: server, users, acl, websockets: true });
      strict = await startMosquitto({ tls: { ...server, ca, requireClientCertificate: true } });
    });
    afterAll(async () => {
      await broker?.stop();
      await strict?.stop();
      await certificates?.dispose();
    });

    describe('all commands and streams', () => {
      test.each([5, 4] as const)('mqtts://, MQTT version %i', async (version) => {
        const tls = { ca: certificates.ca };
        await everythingWorks({
          url: broker.url,
          bot: { ...asBot, tls, version },
          controller: { ...asController, tls, version },
        });
      });

      test('wss://', async () => {
        const tls = { ca: certificates.ca };
        await everythingWorks({
          url: broker.wsUrl ?? '',
          bot: { ...asBot, tls },
          controller: { ...asController, tls },
        });
      });

      test('with client certificates', async () => {
        const tls = { ca: certificates.ca, cert: certificates.client.cert, key: certificates.client.key };
        await everythingWorks({ url: strict.url, bot: { tls }, controller: { tls } });
      });
    });

    describe('ends at once and says so', () => {
      /** The error of a start that would otherwise go on trying for 30 s. */
      async function failure(url: string, options: MqttOptions): Promise<unknown> {
        const events: NodeEvent[] = [];
        const node = new Node({ transport: mqtt(url, options), onEvent: (event) => events.push(event) });
        const begun = performance.now();
        const error = await node.start().then(
          () => 'no error',
          (reason: unknown) => reason,
        );
        expect(performance.now() - begun).toBeLessThan(AT_ONCE_MS);
        expect(node.status).toMatchObject({ state: 'closed' });
        const told = inspect([error, events, node.status], { depth: 20 });
        for (const secret of ['wrong-password', ...Object.values(users)]) expect(told).not.toContain(secret);
        expect(told).not.toContain('PRIVATE KEY');
        return error;
      }
      const withCa = () => ({ tls: { ca: certificates.ca } });

      const cases: [string, () => Promise<unknown>, string, RegExp][] = [
        [
          'a CA that is not the broker’s',
          () => failure(broker.url, { ...asController, tls: { ca: certificates.wrongCa } }),
          'TLS_UNTRUSTED',
          /certificate is not trusted/,
        ],
        [
          'a private CA that was not given',
          () => failure(broker.url, asController),
          'TLS_UNTRUSTED',
          /certificate is not trusted/,
        ],
        [
          'a wrong CA over WebSocket',
          () => failure(broker.wsUrl ?? '', { ...asController, tls: { ca: certificates.wrongCa } }),
          'TLS_UNTRUSTED',
          /certificate is not trusted/,
        ],
        [
          'a certificate for another host',
          () =>
            failure(broker.url, {
              ...asController,
              tls: { ca: certificates.ca, servername: 'broker.example' },
            }),
          'TLS_HOSTNAME',
          /another host name/,
        ],
        [
          'a wrong password',
          () => failure(broker.url, { ...withCa(), username: 'controller', password: 'wrong-password' }),
          'AUTHENTICATION_FAILED',
          /wrong user name or password/,
        ],
        [
          'a wrong password in the URL, MQTT 3.1.1',
          () =>
            failure(broker.url.replace('://', '://controller:wrong-password@'), { ...withCa(), version: 4 }),
          'AUTHENTICATION_FAILED',
          /wrong user name or password/,
        ],
        [
          'an unknown user',
          () => failure(broker.url, { ...withCa(), username: 'nobody', password: 'wrong-password' }),
          'AUTHENTICATION_FAILED',
          /wrong user name or password/,
        ],
        [
          'no credentials',
          () => failure(broker.url, withCa()),
          'AUTHENTICATION_FAILED',
          /does not let this user in|wrong user name/,
        ],
        ['no client certificate', () => failure(strict.url, withCa()), 'TLS_FAILED', /client certificate/],
        [
          'a client certificate of a stranger',
          () => failure(strict.url, { tls: { ca: certificates.ca, ...certificates.strangeClient } }),
          'TLS_FAILED',
          /client certificate/,
        ],
        [
          'a key that is none',
          () =>
            failure(strict.url, {
              tls: { ca: certificates.ca, cert: certificates.client.cert, key: 'not a key' },
            }),
          'TLS_FAILED',
          /mqtts:\/\/localhost/,
        ],
      ];
      test.each(cases)('%s', async (_, attempt, code, words) => {
        const error = await attempt();
        expect(error).toBeInstanceOf(ConnectionError);
        expect(error).toMatchObject({ code, permanent: true, message: expect.stringMatching(words) });
      });

      test('on the command line', async () => {
        const at = ['status', 'testbot', '-b', broker.url];
        const { ca, wrongCa } = certificates.files;
        const secret = { HBOTCTL_USERNAME: 'controller', HBOTCTL_PASSWORD: users.controller };
        const attempts: [string[], Record<string, string>, RegExp][] = [
          [[...at, '--ca', wrongCa], secret, /certificate is not trusted/],
          [[...at, '--ca', ca, '--servername', 'broker.example'], secret, /another host name/],
          [
            [...at, '--ca', ca, '--username', 'controller', '--password', 'wrong-password'],
            {},
            /wrong user name or password/,
          ],
          [
            [
              'status',
              'testbot',
              '-b',
              broker.url.replace('://', '://controller:wrong-password@'),
              '--ca',
              ca,
            ],
            {},
            /wrong user name or password/,
          ],
          [['status', 'testbot', '-b', strict.url, '--ca', ca], {}, /client certificate/],
        ];
        for (const [args, env, words] of attempts) {
          const begun = performance.now();
          const { code, stdout, stderr } = await run('hbotctl', args, { env });
          expect(performance.now() - begun).toBeLessThan(AT_ONCE_AS_COMMAND_MS);
          expect(stderr).toMatch(words);
          expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
          expect(stderr.trim().split('\n')).toHaveLength(1);
          for (const word of ['wrong-password', users.controller]) expect(stderr).not.toContain(word);
        }
      }, 120_000);
    });
  },
  { own: true },
);
