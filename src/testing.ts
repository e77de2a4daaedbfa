export { VirtualClock, type VirtualClockOptions } from './testing/virtual-clock.ts';
