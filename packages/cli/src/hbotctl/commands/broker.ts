/** `broker`: an MQTT broker for trying out. */
import type { Command } from 'commander';
import { startBroker } from '../../broker/embedded.js';
import { port } from '../../connection/flags.js';
import { UsageError } from '../../terminal/exit-codes.js';
import { stopped } from '../../terminal/io.js';
import { printable, toJson } from '../../terminal/text.js';
import type { GlobalFlags, Kit } from '../context.js';
import { examples } from '../syntax.js';

interface BrokerFlags {
  readonly port: number;
  readonly bind: string;
  readonly ws?: number | true;
}

const WS_PORT = 9001;

/** Adds it. */
export function addBroker(program: Command, { io }: Kit): void {
  program
    .command('broker')
    .description('run an MQTT 3.1.1 broker for trying out: open to everybody who reaches it, keeps nothing')
    .option('--port <port>', 'port; 0 takes a free one', portOrFree, 1883)
    .option('--bind <address>', 'address to listen on', '127.0.0.1')
    .option('--ws [port]', `also MQTT over WebSocket, for browsers (default port: ${WS_PORT})`, portOrFree)
    .addHelpText('after', examples('broker', 'broker --port 1884 --ws 9001'))
    .action(async (flags: BrokerFlags, command: Command) => {
      const { json, quiet } = command.optsWithGlobals<GlobalFlags>();
      const wsPort = flags.ws === true ? WS_PORT : flags.ws;
      const onClient = (id: string, state: string) => {
        if (!quiet) io.err.write(`${io.err.colours.dim(`${printable(id)} ${state}`)}\n`);
      };
      const broker = await startBroker({ port: flags.port, host: flags.bind, wsPort, onClient }).catch(
        (error: unknown) => {
          throw explained(error, flags);
        },
      );
      try {
        if (json) io.out.write(`${toJson({ url: broker.url, wsUrl: broker.wsUrl })}\n`);
        else
          io.out.write(
            `listening at ${broker.url}${broker.wsUrl ? ` and ${broker.wsUrl}` : ''} (Ctrl-C ends)\n`,
          );
        if (!flags.bind.startsWith('127.') && flags.bind !== '::1' && flags.bind !== 'localhost') {
          io.err.write(
            `${io.err.colours.yellow('everybody who can reach this address can control your bots')}\n`,
          );
        }
        await stopped(io.signal);
      } finally {
        await broker.close();
      }
    });
}

function explained(error: unknown, { port, bind }: BrokerFlags): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE')
    return new UsageError(`port ${port} or the WebSocket port is taken; choose another with --port or --ws`);
  if (code === 'EACCES') return new UsageError(`port ${port} needs more rights; choose one above 1023`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new UsageError(`${bind} is no address of this machine`);
  return error;
}

function portOrFree(text: string): number {
  return text === '0' ? 0 : port(text);
}
