import { createServer, type Server } from 'node:http';
import { Node } from '@commlib/core';
import { commandNames, SimulatedBot } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto } from '../brokers/index.js';
import { recordUse } from '../brokers/record.js';
import { type Bundle, bundleForBrowser } from './bundle.js';
import { findChromium } from './chromium.js';

const executablePath = findChromium();
let bundle: Bundle;

beforeAll(async () => {
  bundle = await bundleForBrowser('./page.ts');
});

test("core, transport-mqtt and hbot-protocol bundle for a browser without Node's modules", () => {
  expect(bundle.code).not.toMatch(/from\s*"(node:|net"|tls"|fs")/);
  expect(bundle.code).not.toMatch(/require\("(node:|net|tls|fs)/);
  console.info(`browser bundle: ${bundle.bytes} bytes, ${bundle.gzipBytes} gzipped`);
});

if (executablePath === undefined) {
  const why = 'no Chromium (COMMLIB_CHROMIUM names one)';
  recordUse({ broker: 'chromium', version: '-', source: 'missing', why });
  console.warn(`not run: the page in a browser: ${why}`);
  describe.skip(`a page in a browser — not run: ${why}`, () => {});
} else {
  describeOn(
    'mosquitto',
    () => {
      let broker: MqttBroker;
      let server: Server;
      let browser: Browser;
      let node: Node;
      let bot: SimulatedBot;

      beforeAll(async () => {
        broker = await startMosquitto({ own: true, websockets: true });
        node = await new Node({ transport: mqtt(broker.url) }).start();
        bot = await SimulatedBot.start({ id: 'pagebot', node, heartbeatMs: 300 });
        server = createServer((request, response) => {
          const script = request.url === '/page.js';
          response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
          response.end(
            script ? bundle.code : '<!doctype html><script type="module" src="/page.js"></script>',
          );
        });
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        browser = await chromium.launch({
          executablePath,
          args: [
            '--no-sandbox',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-sync',
          ],
        });
        recordUse({ broker: 'chromium', version: browser.version(), source: 'binary' });
      });

      afterAll(async () => {
        await browser?.close();
        server?.close();
        await bot?.close();
        await node?.close();
        await broker?.stop();
      });

      test('a page calls a bot over a WebSocket: every command, heartbeats and events', async () => {
        const address = server.address();
        if (typeof address !== 'object' || address === null) throw new Error('the page server has no port');
        const page = await browser.newPage();
        const failures: string[] = [];
        page.on('pageerror', (error) => failures.push(error.message));
        await page.goto(`http://127.0.0.1:${address.port}/`);
        await page.waitForFunction(() => typeof window.control === 'function');
        const url = broker.wsUrl ?? '';
        const report = await page.evaluate(([ws, id]) => window.control(ws, id), [url, 'pagebot'] as const);
        expect(failures).toEqual([]);
        expect(Object.keys(report.replies).length).toBe(8);
        for (const reply of Object.values(report.replies))
          expect(reply).toMatchObject({ status: 200, msg: expect.any(String) });
        expect(report.heartbeat).toBeGreaterThan(1.7e15);
        expect(report.events.length).toBeGreaterThan(0);
        expect(report.refused).toBe('HbotCommandError');
        expect(report.closed).toBe('closed');
        expect(commandNames.length).toBeGreaterThanOrEqual(8);
      }, 90_000);
    },
    { own: true },
  );
}
