/** The executable `commlib`. */
import { runProcess } from '../terminal/process.js';
import { runCli } from '../terminal/run.js';
import { commlibProgram } from './program.js';

await runProcess((io) => runCli(commlibProgram(io), process.argv.slice(2), io));
