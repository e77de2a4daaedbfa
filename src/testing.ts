export {
  type AppendFault,
  type FaultScript,
  ScriptedStore,
  type ScriptedStoreOptions,
  type StoreCall,
  type StoreDelay,
} from './testing/scripted-store.ts';
export { VirtualClock, type VirtualClockOptions } from './testing/virtual-clock.ts';
