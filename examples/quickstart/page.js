// The page at `/`: a button for each endpoint that calls it and shows the response.
const calls = [
  ['GET', '/health'],
  ['GET', '/sync'],
  ['GET', '/async'],
  ['GET', '/json'],
  ['GET', '/raw'],
  ['GET', '/users/42'],
  ['GET', '/compute'],
  ['POST', '/echo', 'Hello, shard!'],
  ['GET', '/no-such-path'],
];

const rows = calls
  .map(([method, path, body = '']) => {
    const data = `data-method="${method}" data-path="${path}" data-body="${body}"`;
    return `<li><button ${data}><b>${method}</b> <code>${path}</code></button></li>`;
  })
  .join('\n');

export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>LoopShard quickstart</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
  h1 { margin-bottom: 0; }
  p { margin-top: .25rem; opacity: .8; }
  ul { list-style: none; padding: 0; display: grid; gap: .4rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
  button { width: 100%; text-align: left; padding: .5rem .75rem; font: inherit; border: 1px solid #8886; border-radius: .5rem; background: #8881; cursor: pointer; }
  button:hover, button:focus-visible { border-color: #e8590c; outline: none; }
  button b { display: inline-block; width: 3.2rem; font-size: .8rem; color: #e8590c; }
  section { margin: 1.5rem 0; padding: 1rem; border: 1px solid #8886; border-radius: .5rem; }
  section p { margin: .5rem 0 0; font-variant-numeric: tabular-nums; }
  output { display: block; min-height: 10rem; padding: 1rem; border-radius: .5rem; background: #8881; white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.5 ui-monospace, monospace; }
</style>
</head>
<body>
<h1>LoopShard</h1>
<p>Handlers run on shards; this page came from one. Call an endpoint:</p>
<ul>
${rows}
</ul>
<section>
<button id="block">Block one shard for 3 s</button>
<p id="health" role="status">Meanwhile this page asks <code>/health</code> as fast as it can, and shows how long that takes.</p>
</section>
<output aria-live="polite">The answer appears here.</output>
<script type="module">
const output = document.querySelector('output');
for (const button of document.querySelectorAll('button[data-path]')) {
  button.addEventListener('click', async () => {
    const { method, path, body } = button.dataset;
    output.textContent = method + ' ' + path + ' …';
    const start = performance.now();
    try {
      const response = await fetch(path, { method, body: body || undefined });
      const text = await response.text();
      const ms = (performance.now() - start).toFixed(1);
      const fields = [...response.headers].map(([name, value]) => name + ': ' + value).join('\\n');
      output.textContent = response.status + ' ' + response.statusText + '   ' + ms + ' ms\\n' + fields + '\\n\\n' + text;
    } catch (error) {
      output.textContent = String(error);
    }
  });
}

const health = document.querySelector('#health');
document.querySelector('#block').addEventListener('click', async ({ target }) => {
  target.disabled = true;
  let isBlocked = true;
  const block = fetch('/block', { cache: 'no-store' }).finally(() => (isBlocked = false));
  const times = [];
  while (isBlocked) {
    const start = performance.now();
    await (await fetch('/health', { cache: 'no-store' })).text();
    times.push(performance.now() - start);
    const longest = Math.max(...times).toFixed(1);
    health.textContent = 'One shard is blocked. /health was asked ' + times.length + ' times; it took at most ' + longest + ' ms.';
  }
  const { status } = await block;
  const sorted = times.toSorted((a, b) => a - b);
  const p99 = sorted[Math.floor(sorted.length * 0.99)].toFixed(1);
  health.textContent = status === 200
    ? 'One shard was blocked for 3 s. Meanwhile /health was asked ' + times.length + ' times; 99 % took at most ' + p99 + ' ms, the longest ' + sorted.at(-1).toFixed(1) + ' ms.'
    : 'The request to block a shard failed with status ' + status + '.';
  target.disabled = false;
});
</script>
</body>
</html>
`;
