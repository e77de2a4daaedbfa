/**
 * Which streams a listing asks for.
 */

/** A listing that is asked for, as far as it says which streams. */
export interface Asked {
  readonly prefix: string;
  readonly workflowId?: string | undefined;
  readonly statuses?: readonly string[] | undefined;
  readonly startedFrom?: number | undefined;
  readonly startedBefore?: number | undefined;
  readonly attributes?: Attributes | undefined;
}

type Attributes = Readonly<Record<string, string | number | boolean>>;

/** What a stream can be found by. */
export interface Facts {
  readonly workflowId: string;
  readonly status: string;
  readonly startedAt: number;
  readonly attributes?: Attributes | undefined;
}

/**
 * Whether a stream is one of those that a listing asks for, for stores that look at one after the other.
 *
 * @param facts - the ones that were appended last, if there are any
 */
export function isAskedFor(stream: string, facts: Facts | undefined, asked: Asked): boolean {
  if (!stream.startsWith(asked.prefix)) return false;
  const { workflowId, statuses, startedFrom, startedBefore, attributes } = asked;
  if (facts === undefined)
    return [workflowId, statuses, startedFrom, startedBefore, attributes].every((one) => one === undefined);
  return (
    (workflowId === undefined || facts.workflowId === workflowId) &&
    (statuses === undefined || statuses.includes(facts.status)) &&
    (startedFrom === undefined || facts.startedAt >= startedFrom) &&
    (startedBefore === undefined || facts.startedAt < startedBefore) &&
    Object.entries(attributes ?? {}).every(([name, value]) => hasAttribute(facts, name, value))
  );
}

function hasAttribute({ attributes }: Facts, name: string, value: unknown): boolean {
  return attributes !== undefined && Object.hasOwn(attributes, name) && attributes[name] === value;
}
