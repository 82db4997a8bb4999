import { describe, expect, test } from 'vitest';
import { type BrokerName, brokerNames, type Found, findBroker, type NotFound } from './find.js';
import { recordUse } from './record.js';

const needed = (process.env.COMMLIB_BROKERS ?? '').split(',').map((name) => name.trim());
const found = new Map<BrokerName, Found | NotFound>();
for (const name of brokerNames) found.set(name, await findBroker(name, { own: true }));
const foundAtUrl = new Map<BrokerName, Found | NotFound>();
for (const name of brokerNames) foundAtUrl.set(name, await findBroker(name));

/**
 * A `describe` that needs a broker. Where it is missing the suite is skipped with the reason in its title and in the table
 * at the end of the run, or fails if `COMMLIB_BROKERS` names the broker.
 *
 * @param options.own the suite configures, kills or restarts the broker, so that one at a URL does not do
 * @example
 * describeOn('mosquitto', () => {
 *   let broker: MqttBroker;
 *   beforeAll(async () => { broker = await startMosquitto(); });
 *   afterAll(() => broker.stop());
 *   test('…', async () => {});
 * });
 */
export function describeOn(name: BrokerName, body: () => void, options: { own?: boolean } = {}): void {
  const answer = (options.own ? found : foundAtUrl).get(name);
  if (answer?.found) {
    describe(`on ${name} (${answer.source})`, body);
    return;
  }
  const why = answer?.why ?? 'unknown broker';
  recordUse({ broker: name, version: '-', source: 'missing', why });
  if (needed.includes(name)) {
    test(`${name} is here, as COMMLIB_BROKERS demands`, () => expect.fail(`${name} was not found: ${why}`));
    return;
  }
  console.warn(`not run: the suite on ${name}: ${why}`);
  describe.skip(`on ${name} — not run: ${why}`, body);
}
