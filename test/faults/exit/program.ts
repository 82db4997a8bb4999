/**
 * A program that uses everything a node has, and closes it when its standard input ends. It never calls `process.exit`:
 * `exit.test.ts` looks whether the process ends by itself.
 */
import { anything, Node, rpc, topic } from '@commlib/core';
import { transportAt } from '../stages/transport-at.js';

const say = (line: string) => process.stdout.write(`${line}\n`);
const [url = '', how = 'close'] = process.argv.slice(2);

const node = new Node({
  transport: await transportAt(url),
  heartbeat: { intervalMs: 100 },
  onEvent: (event) => event.type === 'status' && say(event.status.state),
});
try {
  await node.start({ timeoutMs: 20_000, failFast: how === 'failFast' });
  await node.subscribe(topic('a.#', anything), () => {});
  const subscriber = await node.subscribe(topic('b', anything));
  const reading = (async () => {
    for await (const _ of subscriber);
  })();
  let take = () => {};
  const taken = new Promise<void>((resolve) => {
    take = resolve;
  });
  await node.serve(rpc('exit.never', { request: anything, response: anything }), () => {
    take();
    return new Promise(() => {});
  });
  const call = node
    .client(rpc('exit.never', { request: anything, response: anything }))
    .call({})
    .catch((error: Error & { code: string }) => say(`call: ${error.code}`));
  await taken;
  say('working');
  await new Promise((resolve) => process.stdin.resume().once('end', resolve));
  await node.close({ deadlineMs: 1_000 });
  await Promise.all([reading, call]);
  say('done');
} catch (error) {
  say(`failed: ${error instanceof Error ? error.message : String(error)}`);
}
