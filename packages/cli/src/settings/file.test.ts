import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capturedIo } from '../terminal/captured-io.js';
import { fromFile, userFile } from './file.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'commlib-settings-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const io = (cwd: string) => capturedIo({ cwd, env: { HOME: join(root, 'home') } });
function put(path: string, content: object): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(content));
  return path;
}

test('the named one, else the one here, else the user’s; paths are relative to it', async () => {
  const here = join(root, 'project');
  mkdirSync(here);
  expect(await fromFile(io(here), undefined)).toBeUndefined();
  put(userFile(io(here).env), { host: 'user' });
  expect((await fromFile(io(here), undefined))?.given).toEqual({ host: 'user' });
  put(join(here, 'commlib.json'), { host: 'here', ca: 'certs/ca.pem' });
  expect((await fromFile(io(here), undefined))?.given).toEqual({
    host: 'here',
    ca: join(here, 'certs/ca.pem'),
  });
  put(join(root, 'other.json'), { host: 'other' });
  expect((await fromFile(io(here), '../other.json'))?.given).toEqual({ host: 'other' });
});

test('XDG_CONFIG_HOME is where the user’s lies', () => {
  expect(userFile({ XDG_CONFIG_HOME: '/x', HOME: '/h' })).toBe('/x/commlib/config.json');
  expect(userFile({ HOME: '/h' })).toBe('/h/.config/commlib/config.json');
});
