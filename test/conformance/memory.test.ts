import { MemoryBroker, memory } from '@commlib/core';
import { conforms } from './conforms.js';

conforms({
  column: 'in memory',
  place: 0,
  qualities: ['direct'],
  capabilities: memory().capabilities,
  create: async () => {
    const broker = new MemoryBroker();
    return {
      transport: ({ maxBuffered }) => memory({ broker, maxBuffered }),
      cut: () => broker.disconnect(),
      block: () => broker.kill(),
      unblock: () => broker.restore(),
      async [Symbol.asyncDispose]() {},
    };
  },
});
