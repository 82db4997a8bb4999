/** Which pages there are: every markdown file that git knows or would take up, reference and changelogs left out. */
import { execFileSync } from 'node:child_process';
import { root } from './markdown.js';

/** Paths from the root of the repository. */
export function allPages(): string[] {
  const files = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '--', '*.md'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  return files
    .split('\n')
    .filter((path) => path !== '' && !path.startsWith('.changeset/') && !path.endsWith('CHANGELOG.md'))
    .sort();
}

/** The pages whose code blocks a reader is meant to run or copy. */
export function guides(): string[] {
  return allPages().filter(
    (path) =>
      path === 'README.md' ||
      /^docs\/(?!contract\.md)/.test(path) ||
      /^(packages\/[^/]+|compose\/.*)\/?README\.md$/.test(path),
  );
}
