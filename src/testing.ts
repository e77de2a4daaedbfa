export {
  type AppendFault,
  type CheckpointFault,
  type FaultScript,
  ScriptedStore,
  type ScriptedStoreOptions,
  type StoreCall,
  type StoreDelay,
} from './testing/scripted-store.ts';
export { type CreateEventStore, eventStoreSuite } from './testing/suites/event-store.suite.ts';
export {
  type CreateExecutor,
  EXECUTOR_SUITE_HANDLERS,
  executorSuite,
} from './testing/suites/executor.suite.ts';
export type { SuiteRunner } from './testing/suites/suite-runner.ts';
export { VirtualClock, type VirtualClockOptions } from './testing/virtual-clock.ts';
