/** Run by `process.test.ts`: starts a server, says where, and then does nothing until it is killed. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from './process.js';

const directory = await mkdtemp(join(tmpdir(), 'commlib-abandoned-'));
const server = await startProcess(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
  directory,
  ready: async () => true,
});
console.log(JSON.stringify({ pid: server.pid, directory }));
