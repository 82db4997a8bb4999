import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { checkImports } from './check-imports.mjs';

let root;
afterEach(() => root && rmSync(root, { recursive: true, force: true }));

/** A small repository: core and two transports with correct imports, and the files given. */
function repository(files) {
  root = mkdtempSync(join(tmpdir(), 'commlib-imports-'));
  const manifest = (name, dependencies) =>
    JSON.stringify({ name: `@commlib/${name}`, exports: { '.': {} }, dependencies });
  const all = {
    'packages/core/package.json': manifest('core', { '@standard-schema/spec': '1' }),
    'packages/core/src/index.ts':
      "import type { StandardSchemaV1 } from '@standard-schema/spec';\nexport * from './a.js';\n",
    'packages/transport-mqtt/package.json': manifest('transport-mqtt', { '@commlib/core': '1', mqtt: '5' }),
    'packages/transport-mqtt/src/index.ts':
      "import { connect } from 'mqtt';\nimport { Node } from '@commlib/core';\n",
    'packages/transport-mqtt/src/index.test.ts':
      "import { test } from 'vitest';\nimport { readFile } from 'node:fs';\n",
    'packages/transport-amqp/package.json': manifest('transport-amqp', { '@commlib/core': '1' }),
    'test/e2e/a.test.ts': "import { Node } from '@commlib/core';\nimport { x } from '../brokers/index.js';\n",
    ...files,
  };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

test('correct imports pass', () => {
  expect(checkImports(repository({}))).toEqual([]);
});

test.each([
  [
    'core imports a broker client',
    'packages/core/src/x.ts',
    "import mqtt from 'mqtt';",
    /core may import only/,
  ],
  ['core imports Node', 'packages/core/src/x.ts', "import { readFile } from 'node:fs';", /browsers/],
  ['core imports Node lazily', 'packages/core/src/x.ts', "const fs = await import('node:fs');", /browsers/],
  [
    'core imports a type only',
    'packages/core/src/x.ts',
    "import type { X } from 'mqtt';",
    /core may import only/,
  ],
  [
    'core re-exports',
    'packages/core/src/x.ts',
    "export {\n  X,\n} from 'mqtt';",
    /x\.ts:3: core may import only/,
  ],
  [
    'an import after what looks like a comment',
    'packages/core/src/x.ts',
    "const a = 'b/*';\nimport 'mqtt';\nconst c = '*/';",
    /x\.ts:2: core may import only/,
  ],
  ['core imports for the effect', 'packages/core/src/x.ts', "import 'mqtt';", /core may import only/],
  [
    'core imports a transport',
    'packages/core/src/x.ts',
    "import '@commlib/transport-mqtt';",
    /core may import only/,
  ],
  [
    'a transport imports another',
    'packages/transport-amqp/src/x.ts',
    "import { a } from '@commlib/transport-mqtt';",
    /transport-amqp may import only/,
  ],
  [
    'an import is not declared',
    'packages/transport-amqp/src/x.ts',
    "import amqp from 'amqplib';",
    /'amqplib' is not among the dependencies/,
  ],
  [
    'a path into another package',
    'packages/transport-mqtt/src/x.ts',
    "import { a } from '../../core/src/a.js';",
    /leads out of transport-mqtt/,
  ],
  [
    'a package test goes by path',
    'packages/transport-mqtt/src/x.test.ts',
    "import { a } from '../../core/src/a.js';",
    /leads out of transport-mqtt/,
  ],
  [
    'the inside of a package by name',
    'packages/transport-mqtt/src/x.ts',
    "import { a } from '@commlib/core/src/a.js';",
    /not exported/,
  ],
  [
    'a test goes by path',
    'test/x.test.ts',
    "import { a } from '../packages/core/src/a.js';",
    /leads out of test/,
  ],
  ['a package without a rule', 'packages/new/package.json', '{}', /packages\/new: has no rule/],
])('%s: refused', (_what, path, content, message) => {
  const breaches = checkImports(repository({ [path]: content }));
  expect(breaches).toHaveLength(1);
  expect(breaches[0]).toMatch(message);
});

test('imports in comments and strings are nobody’s business', () => {
  const content = [
    "/** @example\n * import mqtt from 'mqtt';\n */",
    "// import mqtt from 'mqtt';",
    "export const url = 'mqtt://from';",
    "call('import', { from: 'mqtt' });",
    "const a = 'topics/*';",
    "const b = '*/';",
  ].join('\n');
  expect(checkImports(repository({ 'packages/core/src/x.ts': content }))).toEqual([]);
});

test('this repository obeys', () => {
  root = undefined;
  expect(checkImports(fileURLToPath(new URL('..', import.meta.url)))).toEqual([]);
});
