/** Remote procedure calls: an answer, many answers at once, the service's own error, and nobody there. */
import { CommlibError, Node, RemoteError, rpc, ServiceError } from '@commlib/core';
import { mqtt } from '@commlib/transport-mqtt';
import { z } from 'zod';

const divide = rpc('math.divide', {
  request: z.object({ a: z.number(), b: z.number() }),
  response: z.object({ quotient: z.number() }),
});

const url = process.argv[2] ?? 'mqtt://localhost:1883';
const service = await new Node({ transport: mqtt(url) }).start();
const caller = await new Node({ transport: mqtt(url) }).start();

await service.serve(divide, ({ a, b }) => {
  if (b === 0) throw new ServiceError('DIVISION_BY_ZERO', 'b must not be 0', { a });
  return { quotient: a / b };
});

const client = caller.client(divide, { timeoutMs: 5_000 });
console.log(await client.call({ a: 7, b: 2 }));

const answers = await Promise.all([1, 2, 4, 8].map((b) => client.call({ a: 16, b })));
console.log(answers.map(({ quotient }) => quotient));

try {
  await client.call({ a: 1, b: 0 });
} catch (error) {
  if (error instanceof RemoteError) console.log(error.code, error.details);
  else throw error;
}

const nobody = rpc('math.nobody', { request: z.object({}), response: z.object({}) });
try {
  await caller.client(nobody).call({}, { timeoutMs: 300 });
} catch (error) {
  // Where the broker says that nobody serves (MQTT 5, AMQP) it comes at once, elsewhere after the time is over.
  if (CommlibError.is(error, 'NO_RECEIVER') || CommlibError.is(error, 'TIMEOUT'))
    console.log('nobody answered');
  else throw error;
}

await caller.close();
await service.close();

/* prints:
{ quotient: 3.5 }
[ 16, 8, 4, 2 ]
DIVISION_BY_ZERO { a: 1 }
nobody answered
*/
