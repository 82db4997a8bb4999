/** A member of a group whose handlers never end: says when it has joined, and of each message that it came. */
import { kafka } from '@commlib/transport-kafka';

const [, , url = '', topic = '', group = ''] = process.argv;
const transport = kafka(url, { sessionTimeoutMs: 6_000 });
await transport.connect({ timeoutMs: 10_000, failFast: false, onEvent: () => {} });
await transport.subscribe(topic, { delivery: 'at-least-once', group, maxInFlight: 100 }, (message) =>
  process.send?.(new TextDecoder().decode(message.payload)),
);
process.send?.('joined');
