/**
 * For programs in processes of their own that import the package by its name, as a user does: with `--import` of this file
 * they get the sources, as the tests do. It needs a Node that executes TypeScript.
 */
import { registerHooks } from 'node:module';

const NAME = /^@taskmaster-ai\/orchestrator(?:\/([a-z-]+))?$/;

registerHooks({
  resolve(specifier, context, next) {
    const match = NAME.exec(specifier);
    if (match === null) return next(specifier, context);
    return next(new URL(`../../src/${match[1] ?? 'index'}.ts`, import.meta.url).href, context);
  },
});
