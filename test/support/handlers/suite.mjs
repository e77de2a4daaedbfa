/** The handlers of the suite that every executor has to pass, for executors that load a module. */
const { EXECUTOR_SUITE_HANDLERS } = await import(
  process.features.typescript ? '../../../src/testing.ts' : '../../../dist/testing.js'
);

export default EXECUTOR_SUITE_HANDLERS;
