/** Handlers of mixed work: most are healthy, some are not. */
import { setTimeout as sleep } from 'node:timers/promises';

export const echo = ({ inputData }) => inputData;
export const nap = async ({ inputData, signal }) => {
  await sleep(inputData % 7, undefined, { signal });
  return inputData;
};
export const fails = () => {
  throw Object.assign(new RangeError('as it has to'), { code: 'E_AWAY' });
};
export const failsOnce = ({ attempt, inputData }) => {
  if (attempt === 1) throw new Error('the first time');
  return inputData;
};
export const locks = async ({ locks, inputData }) => {
  const lock = await locks.acquire(`nested-${inputData % 3}`);
  await sleep(1);
  lock.release();
  return inputData;
};
export const tells = ({ inputData, progress, log }) => {
  progress(inputData);
  log.info('told', { inputData });
  return inputData;
};
export const crashes = () => process.reallyExit(5);
export const uncaught = () => {
  void Promise.reject(new Error('nobody catches this'));
  return new Promise(() => {});
};
export const fillsMemory = () => {
  let chain;
  for (;;) chain = { chain, text: `${Math.random()}` };
};
export const hangs = () => new Promise(() => {});
export const heeds = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
export const spins = () => {
  for (;;);
};
