import { Worker } from 'node:worker_threads';

/**
 * Runs in the process of every test file, before it. A loop that never ends would hold up the whole run, since no timeout of a
 * test can end it: a thread beside it notices, prints where the process is, and kills it. The run goes on with the next file.
 */
const limitMs = Number(process.env.COMMLIB_BLOCKED_MS || 120_000);
const beats = new Int32Array(new SharedArrayBuffer(4));
setInterval(() => Atomics.add(beats, 0, 1), limitMs / 10).unref();
new Worker(new URL('./watch.mjs', import.meta.url), { workerData: { beats, limitMs }, execArgv: [] }).unref();
