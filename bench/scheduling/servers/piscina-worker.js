import { answer } from './work.js';

/** @param {{ name: string, iterations: number }} task */
export default function work({ name, iterations }) {
  return answer(name, iterations);
}
