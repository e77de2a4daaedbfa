/**
 * How to test a pipeline of agents that takes a day, in milliseconds: the orchestrator gets a clock on which
 * time passes as soon as there is nothing left to do but wait. Timeouts, retries and rates all follow it.
 *
 * `equal` is from Node; within vitest or node:test it would be their own.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { Orchestrator } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { defineSurvey, limits } from './pipeline.ts';

const startedAt = performance.now();
const clock = new VirtualClock({ startAt: Date.UTC(2026, 0, 1) });
const orchestrator = await Orchestrator.open({ ...limits, clock });

try {
  // The agent is unavailable until its fourth attempt at the seventh question.
  const questions = Array.from({ length: 250 }, (_, i) => `question ${i + 1}`);
  const survey = defineSurvey(questions, (question, attempt) => {
    if (question === 'question 7' && attempt < 4) throw new Error('the scholar is asleep');
    return question.replace('question', 'answer');
  });
  const run = await orchestrator.manageWorkflow(survey);
  const { outputs } = await run.result();

  equal(outputs.conclude.split(' ').length, 500);
  const retries: number[] = [];
  for await (const event of run.events()) {
    if (event.type === 'TaskRetryScheduled') retries.push((event.dueAt - event.at) / 3_600_000);
  }
  deepEqual(retries, [1, 2, 4]);

  const hours = (clock.now() - Date.UTC(2026, 0, 1)) / 3_600_000;
  const real = performance.now() - startedAt;
  console.log(`${hours.toFixed(1)} hours passed in ${real < 1_000 ? 'less than a second' : `${real} ms`}`);
} finally {
  await orchestrator.close();
}
