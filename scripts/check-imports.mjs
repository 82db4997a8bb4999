/**
 * The direction of the arrows between the packages, checked. Run it as `node scripts/check-imports.mjs`.
 *
 * Shipped code (not `*.test.ts`) may import only what its package's rule names and its package.json declares. All code, tests
 * too, reaches another package by its public name, never through a path.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the shipped code of a package may import beside its own files. */
const rules = {
  core: { packages: ['@standard-schema/spec'], node: false },
  // Runs in browsers too.
  'transport-mqtt': { packages: ['@commlib/core', 'mqtt'], node: false },
  'transport-amqp': { packages: ['@commlib/core', 'amqplib'], node: true },
  'transport-redis': { packages: ['@commlib/core', 'ioredis'], node: true },
  'transport-kafka': { packages: ['@commlib/core', 'kafkajs'], node: true },
  conformance: { packages: ['@commlib/core'], node: false },
  'hbot-protocol': { packages: ['@commlib/core', 'zod'], node: false },
  cli: { packages: 'declared', node: true },
};

/**
 * All breaches, as lines `file:line: what is wrong`. Empty when all is well.
 *
 * @param {string} root the folder of the repository
 * @returns {string[]}
 */
export function checkImports(root) {
  const breaches = [];
  const manifests = new Map();
  for (const name of readdirSync(join(root, 'packages')).sort()) {
    const manifest = join(root, 'packages', name, 'package.json');
    if (existsSync(manifest)) manifests.set(name, JSON.parse(readFileSync(manifest, 'utf8')));
  }
  const publicNames = new Set();
  for (const { name, exports = {} } of manifests.values()) {
    for (const path of Object.keys(exports)) publicNames.add(join(name, path).split(sep).join('/'));
  }

  for (const [name, manifest] of manifests) {
    const folder = join(root, 'packages', name);
    const rule = rules[name];
    if (!rule) {
      breaches.push(`packages/${name}: has no rule in scripts/check-imports.mjs`);
      continue;
    }
    const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
    for (const file of sourcesIn(join(folder, 'src'))) {
      for (const { specifier, line } of importsOf(file)) {
        const wrong =
          pathBreach(specifier, file, folder, publicNames) ??
          shippedBreach(specifier, file, name, rule, declared);
        if (wrong) breaches.push(`${relative(root, file)}:${line}: ${wrong}`);
      }
    }
  }
  for (const file of sourcesIn(join(root, 'test'))) {
    for (const { specifier, line } of importsOf(file)) {
      const wrong = pathBreach(specifier, file, join(root, 'test'), publicNames);
      if (wrong) breaches.push(`${relative(root, file)}:${line}: ${wrong}`);
    }
  }
  return breaches;
}

function pathBreach(specifier, file, folder, publicNames) {
  if (specifier.startsWith('.')) {
    const target = resolve(dirname(file), specifier);
    if (!target.startsWith(folder + sep))
      return `'${specifier}' leads out of ${folder.split(sep).at(-1)}; import the package by its name`;
  } else if (specifier.startsWith('@commlib/') && !publicNames.has(specifier)) {
    return `'${specifier}' is not exported by its package`;
  }
  return undefined;
}

function shippedBreach(specifier, file, name, rule, declared) {
  if (/\.test\.[cm]?tsx?$/.test(file) || specifier.startsWith('.')) return undefined;
  if (specifier.startsWith('node:'))
    return rule.node ? undefined : `${name} must run in browsers, '${specifier}' does not`;
  const [scope, rest] = specifier.split('/');
  const wanted = scope.startsWith('@') ? `${scope}/${rest}` : scope;
  if (rule.packages !== 'declared' && !rule.packages.includes(wanted)) {
    return `${name} may import only ${rule.packages.join(', ')}, not '${specifier}'`;
  }
  return declared.has(wanted)
    ? undefined
    : `'${wanted}' is not among the dependencies of packages/${name}/package.json`;
}

function sourcesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return entry.name === 'node_modules' || entry.name.startsWith('.') ? [] : sourcesIn(path);
    return /\.[cm]?tsx?$/.test(entry.name) ? [path] : [];
  });
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` at the start of a line, as Biome writes them; `import('x')`, `require('x')`. */
const importPattern =
  /(?:^(?:import|export)\b[^'"`;()]*?\bfrom\s*|^import\s*|\b(?:import|require)\s*\(\s*)(['"])([^'"\n]+)\1/gm;
/** A string, which may contain what looks like a comment, or a comment. */
const stringOrComment = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/.*/g;

function importsOf(file) {
  // Examples in comments import as they like. Their newlines stay, for the line numbers.
  const code = readFileSync(file, 'utf8').replace(stringOrComment, (text) =>
    text.startsWith('/') ? text.replace(/[^\n]/g, ' ') : text,
  );
  return [...code.matchAll(importPattern)].map((match) => ({
    specifier: match[2],
    line: code.slice(0, match.index + match[0].length).split('\n').length,
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const breaches = checkImports(fileURLToPath(new URL('..', import.meta.url)));
  for (const breach of breaches) console.error(breach);
  console.error(
    breaches.length === 0 ? 'The imports obey the rules.' : `${breaches.length} imports break the rules.`,
  );
  process.exitCode = breaches.length === 0 ? 0 : 1;
}
