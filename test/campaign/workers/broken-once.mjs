/** A module that ends its thread while it is loaded for the first time, and then never again. */
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const marker = `${process.env.TASKMASTER_CAMPAIGN_MARKER ?? fileURLToPath(import.meta.url)}.loaded`;
if (!existsSync(marker)) {
  writeFileSync(marker, '');
  process.reallyExit(3);
}
export const echo = ({ inputData }) => inputData;
export const plain = () => 'at the second time';
export const locked = plain;
