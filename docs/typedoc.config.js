/** A link to nothing is a fault of the page; a type that is only used in a signature is not. */
const validation = { invalidLink: true, notExported: false, rewrittenLink: true };

/** The reference over all packages: `npm run docs` writes it to docs/reference/. Links across packages need a build before. */
export default {
  name: 'commlib for TypeScript',
  entryPointStrategy: 'packages',
  entryPoints: ['../packages/*'],
  out: 'reference',
  readme: '../README.md',
  includeVersion: true,
  packageOptions: {
    entryPoints: ['src/index.ts'],
    excludeInternal: true,
    excludePrivate: true,
    readme: 'none',
    disableSources: true,
    validation,
  },
  excludeInternal: true,
  excludePrivate: true,
  validation,
  treatValidationWarningsAsErrors: true,
  disableGit: true,
  hideGenerator: true,
};
