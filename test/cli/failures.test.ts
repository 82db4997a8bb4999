/** What a user reads, and what a script gets as exit code, when something is wrong. */
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeOn,
  freePort,
  type MqttBroker,
  makeCertificates,
  startEmbedded,
  startMosquitto,
} from '../brokers/index.js';
import { type Finished, folder, run, shell, start } from './tool.js';

/** One line, beginning with the tool's name. */
function oneError({ stderr }: Finished, tool = 'commlib'): string {
  expect(stderr).toMatch(new RegExp(`^${tool}: [^\n]+\n$`));
  return stderr;
}

describe('wrong usage ends with 2 and says what is wrong', () => {
  // The many other ways are tested in process, beside the programs.
  test('the data, the command, the option', async () => {
    const data = await run('commlib', ['rpcc', 'a/b', '{"a": 1,}']);
    expect(oneError(data)).toMatch(/DATA is not JSON: .* at position 8, here: \{"a": 1,▶\}/);
    const command = await run('hbotctl', ['statu', 'testbot']);
    expect(oneError(command, 'hbotctl')).toMatch(/unknown command 'statu' \(Did you mean status\?\)/);
    const option = await run('commlib-cli', ['sub', 'a', '--jsn']);
    expect(oneError(option)).toMatch(/unknown option '--jsn' \(Did you mean --json\?\)/);
    for (const finished of [data, command, option]) expect(finished).toMatchObject({ code: 2, stdout: '' });
  });

  test('a configuration file with a mistake is named, its secrets are not', async () => {
    const cwd = folder();
    writeFileSync(join(cwd, 'commlib.json'), '{"password": "hunter2" "host": "x"}');
    const broken = await run('commlib', ['sub', 'a'], { cwd });
    expect(oneError(broken)).toContain(join(cwd, 'commlib.json'));
    expect(broken.stderr).not.toContain('hunter2');
    writeFileSync(join(cwd, 'commlib.json'), '{"pasword": "hunter2"}');
    const misspelt = await run('commlib', ['sub', 'a'], { cwd });
    expect(oneError(misspelt)).toMatch(/Unrecognized key: "pasword"/);
    expect([broken.code, misspelt.code]).toEqual([2, 2]);
  });
});

test.runIf(existsSync('/dev/full'))(
  'output that cannot be written is a failure (where there is a /dev/full)',
  async () => {
    const finished = await shell(`hbotctl stop testbot --dry-run >/dev/full`).finished;
    expect(finished.stderr).toMatch(/cannot be written: .*ENOSPC/);
    expect(finished.code).toBe(1);
  },
);

describe('no connection ends with 3, at once, and says where and why', () => {
  test('nobody listens', async () => {
    const port = await freePort();
    const finished = await run('commlib', ['--port', String(port), 'rpcc', 'a/b', '{}']);
    expect(oneError(finished)).toContain(`mqtt://localhost:${port}: nobody listens there`);
    expect(finished).toMatchObject({ code: 3, stdout: '' });
    const hbotctl = await run('hbotctl', ['status', 'testbot', '-b', `mqtt://localhost:${port}`]);
    expect(oneError(hbotctl, 'hbotctl')).toMatch(/is a broker running\? 'hbotctl broker'/);
    expect(hbotctl.code).toBe(3);
    const json = await run('hbotctl', ['status', 'testbot', '-b', `mqtt://localhost:${port}`, '--json']);
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'CONNECTION_REFUSED' } });
  });

  test('no such host', async () => {
    const finished = await run('commlib', ['-h', 'broker.invalid', 'sub', 'a']);
    expect(oneError(finished)).toMatch(
      /mqtt:\/\/broker.invalid:1883: (host not found|the host does not answer)/,
    );
    expect(finished.code).toBe(3);
  });

  describe('a server that never answers', () => {
    let server: Server;
    beforeAll(async () => {
      server = createServer(() => {});
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    afterAll(() => server.close());

    test('is given up after --connect-timeout', async () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const begun = performance.now();
      const finished = await run('commlib', [
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '--connect-timeout',
        '1',
        'sub',
        'a',
      ]);
      expect(oneError(finished)).toContain(`127.0.0.1:${port}`);
      expect(finished.code).toBe(3);
      expect(performance.now() - begun).toBeLessThan(10_000);
    });
  });
});

test('a broker that comes back and does not let us in any more ends a watch with 3', async () => {
  const port = await freePort();
  const open = await startEmbedded({ port });
  const view = start('hbotctl', ['watch', 'testbot', '-b', open.url]);
  await view.shows(/watching/);
  await open.stop();
  await view.shows(/connection lost/);
  const closed = await startEmbedded({ port, users: { somebody: 'else' } });
  const finished = await view.finished;
  expect(finished.stderr).toMatch(/\nhbotctl: mqtt:\/\/127.0.0.1:\d+: .*user name or password/);
  expect(finished.code).toBe(3);
  await closed.stop();
});

describeOn(
  'mosquitto',
  () => {
    let secured: MqttBroker;
    let plain: MqttBroker;
    let certificates: Awaited<ReturnType<typeof makeCertificates>>;
    beforeAll(async () => {
      certificates = await makeCertificates();
      secured = await startMosquitto({ tls: certificates.server, users: { controller: 'open sesame' } });
      plain = await startMosquitto({ own: true });
    });
    afterAll(async () => {
      await secured?.stop();
      await plain?.stop();
      await certificates?.dispose();
    });

    test('a wrong password ends with 3 and says so, without the password', async () => {
      const args = ['-b', secured.url, '--ca', certificates.files.ca, '--username', 'controller'];
      const finished = await run('commlib', [...args, 'sub', 'a'], {
        env: { COMMLIB_PASSWORD: 'wrong-password' },
      });
      expect(oneError(finished)).toMatch(/wrong user name or password/);
      expect(finished.stderr).not.toContain('wrong-password');
      expect(finished.code).toBe(3);
    });

    test('a CA that is not the broker’s ends with 3 and says so', async () => {
      const finished = await run('commlib', [
        '-b',
        secured.url,
        '--ca',
        certificates.files.wrongCa,
        'sub',
        'a',
      ]);
      expect(oneError(finished)).toMatch(/certificate is not trusted/);
      expect(finished.code).toBe(3);
    });

    test('a client certificate lets in, without it nobody gets in; --servername and --insecure do as they say', async () => {
      const { files, server, ca } = certificates;
      const strict = await startMosquitto({ tls: { ...server, ca, requireClientCertificate: true } });
      const publish = (...args: string[]) =>
        run('commlib', ['-b', strict.url, ...args, 'pub', '--rate', '0', 'x', '1']);
      const certificate = ['--cert', files.clientCert, '--key', files.clientKey];
      try {
        expect((await publish('--ca', files.ca, ...certificate)).code).toBe(0);
        expect((await publish('--insecure', ...certificate)).code).toBe(0);
        const without = await publish('--ca', files.ca);
        expect(oneError(without)).toContain(strict.url);
        const elsewhere = await publish('--ca', files.ca, ...certificate, '--servername', 'broker.example');
        expect(oneError(elsewhere)).toMatch(/certificate is for another host name/);
        expect([without.code, elsewhere.code]).toEqual([3, 3]);
      } finally {
        await strict.stop();
      }
    }, 90_000);

    test('TLS where there is none ends with 3', async () => {
      const finished = await run('commlib', [
        '-h',
        'localhost',
        '-p',
        String(plain.port),
        '--tls',
        'sub',
        'a',
      ]);
      expect(oneError(finished)).toContain(`mqtts://localhost:${plain.port}`);
      expect(finished.code).toBe(3);
    });

    test('nobody serves: 4, at once where the broker says so, else after --timeout', async () => {
      const told = await run('commlib', ['-b', plain.url, 'rpcc', 'nobody/here', '{}']);
      expect(oneError(told)).toContain('nobody takes what is sent to nobody/here');
      expect(told).toMatchObject({ code: 4, stdout: '' });
      const old = await startEmbedded();
      try {
        const finished = await run('commlib', [
          '-b',
          old.url,
          '--timeout',
          '0.5',
          'rpcc',
          'nobody/here',
          '{}',
        ]);
        expect(oneError(finished)).toMatch(/no answer from nobody\/here at mqtt:.* within 0.5 s/);
        expect(finished).toMatchObject({ code: 4, stdout: '' });
      } finally {
        await old.stop();
      }
      const discover = await run('hbotctl', ['discover', '-b', plain.url, '--timeout', '0.5', '--quiet']);
      expect(oneError(discover, 'hbotctl')).toMatch(/no bot was heard/);
      expect(discover.code).toBe(4);
    });

    test('an answer with a status of 400 is printed and ends with 5', async () => {
      const service = start('commlib', [
        '-b',
        plain.url,
        'rpcs',
        'a/refusing',
        '--reply',
        '{"status": 400, "msg": "no"}',
      ]);
      await service.shows(/serving/);
      const finished = await run('commlib', ['-b', plain.url, 'rpcc', 'a/refusing', '{}']);
      expect(finished.stdout).toBe('{"status":400,"msg":"no"}\n');
      expect(oneError(finished)).toMatch(/status 400: no/);
      expect(finished.code).toBe(5);
      expect((await service.end('SIGTERM')).code).toBe(0);
    });

    test('interrupted before it was done: 130; terminated: 143', async () => {
      // Of MQTT 3.1.1: it does not say that nobody takes a command.
      await using old = await startEmbedded();
      for (const [signal, code] of [
        ['SIGINT', 130],
        ['SIGTERM', 143],
      ] as const) {
        const waiting = start('commlib', ['-b', plain.url, 'sub', 'silence', '--count', '1']);
        await waiting.shows(/subscribed/);
        expect((await waiting.end(signal)).code).toBe(code);
        const calling = start('hbotctl', ['-b', old.url, 'status', 'nobody']);
        await calling.shows(/no answer from nobody yet/);
        expect((await calling.end(signal)).code).toBe(code);
      }
    });
  },
  { own: true },
);
