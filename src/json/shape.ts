import type { Node } from './plan.js';

function parts(node: Node): Node[] {
  switch (node.kind) {
    case 'union':
      return node.branches;
    case 'array':
      return [...node.prefix, node.items];
    case 'object': {
      const nodes = node.properties.map((property) => property.node).concat(node.patterns.map(([, part]) => part));
      return typeof node.additional === 'string' ? nodes : [...nodes, node.additional];
    }
    default:
      return [];
  }
}

/** The nodes at which a recursion comes round: they are functions of their own in the generated code. */
export function recursiveNodes(root: Node): Set<Node> {
  const found = new Set<Node>();
  const done = new Set<Node>();
  const open = new Set<Node>();
  const visit = (node: Node) => {
    if (open.has(node)) found.add(node);
    if (done.has(node) || open.has(node)) return;
    open.add(node);
    for (const part of parts(node)) visit(part);
    open.delete(node);
    done.add(node);
  };
  visit(root);
  return found;
}

/** Levels of nesting that `node` has without going through a recursive node. */
export function staticDepth(node: Node, recursive: Set<Node>): number {
  const own = node.kind === 'object' || node.kind === 'array' ? 1 : 0;
  const inner = parts(node).filter((part) => !recursive.has(part));
  return own + Math.max(0, ...inner.map((part) => staticDepth(part, recursive)));
}

/** The `typeof` that all values of the node have (or null, array, object); empty where there are several. */
export function nodeClass(node: Node): string {
  switch (node.kind) {
    case 'constant': {
      const kinds = new Set(node.values.map((value) => (value === null ? 'null' : typeof value)));
      const [kind] = kinds;
      return kinds.size === 1 && kind !== 'object' ? kind : '';
    }
    case 'any':
    case 'never':
      return '';
    case 'integer':
      return 'number';
    case 'union':
      return node.branches.length === 1 ? nodeClass(node.branches[0]) : '';
    default:
      return node.kind;
  }
}

/** The JavaScript that tells whether `x` is of a class of `nodeClass`. */
export function classTest(name: string, x: string): string {
  if (name === 'null') return `${x} === null`;
  if (name === 'array') return `isList(${x})`;
  if (name === 'object') return `typeof ${x} === 'object' && ${x} !== null && !isList(${x})`;
  return `typeof ${x} === '${name}'`;
}
