/** A bot of one's own that every Hummingbot controller can talk to. It runs until Ctrl-C. */
import { CommandRejected, HbotBridge } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';

const url = process.argv[2] ?? 'mqtt://localhost:1883';
let script: string | undefined;

const bridge = new HbotBridge({
  id: 'mybot',
  // A function, because a transport connects once and a bridge may be started again.
  transport: () => mqtt(url),
  commands: {
    start(request) {
      if (script !== undefined) throw new CommandRejected('The bot is already running');
      script = request.script ?? 'the default script';
      console.log(`started ${script}`);
    },
    stop() {
      console.log(`stopped ${script ?? 'nothing'}`);
      script = undefined;
    },
    status: () => ({ msg: script === undefined ? 'idle' : `running ${script}` }),
  },
  onError: (error) => console.error(error),
});

bridge.onExternalEvent('market.news', async ({ data }) => {
  console.log('news:', data);
  await bridge.publish.notify(`read the news about ${data.about}`);
});

await bridge.start();
console.log('mybot is on the air');

// Ctrl-C, or whoever supervises this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await bridge.close();
    console.log('mybot said goodbye');
  });
}
