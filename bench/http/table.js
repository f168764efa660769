import Table from 'cli-table3';

/** Only a line below the head, because with borders the widest table would not fit into 100 columns. */
const NO_BORDERS = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', 'mid-mid': '─', right: '', 'right-mid': '', middle: '' },
};

/**
 * @param {string[]} head
 * @param {string[][]} rows
 * @param {('left' | 'right')[]} [colAligns]
 */
export function renderTable(head, rows, colAligns = []) {
  const style = { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 };
  const table = new Table({ head, chars: NO_BORDERS, colAligns, style });
  table.push(...rows);
  return table.toString().replaceAll(/ +$/gm, '');
}
