/**
 * Ends the process with a clear message on a Node that is too old. This file uses nothing that an old Node cannot parse, and
 * imports nothing.
 */
const parts = process.versions.node.split('.').map(Number);
if (parts[0] < 20 || (parts[0] === 20 && parts[1] < 19)) {
  console.error(`commlib needs Node 20.19 or newer; this is ${process.versions.node} (${process.execPath}).`);
  console.error('Node 22 or 24 from https://nodejs.org do well.');
  process.exit(1);
}
