/** The small size of the campaign. `npm run soak` runs the full one. */
import { expect, test } from 'vitest';
import { describeOn, startMosquitto } from '../../brokers/index.js';
import { runCampaign } from './campaign.js';

describeOn(
  'mosquitto',
  () => {
    test('of 1000 variations each is handled once or reported once', async () => {
      await using broker = await startMosquitto({ own: true });
      const { sent, handled, reported, answered } = await runCampaign(broker.url, 1_000);
      expect(handled + reported).toBe(sent);
      // The variations are worth something: some were good, most were not.
      expect(handled).toBeGreaterThan(50);
      expect(reported).toBeGreaterThan(300);
      expect(answered).toBeGreaterThan(50);
    }, 90_000);
  },
  { own: true },
);
