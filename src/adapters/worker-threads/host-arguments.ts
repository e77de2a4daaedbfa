/**
 * The options of Node that a thread or process takes over from its host.
 *
 * Owns: nothing. Who may call it: the thread links and the process links.
 *
 * HA1  A host that was given its code as text can start both: what says so is not taken over.
 * HA2  What only one process can have (a port for a debugger, a run of tests, a watch) stays with the host.
 */

/** The code itself, which Node executes instead of a file; its text may be the next argument. */
const CODE = /^(?:--input-type|--eval|--print|-e|-p|-pe)(?:=|$)/;
const HOST_ONLY = /^--(?:inspect|test|watch|check|interactive)(?:[-=]|$)|^-[ci]$/;

/** Options that Node takes for a single thread; it refuses to start one with those of a process, or of V8. */
const FOR_THREADS =
  /^(?:--(?:import|require|loader|experimental-loader|conditions|disable-warning|enable-source-maps|preserve-symlinks|preserve-symlinks-main|experimental-strip-types|no-experimental-strip-types|experimental-transform-types|warnings|no-warnings|no-deprecation|throw-deprecation|trace-warnings|trace-deprecation|trace-uncaught|unhandled-rejections)(?:=|$)|-[rC]$)/;

/** The options of the host for a process of its own. */
export function hostArguments(given: readonly string[] = process.execArgv): string[] {
  return kept(given, (option) => !CODE.test(option) && !HOST_ONLY.test(option));
}

/** The same for a thread; `undefined` where a thread can take over all of them by itself. */
export function threadArguments(given: readonly string[] = process.execArgv): string[] | undefined {
  if (!given.some((option) => option.startsWith('--input-type'))) return undefined;
  return kept(given, (option) => FOR_THREADS.test(option));
}

/** The options that pass, each with its value: what begins with no `-` is that of the option before it. */
function kept(given: readonly string[], passes: (option: string) => boolean): string[] {
  const left: string[] = [];
  for (let at = 0; at < given.length; at++) {
    const option = given[at] as string;
    const value = given[at + 1];
    const hasValue = value !== undefined && !value.startsWith('-');
    if (passes(option)) left.push(option, ...(hasValue ? [value] : []));
    if (hasValue) at++;
  }
  return left;
}
