import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brokerNames, findAll, foundVariable } from './find.js';
import { logVariable } from './record.js';
import { brokerDesk, deskVariable } from './shared.js';

/**
 * Runs once, in the process of the run, before the first integration test: looks for the brokers and opens the desk that
 * hands out the shared ones. Everything is passed on in environment variables, which the processes of the tests inherit.
 */
export default async function setUp(): Promise<() => Promise<void>> {
  const all = await findAll();
  process.env[foundVariable] = JSON.stringify(all);
  const log = process.env[logVariable];
  if (log !== undefined) {
    const found = Object.fromEntries(brokerNames.map((name) => [name, all[`${name} false`]]));
    writeFileSync(log, `${JSON.stringify({ found })}\n`);
  }

  const desk = brokerDesk();
  const server = createServer((request, response) => {
    const handOut = desk.at(request.url ?? '');
    if (handOut === undefined) {
      response.writeHead(404).end(`nothing is shared at ${request.url}`);
      return;
    }
    handOut().then(
      (shared) => response.end(JSON.stringify(shared)),
      (error) => response.writeHead(503).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  process.env[deskVariable] = `http://127.0.0.1:${port}`;

  return async () => {
    server.closeAllConnections();
    server.close();
    await desk.stop();
  };
}
