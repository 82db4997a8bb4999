/** Middleware: code around every publish, receive, call and serve of a node. */
import { CommlibError, memory, Node, rpc, ServiceError } from '@commlib/core';
import { z } from 'zod';

const withdraw = rpc('account.withdraw', {
  request: z.object({ amount: z.number().positive() }),
  response: z.object({ left: z.number() }),
});

const node = new Node({ transport: memory() });
await node.start();

node.use({
  // Around every handler of this node's services: limits what may be asked for.
  async serve({ request }, next) {
    const { amount } = z.object({ amount: z.number() }).parse(request.data);
    if (amount > 100) throw new ServiceError('TOO_MUCH', 'not more than 100 at once');
    return next();
  },
  // Around every call that this node makes: tells how it ended.
  async call({ address }, next) {
    try {
      const answer = await next();
      console.log(`${address} answered`);
      return answer;
    } catch (error) {
      console.log(`${address} failed`);
      throw error;
    }
  },
});

let left = 500;
await node.serve(withdraw, ({ amount }) => {
  left -= amount;
  return { left };
});

const client = node.client(withdraw);
console.log(await client.call({ amount: 50 }));
try {
  await client.call({ amount: 200 });
} catch (error) {
  if (!CommlibError.is(error)) throw error;
  console.log(error.code);
}
await node.close();

/* prints:
account/withdraw answered
{ left: 450 }
account/withdraw failed
TOO_MUCH
*/
