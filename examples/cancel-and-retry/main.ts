/**
 * What happens when things go wrong: a task that fails twice is tried again, one that is too slow is stopped and
 * tried again, and a run that nobody wants any more is cancelled.
 */
import {
  defineWorkflow,
  NonRetryableError,
  Orchestrator,
  OrchestratorError,
  task,
} from '@taskmaster-ai/orchestrator';

class ServiceBusy extends Error {}

const download = task('download', {
  retry: { maxAttempts: 5, delay: '20ms', retryOn: ({ thrown }) => thrown instanceof ServiceBusy },
  run({ attempt }) {
    if (attempt < 3) throw new ServiceBusy('come back later');
    return 'a page';
  },
});
const translate = task('translate', {
  dependencies: { download },
  timeout: '50ms',
  retry: { maxAttempts: 2, delay: 0 },
  async run({ dependencies, attempt, clock }) {
    // The first attempt hangs. Its sleep ends as soon as the time is over, and so would anything given `signal`.
    if (attempt === 1) await clock.sleep('1h');
    return `${dependencies.download}, translated`;
  },
});
const pay = task('pay', {
  retry: { maxAttempts: 5 },
  run() {
    // No attempt will change this, so there is no second one.
    throw new NonRetryableError('the card has expired');
  },
});
const wait = task('wait', { run: ({ clock }) => clock.sleep('1h') });

const orchestrator = await Orchestrator.open();
orchestrator.on('TaskRetryScheduled', ({ path, attempt, failure }) => {
  console.log(`${path}: attempt ${attempt} failed (${failure.message.split(':')[0]})`);
});
try {
  const translation = defineWorkflow('translation', { tasks: [translate] });
  const translated = await orchestrator.manageWorkflow(translation);
  console.log((await translated.result()).outputs.translate);

  const payment = await orchestrator.scheduleTask(pay);
  const { status, failures } = await payment.settled();
  console.log(`payment ${status}: ${failures[0]?.failure.message}, after attempt ${failures[0]?.attempt}`);

  const waiting = await orchestrator.scheduleTask(wait);
  await waiting.cancel(new Error('nobody waits that long'));
  await waiting.result().catch((error: unknown) => {
    if (!OrchestratorError.is(error, 'RUN_CANCELLED')) throw error;
    console.log(`cancelled: ${String(error.cause)}`);
  });
} finally {
  await orchestrator.close();
}
