/**
 * The format of the codec. It is stored, so it changes only by addition: see the golden file of the tests.
 *
 * Data that is plain JSON, each object of it in one place, is written as JSON. Everything else is a `~` and then JSON
 * in which an array that begins with a text of one `~` and one letter or sign stands for something else:
 *
 * | written | means |
 * | --- | --- |
 * | `["~u"]` | undefined |
 * | `["~n","NaN"]` | NaN; so `Infinity`, `-Infinity` and `-0` |
 * | `["~b","-ff"]` | a bigint, in base 16 |
 * | `["~d",5]` | a date, in milliseconds since 1970; `null` when it is invalid |
 * | `["~m",key,value,...]`, `["~s",item,...]` | a map, a set |
 * | `["~o",key,value,...]` | an object with a key that {@link isMisread} |
 * | `["~a","AAE="]`, `["~v","AAE="]` | an ArrayBuffer, a DataView: their bytes in base 64 |
 * | `["~t","Uint8Array","AAE="]` | a typed array; the lowest byte of an item first |
 * | `["~e",name,message,stack,hidden,own]` | an error; `hidden` may have `cause` and `errors`, `own` its other properties |
 * | `["~r","<64 digits>",5]` | a reference to a value that is kept elsewhere: its mark and its length in bytes |
 * | `["~=",object]` | an object that is referred to again; they are numbered from 0 in the order of the text |
 * | `["~@",0]` | that object again |
 * | `["~~x",...]` | an array that begins with the text `~x`: such a first text gets one `~` more |
 */

/** What a text begins with that is not plain JSON. */
export const TAGGED = '~';

/** The most levels of a value: those that the guard allows at most, and those of the event around it. */
export const MOST_LEVELS = 1_100;

/** The most UTF-16 units of a text by default: what the largest value that the guard lets pass can take. */
export const MOST_CHARACTERS = 2 ** 28;

/** The properties of an error that have a place of their own. */
export const ERROR_KEYS: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause', 'errors']);

/** A number that JSON has no word for, as the text of its tag. */
export function oddNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The numbers that JSON has no word for. */
export const ODD_NUMBERS: ReadonlyMap<string, number> = new Map(
  [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0].map((value) => [
    oddNumber(value),
    value,
  ]),
);

/**
 * Whether a key is one that `JSON.parse` may read as another one: a single character that is escaped in the text. Node
 * 24.21 takes it for a lone backslash, when it has parsed an object with that key at the same place before.
 */
export function isMisread(key: string): boolean {
  return key.length === 1 && JSON.stringify(key).length > 3;
}
