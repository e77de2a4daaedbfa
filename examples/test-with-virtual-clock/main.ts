/**
 * How to test a pipeline of agents that takes a day, in milliseconds: the orchestrator gets a clock on which
 * time passes as soon as there is nothing left to do but wait. Timeouts, retries and rates all follow it. What would
 * be computed on a worker thread stays in the thread of the test: `runOn: 'inline'`.
 *
 * `equal` and its like are from Node; within vitest or node:test they would be their own, and each function a test.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { Orchestrator } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { type Ask, defineSurvey, limits } from './pipeline.ts';

const START = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

/** Runs the survey to its end, and tells what came of it, each retry, and the hours that have passed. */
async function survey(size: number, ask: Ask) {
  const clock = new VirtualClock({ startAt: START });
  const orchestrator = await Orchestrator.open({ ...limits, clock });
  try {
    const questions = Array.from({ length: size }, (_, i) => `question ${i + 1}`);
    const run = await orchestrator.manageWorkflow(defineSurvey(questions, ask, { runOn: 'inline' }));
    const settled = await run.settled();
    const retries: { task: string; why: string | undefined; hours: number }[] = [];
    for await (const event of run.events()) {
      if (event.type !== 'TaskRetryScheduled') continue;
      const { path, failure, dueAt, at } = event;
      retries.push({ task: path, why: failure.code, hours: (dueAt - at) / HOUR_MS });
    }
    return { ...settled, retries, hours: (clock.now() - START) / HOUR_MS };
  } finally {
    await orchestrator.close();
  }
}

/** The agent is unavailable until its fourth attempt at the seventh question. */
async function testRetries() {
  const { outputs, retries, hours } = await survey(250, (question, attempt) => {
    if (question === 'question 7' && attempt < 4) throw new Error('the scholar is asleep');
    return question.endsWith('0') ? 'No' : 'yes ';
  });
  deepEqual(outputs.conclude, [
    ['yes', 225],
    ['no', 25],
  ]);
  deepEqual(
    retries.map(({ hours }) => hours),
    [1, 2, 4],
  );
  return hours;
}

/** The agent hangs at the second question, once: the limit of its time ends that attempt. */
async function testTimeout() {
  const { status, retries, hours } = await survey(3, async (question, attempt, clock) => {
    if (question === 'question 2' && attempt === 1) await clock.sleep('1d');
    return 'yes';
  });
  equal(status, 'completed');
  deepEqual(retries, [{ task: 'answer:2', why: 'TASK_TIMEOUT', hours: 1 }]);
  equal(hours, 0.5 + 1 + 5 / 60);
  return hours;
}

/** The agent never knows the answer: the survey fails with what it said last. */
async function testFailure() {
  const { status, failures, hours } = await survey(1, (question) => {
    throw new Error(`nobody knows ${question}`);
  });
  equal(status, 'failed');
  deepEqual(
    failures.map(({ path, attempt, failure }) => `${path}, attempt ${attempt}: ${failure.message}`),
    ['answer:1, attempt 4: nobody knows question 1'],
  );
  return hours;
}

const startedAt = performance.now();
const hours = (await testRetries()) + (await testTimeout()) + (await testFailure());
const real = performance.now() - startedAt;
console.log(`${hours.toFixed(1)} hours passed in ${real < 1_000 ? 'less than a second' : `${real} ms`}`);
