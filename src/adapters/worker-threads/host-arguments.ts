/**
 * The options of Node that a thread or process takes over from its host.
 *
 * Owns: nothing. Who may call it: the thread links and the process links.
 */

/** They say what the host itself executes; with them Node starts no file. */
const CODE = /^(?:--input-type(?:=.*)?|-e|--eval|-p|--print|-pe)$/;
const WITH_VALUE = /^(?:--input-type|-e|--eval|-p|--print|-pe)$/;

/** Whether the host was given its code as text. */
export function runsText(given: readonly string[] = process.execArgv): boolean {
  return given.some((one) => CODE.test(one));
}

/** The options of the host without those that belong to it alone. */
export function hostArguments(given: readonly string[] = process.execArgv): string[] {
  const kept: string[] = [];
  for (let i = 0; i < given.length; i++) {
    const one = given[i] as string;
    if (WITH_VALUE.test(one)) i++;
    // Two processes cannot be debugged at one port.
    else if (!CODE.test(one) && !one.startsWith('--inspect')) kept.push(one);
  }
  return kept;
}
