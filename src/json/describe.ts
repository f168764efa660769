import { wanted } from './mismatch.js';
import { ARRAY, OBJECT } from './parts.js';
import { extraOf, type Node, type Planner } from './plan.js';

/** Formats the plan below `root`: a line for each place, indented by its depth. A node is described at its first occurrence. */
export function describePlan(planner: Planner, root: Node): string {
  const lines: string[] = [];
  const numbers = new Map<Node, number>();
  const visit = (node: Node, name: string, depth: number) => {
    const line = (text: string) => lines.push(`${'  '.repeat(depth)}${name}${text}`);
    if (planner.isAny(node)) return line('anything');
    const accepted = planner.accepted(node);
    if (!planner.isContainer(node)) return line(wanted(accepted));
    const known = numbers.get(node);
    if (known !== undefined) return line(`as #${known}`);
    numbers.set(node, numbers.size + 1);
    line(`#${numbers.size} ${wanted(accepted)}`);
    describeParts(planner, node, (part, label) => visit(part, label, depth + 1));
  };
  visit(root, '', 0);
  return lines.join('\n');
}

function describeParts(planner: Planner, node: Node, visit: (part: Node, label: string) => void): void {
  const { choice } = node;
  if (choice !== undefined) {
    const by = planner.discriminator(node)?.property;
    const label = `${choice.kind}${by === undefined ? '' : ` by "${by}"`}`;
    for (const i of choice.branches.keys()) visit(planner.variant(node, [i]), `${label}, branch ${i}: `);
    return;
  }
  const { types } = planner.accepted(node);
  if (types & OBJECT && planner.describesObjects(node)) {
    const shape = planner.object(node);
    for (const { key, required, node: part } of shape.properties)
      visit(part, `${JSON.stringify(key)}${required ? '' : '?'}: `);
    const other = extraOf(shape, '');
    if (typeof other !== 'string') visit(other, 'other properties: ');
  }
  if (types & ARRAY && planner.describesArrays(node)) {
    const { prefix, items } = planner.array(node);
    for (const [i, part] of prefix.entries()) visit(part, `[${i}]: `);
    visit(items, 'items: ');
  }
}
