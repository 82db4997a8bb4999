/** What `npm start` runs. */
import { runProcess } from '../terminal/process.js';
import { runCli } from '../terminal/run.js';
import { mainJob } from './program.js';

await runProcess((io) => runCli(mainJob(io), process.argv.slice(2), io));
