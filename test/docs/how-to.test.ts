import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SimulatedBot } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeOn, freePort, type MqttBroker, startMosquitto } from '../brokers/index.js';
import { type Deployment, startDeployment } from '../compose/deployment.js';
import { openPage } from './run-page.js';
import { runsThrough } from './runs-through.js';

describe('how to write a bot', async () => {
  runsThrough('docs/how-to/write-a-bot.md', await openPage('docs/how-to/write-a-bot.md'));
});

describe('how to lose no message', async () => {
  runsThrough('docs/how-to/lose-nothing.md', await openPage('docs/how-to/lose-nothing.md'));
});

describe('how to use it in a browser', async () => {
  runsThrough('docs/how-to/browser.md', await openPage('docs/how-to/browser.md'));
});

describeOn(
  'mosquitto',
  () => {
    describe('how to work with a broker that denies by default', async () => {
      const replace: Record<string, string> = {};
      const page = await openPage('docs/how-to/acl.md', { replace, env: {} });
      let broker: Deployment;
      beforeAll(async () => {
        broker = await startDeployment('mosquitto.conf', {
          controller: 'controller-secret',
          testbot: 'testbot-secret',
        });
        replace['1883'] = new URL(broker.url).port;
      });
      afterAll(() => broker?.stop());
      runsThrough('docs/how-to/acl.md', page, ['conf']);
    });

    if (!hasOpenssl()) {
      console.warn('not run: docs/how-to/tls.md: no openssl of version 3 on the PATH');
      describe.skip('how to connect over TLS — not run: no openssl 3', () => {});
    } else {
      describe('how to connect over TLS', async () => {
        const port = await freePort();
        const page = await openPage('docs/how-to/tls.md', { replace: { '8883': String(port) }, env: {} });
        const [makeCertificates, ...others] = page.steps;
        if (makeCertificates === undefined) throw new Error('the page has no steps');
        let broker: MqttBroker | undefined;
        let bot: SimulatedBot | undefined;
        // With the page's own certificates, as soon as they are there.
        const first = {
          title: makeCertificates.title,
          run: async () => {
            await makeCertificates.run();
            const [ca, cert, key] = ['ca.crt', 'server.crt', 'server.key'].map((name) =>
              readFileSync(join(page.folder, name), 'utf8'),
            );
            const users = { controller: 'secret', testbot: 'secret' };
            broker = await startMosquitto({ port, tls: { cert: cert ?? '', key: key ?? '' }, users });
            const transport = () => mqtt(`mqtts://testbot:secret@localhost:${port}`, { tls: { ca } });
            bot = await SimulatedBot.start({ id: 'testbot', transport, heartbeatMs: 500 });
          },
        };
        afterAll(async () => {
          await bot?.close();
          await broker?.stop();
        });
        runsThrough('docs/how-to/tls.md', { ...page, steps: [first, ...others] }, ['conf']);
      });
    }
  },
  { own: true },
);

function hasOpenssl(): boolean {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8' }).startsWith('OpenSSL 3');
  } catch {
    return false;
  }
}
