/** The executable `hbotctl`. */
import { runProcess } from '../terminal/process.js';
import { runCli } from '../terminal/run.js';
import { hbotctlProgram } from './program.js';

await runProcess((io) => runCli(hbotctlProgram(io), process.argv.slice(2), io));
